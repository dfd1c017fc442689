"""The one-pass parser reads what pydicom reads, in every encoding, and refuses what is no whole file."""

import struct
from io import BytesIO

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from imaging.errors import ImagingError
from imaging.headers.elements import read_elements, read_items
from imaging.headers.layout import MAX_DEPTH, UNDEFINED
from imaging.headers.walk import Skipped, Walk
from schemas.reasons import Reason

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def everything(_tag):
    return True


def nested(depth, undefined):
    inner = Dataset()
    inner.CodeValue = "T-A0100"
    for _ in range(depth):
        outer = Dataset()
        outer.AnatomicRegionSequence = Sequence([inner])
        outer["AnatomicRegionSequence"].is_undefined_length = undefined
        inner.is_undefined_length_sequence_item = undefined
        inner = outer
    return inner.AnatomicRegionSequence


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
@pytest.mark.parametrize("undefined", [True, False], ids=["undefined length", "defined length"])
def test_every_encoding_gives_the_values_that_pydicom_gives(dataset, file_of, syntax, undefined):
    made = dataset(TransferSyntaxUID=syntax, EchoTime=12.5)
    made.AnatomicRegionSequence = nested(3, undefined)
    made["AnatomicRegionSequence"].is_undefined_length = undefined
    made.private_block(0x19, "ACME", create=True).add_new(0x01, "LO", "inside")
    data = file_of(made)
    found = read_elements(data, everything)
    read = pydicom.dcmread(BytesIO(data), stop_before_pixels=True)
    assert set(found.values) == set(map(int, read.keys()))
    for tag in list(read.keys()):
        raw = read.get_item(tag)
        if raw.VR != "SQ":
            assert found.values[int(tag)] == raw.value, tag
    assert found.pixel_tag == 0x7FE00010
    assert found.buffer[found.pixel_offset :][: found.pixel_length] == made.PixelData
    items = read_items(found.values[0x00082218], found.layout, everything)
    assert 0x00082218 in items[0].values


def test_a_file_that_declares_explicit_and_writes_implicit_is_read(dataset, file_of):
    data = bytearray(file_of(dataset(TransferSyntaxUID=ImplicitVRLittleEndian, PatientID="1")))
    # replace the declared syntax in place; both UIDs have room in 20 bytes of an even length
    old = b"\x02\x00\x10\x00UI" + struct.pack("<H", 18) + b"1.2.840.10008.1.2\0"
    new = b"\x02\x00\x10\x00UI" + struct.pack("<H", 20) + b"1.2.840.10008.1.2.1\0"
    assert old in data
    found = read_elements(bytes(data).replace(old, new), everything)
    assert found.values[0x00080060] == b"MR"


@given(st.integers(133, 1000))
@settings(max_examples=50, deadline=None)
def test_a_cut_header_is_truncated_or_ends_between_elements(instance, cut):
    data = instance(SOPInstanceUID="1.2.3.4.5")
    whole = read_elements(data, everything)
    try:
        found = read_elements(data[: min(cut, whole.pixel_offset)], everything)
    except ImagingError as error:
        assert error.reason in (Reason.TRUNCATED, Reason.UNREADABLE)
    else:
        assert found.values.items() <= whole.values.items()


@given(st.binary(max_size=400))
@settings(max_examples=50, deadline=None)
def test_rubbish_after_the_file_meta_is_refused_or_read_but_never_crashes(instance, rubbish):
    head = instance()[:132]
    meta = b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    try:
        read_elements(head + meta + rubbish, everything)
    except ImagingError as error:
        assert error.reason in (Reason.TRUNCATED, Reason.HEADER_INVALID)


def test_a_file_without_prefix_is_unreadable():
    with pytest.raises(ImagingError, match="no DICM prefix") as caught:
        read_elements(b"GIF89a" * 100, everything)
    assert caught.value.reason is Reason.UNREADABLE


def test_bottomless_nesting_is_refused_before_the_stack_is_used_up(instance):
    head = instance()[:132] + b"\x02\x00\x10\x00UI\x12\x001.2.840.10008.1.2\0"
    level = struct.pack("<HHI", 0x0008, 0x2218, UNDEFINED) + struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
    with pytest.raises(ImagingError, match="nested deeper"):
        read_elements(head + level * (MAX_DEPTH * 40), everything)


def test_a_deflated_file_that_ends_early_is_truncated(instance):
    data = instance(TransferSyntaxUID=DeflatedExplicitVRLittleEndian)
    with pytest.raises(ImagingError) as caught:
        read_elements(data[:-20], everything)
    assert caught.value.reason is Reason.TRUNCATED


def test_a_sequence_that_repeats_from_file_to_file_is_walked_through_once(dataset, file_of, monkeypatch):
    files = []
    for number in range(6):
        made = dataset(InstanceNumber=number, AnatomicRegionSequence=nested(3, True))
        made["AnatomicRegionSequence"].is_undefined_length = True
        files.append(file_of(made))
    walked, skip = [], Walk.skip
    monkeypatch.setattr(Walk, "skip", lambda self, *a: walked.append(1) or skip(self, *a))
    known = Skipped()
    found = [read_elements(data, everything, skipped=known) for data in files]
    once = len(walked)
    assert [one.values for one in found] == [read_elements(data, everything).values for data in files]
    assert len(walked) - once == len(files) * once


def test_few_and_short_sequences_are_remembered(monkeypatch):
    monkeypatch.setattr(Skipped, "MOST", 3)
    known = Skipped()
    for number in range(10):
        known.remember(bytes([number] * 6), b"value")
    known.remember(b"long..", bytes(Skipped.LONGEST + 1))
    assert known.find(bytes([9] * 6), b"value and more", 0, 14) == b"value"
    assert known.find(bytes([9] * 6), b"value and more", 0, 4) is None
    assert known.find(bytes([0] * 6), b"value and more", 0, 14) is None
    assert known.find(b"long..", bytes(Skipped.LONGEST + 1), 0, Skipped.LONGEST + 1) is None
