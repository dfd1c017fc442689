"""The fast walk and pydicom read the same elements, and files cleaned by either are the same bytes."""

import io
import struct
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid.headers import walk
from deid.headers.elements import parse, patiently
from deid.headers.headers import Deidentifier
from deid.headers.layout import Unusual
from deid.headers.walk import walked
from deid.policy import load_policy
from deid.refusals import Refused
from deid.text.identifiers import Identifiers, gather
from deid.vault import Subject
from schemas.reasons import Reason
from tests.documents import OBJECTS
from tests.encodings import COMPRESSED, PLAIN, encoded
from tests.objects import IMAGES, Identity

EXPLICIT = {"explicit": PLAIN["explicit"], "deflated": PLAIN["deflated"]}
CASES = [(kind, syntax) for kind in OBJECTS for syntax in EXPLICIT.values()]
CASES += [(kind, syntax) for kind in IMAGES for syntax in COMPRESSED.values()]
REAL = Path(__file__).parents[4] / "shared" / "data"
SUBJECT = Subject("SABCDEFGHIJKL", bytes(range(32)))
META = b"\2\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"


def part10(*elements):
    return bytes(128) + b"DICM" + META + b"".join(elements)


def short(tag, vr, value):
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long(tag, vr, value, length=None):
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value) if length is None else length) + value


def bare(tag, value=b"", length=None):
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


ITEM, ITEM_END, SEQUENCE_END, OPEN = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFFFFFF
NAME = short(0x00100010, b"PN", b"Doe^Jane")
INSIDE = short(0x00080100, b"SH", b"T-A0100 ")
REFERENCES, UNKNOWN_SEQUENCE = 0x00081140, 0x00091010


@pytest.mark.parametrize(("kind", "syntax"), CASES)
def test_both_readers_give_the_same_elements(kind, syntax):
    data = encoded(OBJECTS[kind](Identity()), syntax)
    assert walked(data) == patiently(data)
    assert walked(data, pixels=False) == patiently(data, pixels=False)


@pytest.mark.parametrize("policy", ["safe_harbor", "expert_determination"])
def test_files_cleaned_by_either_reader_are_the_same(monkeypatch, policy):
    def clean_all():
        deidentifier = Deidentifier(load_policy(policy))
        cleaned = [deidentifier.clean(data, SUBJECT, known) for data in files]
        return [(c.data, c.decisions, c.header, c.suspicion) for c in cleaned]

    files = [encoded(OBJECTS[kind](Identity()), syntax) for kind, syntax in CASES]
    known = Identifiers.of(gather(parse(files[0]).dataset))
    fast = clean_all()
    monkeypatch.setattr("deid.headers.headers.parse", patiently)
    assert clean_all() == fast


@pytest.mark.parametrize("syntax", [PLAIN["implicit"], PLAIN["big endian"]])
def test_other_encodings_are_left_to_the_patient_reader(syntax):
    data = encoded(OBJECTS["image"](Identity()), syntax)
    with pytest.raises(Unusual):
        walked(data)
    assert parse(data) == patiently(data)


VALUES = {
    "LO": st.text("abcXYZ 019", max_size=12),
    "PN": st.text("abc^XYZ", max_size=12),
    "CS": st.lists(st.text("ABC", min_size=1, max_size=8), max_size=3),
    "DS": st.integers(-999, 999).map(str),
    "US": st.lists(st.integers(0, 65535), max_size=3),
    "FD": st.lists(st.floats(-1e9, 1e9), max_size=3),
    "OB": st.binary(max_size=31),
    "UT": st.text("abc \n", max_size=40),
    "UI": st.sampled_from(["1.2.3", "1.2.840.10008.1.2", ""]),
}


def leaf(vr):
    return VALUES[vr].map(lambda value: (vr, value))


