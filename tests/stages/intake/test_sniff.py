"""A file that names nobody is held back by itself; it does not stop the delivery that it came in."""

import pytest

from schemas.reasons import Reason
from stages.intake.sniff import sniff
from tests import annotations
from tests.annotations import STACKS
from tests.encodings import encoded


@pytest.fixture
def image():
    return next(iter(annotations.series(STACKS["axial"])))


def test_a_file_that_ends_before_its_patient_has_no_identifiers_of_nobody(image):
    image.InstitutionName = "Mercyvale Hospital"
    del image.PatientID, image.StudyInstanceUID
    found = sniff(encoded(image), "a.dcm")
    assert (found.reason, found.patient, found.identifiers) == (Reason.MISSING_IDENTITY, "", frozenset())


@pytest.mark.parametrize("blank", ["\t", " \t ", "\r\n"])
def test_a_blank_patient_id_is_none(image, blank):
    image.PatientID = blank
    assert sniff(encoded(image), "a.dcm").patient == image.StudyInstanceUID
