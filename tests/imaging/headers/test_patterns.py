"""A file read by the example of others gives what it would have given alone, or is refused as it would have been."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from imaging.errors import ImagingError
from imaging.headers import patterns
from imaging.headers.elements import read_elements
from imaging.headers.flat import OWN
from imaging.headers.patterns import Patterns
from imaging.headers.reading import wanted
from tests.imaging.conftest import make_dataset, to_bytes


def facts(elements):
    return (
        list(elements.values.items()), elements.layout, elements.transfer_syntax, elements.pixel_tag,
        elements.pixel_offset, elements.pixel_length, elements.buffer,
    )  # fmt: skip


def outcome(read, data):
    try:
        return facts(read(data))
    except ImagingError as error:
        return error.reason, str(error)


def slice_of(number, echo=1, words="", nested=0):
    dataset = make_dataset(
        SOPInstanceUID=f"1.2.3.{number}", InstanceNumber=number, EchoTime=10.0 * echo, SeriesDescription=words or None,
        ImagePositionPatient=[0.0, 0.0, 2.5 * number], ImageComments="c" * (number % 7),
    )  # fmt: skip
    if nested:
        item = Dataset()
        item.ReferencedSOPInstanceUID = "1.2." + "9" * nested
        dataset.ReferencedImageSequence = Sequence([item] * (number % 3))
        dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.add_new(0x00290010, "LO", "MAKER")
    dataset.add_new(0x00291010, "OB", bytes([number % 256]) * 6000)
    return dataset


slices = st.lists(
    st.tuples(st.integers(0, 300), st.integers(1, 2), st.sampled_from(["", "a", "bb"]), st.integers(0, 2)),
    min_size=2,
    max_size=12,
)


@given(slices, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_files_in_any_order_give_what_they_give_alone(made, random):
    reader = Patterns(wanted, OWN)
    files = [to_bytes(slice_of(*one)) for one in made]
    random.shuffle(files)
    for data in files + files:
        assert facts(reader.read(data)) == facts(read_elements(data, wanted))


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_a_damaged_file_is_read_or_refused_as_it_would_be_alone(seed):
    random = np.random.default_rng(seed)
    reader = Patterns(wanted, OWN)
    for number in range(3):
        reader.read(to_bytes(slice_of(number, nested=1)))
    data = bytearray(to_bytes(slice_of(4, nested=1)))
    for _ in range(int(random.integers(1, 4))):
        data[int(random.integers(128, len(data)))] = int(random.integers(0, 256))
    if random.random() < 0.3:
        del data[int(random.integers(0, len(data))) :]
    assert outcome(reader.read, bytes(data)) == outcome(lambda d: read_elements(d, wanted), bytes(data))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_layouts_are_read_one_by_one(instance, syntax):
    reader = Patterns(wanted, OWN)
    for number in range(3):
        data = instance(TransferSyntaxUID=syntax, InstanceNumber=number)
        assert facts(reader.read(data)) == facts(read_elements(data, wanted))


def test_a_series_is_walked_through_a_few_times_only(monkeypatch):
    walked = []
    monkeypatch.setattr(patterns, "read_elements", lambda *a: walked.append(1) or read_elements(*a))
    reader = Patterns(wanted, OWN)
    for number in range(100):
        reader.read(to_bytes(slice_of(number, echo=number % 2)))
    assert len(walked) < 25


def test_files_that_never_repeat_are_not_taken_as_examples_for_ever():
    reader = Patterns(wanted, OWN)
    for number in range(60):
        reader.read(to_bytes(slice_of(number, words=f"w{number}")))
    known = list(reader._known)
    reader.read(to_bytes(slice_of(61, words="another")))
    assert reader._known == known