def datasets(depth):
    value = st.one_of([leaf(vr) for vr in VALUES])
    if depth:
        value |= st.lists(datasets(depth - 1), max_size=3).map(lambda items: ("SQ", items))
    tags = st.integers(0x0010, 0x0030).flatmap(lambda g: st.integers(0x1001, 0x10FF).map(lambda e: g << 16 | e))
    return st.dictionaries(tags, value, max_size=6).map(built)


def built(elements):
    ds = Dataset()
    for tag, (vr, value) in sorted(elements.items()):
        ds.add_new(tag, vr, Sequence(value) if vr == "SQ" else value)
        if vr == "SQ":
            ds[tag].is_undefined_length = tag % 2 == 0
            for item in value:
                item.is_undefined_length_sequence_item = tag % 3 == 0
    return ds


@settings(max_examples=50, deadline=None)
@given(datasets(3), st.sampled_from(["", "ISO_IR 100", "ISO_IR 192", ["", "ISO 2022 IR 87"]]))
def test_whatever_pydicom_writes_both_read_alike(ds, character_set):
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3"
    if character_set:
        ds.SpecificCharacterSet = character_set
    data = encoded(ds)
    assert walked(data) == patiently(data)


@pytest.mark.parametrize(
    "sequence",
    [
        long(REFERENCES, b"SQ", bare(ITEM, INSIDE)),
        long(REFERENCES, b"SQ", bare(ITEM, INSIDE) + bare(SEQUENCE_END), OPEN),
        long(REFERENCES, b"SQ", bare(ITEM, INSIDE + bare(ITEM_END), OPEN)),
        long(REFERENCES, b"SQ", bare(ITEM, INSIDE + bare(ITEM_END), OPEN) + bare(SEQUENCE_END), OPEN),
        long(REFERENCES, b"SQ", bare(ITEM, short(0x00080000, b"UL", bytes(4)) + INSIDE)),
        long(REFERENCES, b"SQ", b""),
        long(REFERENCES, b"SQ", bare(ITEM)),
        long(UNKNOWN_SEQUENCE, b"UN", bare(ITEM, bare(0x00080100, b"T-A0100 ")) + bare(SEQUENCE_END), OPEN),
        long(
            UNKNOWN_SEQUENCE,
            b"UN",
            bare(ITEM, bare(0x00081140, bare(ITEM, bare(0x00080100, b"AB")) + bare(SEQUENCE_END), OPEN)
                 + bare(ITEM_END), OPEN) + bare(SEQUENCE_END),
            OPEN,
        ),
        long(UNKNOWN_SEQUENCE, b"UN", bare(ITEM, bare(0x00080100, b"T-A0100 "))),
    ],
)  # fmt: skip
def test_every_way_to_write_a_sequence_is_read(sequence):
    data = part10(short(0x00080000, b"UL", bytes(4)), short(0x00080005, b"CS", b"ISO_IR 100"), sequence, NAME)
    assert walked(data) == patiently(data)
    assert [tag for tag, _, _ in walked(data).dataset.elements][-1] == 0x00100010


def test_an_item_may_have_its_own_character_set():
    item = short(0x00080005, b"CS", b"ISO_IR 192") + NAME
    data = part10(short(0x00080005, b"CS", b"ISO_IR 101"), long(REFERENCES, b"SQ", bare(ITEM, item)))
    parsed = walked(data)
    assert parsed == patiently(data)
    assert parsed.dataset.encodings != parsed.dataset.elements[1][2][0].encodings == ("UTF8",)


@pytest.mark.parametrize(
    "elements",
    [
        (NAME, INSIDE),
        (NAME, NAME),
        (short(0x00100010, b"??", b"Doe "),),
        (bare(0x00100010, b"Doe^Jane"),),
        (long(REFERENCES, b"SQ", bare(ITEM, INSIDE, 6) + bytes(4)), NAME, bytes(30)),
        (long(REFERENCES, b"SQ", NAME), NAME),
        (NAME, b"\0\0\0"),
        (long(0x00091010, b"OB", bytes(8) + bare(SEQUENCE_END), OPEN),),
    ],
    ids=["order", "twice", "vr", "implicit", "item", "no item", "rest", "open"],
)
def test_what_the_standard_does_not_foresee_is_left_to_the_patient_reader(elements):
    with pytest.raises(Unusual):
        walked(part10(*elements))


