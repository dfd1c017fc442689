"""What scientists need of a header leaves, for every vendor; the list is `research.yaml`."""

import io
import struct
from pathlib import Path

import pydicom
import pytest
import yaml
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from deid.text.identifiers import Identifiers

LIST = yaml.safe_load((Path(__file__).parent / "research.yaml").read_text())
VENDORS = sorted(LIST["private"])


def put(dataset, element):
    """Write an element of the list into a dataset."""
    group, offset = int(element["at"][:4], 16), int(element["at"][-2:], 16)
    value = element.get("value")
    if element["vr"] == "SQ":
        value = [Dataset()]
        for inner in element["items"]:
            put(value[0], inner)
    dataset.private_block(group, element["creator"], create=True).add_new(offset, element["vr"], value)


def lost(dataset, elements):
    """Elements of the list that a dataset does not have, or has with another value."""
    for element in elements:
        group, offset = int(element["at"][:4], 16), int(element["at"][-2:], 16)
        try:
            value = dataset.private_block(group, element["creator"])[offset].value
        except KeyError:
            yield element
            continue
        if element["vr"] == "SQ":
            yield from lost(value[0], element["items"])
        elif value != element["value"]:
            yield element


@pytest.fixture
def image(mr_image, request):
    """An image of one vendor with all that the list holds for it."""
    dataset = Dataset()
    for keyword, value in (LIST["standard"] | LIST["manufacturers"][request.param]).items():
        setattr(dataset, keyword, value)
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, mr_image[keyword].value)
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "P-4711"
    dataset.PixelData = struct.pack("<16H", *range(16))
    for element in LIST["private"][request.param]:
        put(dataset, element)
    return request.param, dataset


def test_the_list_is_long_enough():
    assert len(LIST["standard"]) >= 100
    assert set(VENDORS) == {"siemens", "ge", "philips", "uih", "canon"} == LIST["manufacturers"].keys()


@pytest.mark.parametrize("policy", ["safe_harbor", "expert_determination", "limited_data_set"])
@pytest.mark.parametrize("image", VENDORS, indirect=True)
def test_every_attribute_leaves_as_it_came(image, policy, written, deidentifiers, subject):
    vendor, dataset = image
    output = pydicom.dcmread(io.BytesIO(deidentifiers[policy].clean(written(dataset), subject, Identifiers()).data))
    expected = LIST["standard"] | LIST["manufacturers"][vendor]
    assert [keyword for keyword, value in expected.items() if output.get(keyword) != value] == []
    assert list(lost(output, LIST["private"][vendor])) == []
    assert b"Doe" not in deidentifiers[policy].clean(written(dataset), subject, Identifiers()).data


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("image", VENDORS, indirect=True)
def test_every_attribute_leaves_whatever_the_transfer_syntax(image, syntax, written, deidentifiers, subject):
    vendor, dataset = image
    cleaned = deidentifiers["safe_harbor"].clean(written(dataset, syntax), subject, Identifiers()).data
    output = pydicom.dcmread(io.BytesIO(cleaned))
    expected = LIST["standard"] | LIST["manufacturers"][vendor]
    assert [keyword for keyword, value in expected.items() if output.get(keyword) != value] == []
    assert list(lost(output, LIST["private"][vendor])) == []


@pytest.mark.parametrize("image", VENDORS, indirect=True)
def test_text_in_the_place_of_a_private_number_does_not(image, written, deidentifiers, subject):
    vendor, dataset = image
    for element in LIST["private"][vendor]:
        if element["vr"] in {"IS", "DS", "CS", "LO"}:
            block = dataset.private_block(int(element["at"][:4], 16), element["creator"])
            block[int(element["at"][-2:], 16)]._value = "WICKTOKEN"
    cleaned = deidentifiers["safe_harbor"].clean(written(dataset), subject, Identifiers()).data
    assert b"WICKTOKEN" in written(dataset)
    assert b"WICKTOKEN" not in cleaned