@pytest.mark.parametrize(
    "elements",
    [
        (NAME[:-1],),
        (long(0x00091010, b"OB", b"1234", 0xFFFFFFFE),),
        (long(REFERENCES, b"SQ", bare(ITEM, INSIDE), OPEN),),
        (long(REFERENCES, b"SQ", bare(ITEM, INSIDE, OPEN), OPEN),),
        (long(REFERENCES, b"SQ", bare(ITEM, INSIDE, 500), 512),),
        (long(0x7FE00010, b"OB", bare(ITEM) + bare(ITEM, b"12", 99), OPEN),),
    ],
)
def test_a_file_that_ends_early_is_refused(elements):
    with pytest.raises(Refused) as refused:
        walked(part10(*elements))
    assert refused.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("vr", [b"SQ", b"UN"])
@pytest.mark.parametrize("depth", [40, 1000, 20_000])
def test_nesting_without_end_is_refused(vr, depth):
    inner = long(REFERENCES, vr, bare(ITEM, length=OPEN), OPEN)
    if vr == b"UN":
        inner = bare(REFERENCES, bare(ITEM, length=OPEN), OPEN)
        data = part10(long(REFERENCES, b"UN", bare(ITEM, length=OPEN), OPEN), inner * depth)
    else:
        data = part10(inner * depth)
    with pytest.raises(Refused) as refused:
        parse(data)
    assert refused.value.reason is Reason.HEADER_INVALID


@pytest.mark.parametrize("after", [b"", short(0x00020003, b"UI", b"1.2\0")], ids=["in order", "out of order"])
def test_a_small_file_cannot_fill_the_memory(after, monkeypatch):
    """Nor one with file meta that only pydicom reads, which would inflate whatever the size."""
    monkeypatch.setattr(walk, "MAX_INFLATED", 1 << 16)
    meta = b"\2\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(long(0x00091010, b"OB", bytes(1 << 20))) + packer.flush()
    with pytest.raises(Refused) as refused:
        parse(bytes(128) + b"DICM" + meta + after + packed)
    assert refused.value.reason is Reason.UNSUPPORTED


def test_pixels_are_a_view_of_the_file():
    data = encoded(OBJECTS["image"](Identity()))
    pixels = next(value for tag, _, value in walked(data).dataset.elements if tag == 0x7FE00010)
    assert isinstance(pixels, memoryview)
    assert pixels.obj is data


@pytest.mark.data
def test_real_files_are_read_and_cleaned_alike(monkeypatch):
    if not REAL.is_dir():
        pytest.skip(f"no real DICOM at {REAL}")
    files = [path.read_bytes() for path in sorted(REAL.rglob("*.dcm"))]
    handled = 0
    for data in files:
        try:
            fast = walked(data)
        except Unusual:
            continue
        handled += 1
        assert fast == patiently(data)
    assert handled > len(files) / 2

    def clean_all():
        deidentifier, cleaned = Deidentifier(load_policy("expert_determination")), []
        for data in files[::7]:
            try:
                done = deidentifier.clean(data, SUBJECT, Identifiers.of(gather(parse(data, pixels=False).dataset)))
                cleaned.append((done.data, done.decisions, done.header))
            except Refused as refused:
                cleaned.append(refused.reason)
        return cleaned

    fast_files = clean_all()
    monkeypatch.setattr("deid.headers.headers.parse", patiently)
    assert clean_all() == fast_files


def test_pydicom_reads_the_output_of_the_fast_walk(deidentifiers):
    data = encoded(OBJECTS["image"](Identity()))
    known = Identifiers.of(gather(parse(data).dataset))
    out = deidentifiers["safe_harbor"].clean(data, SUBJECT, known).data
    assert pydicom.dcmread(io.BytesIO(out)).PixelData == pydicom.dcmread(io.BytesIO(data)).PixelData
