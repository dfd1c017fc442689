"""Facts of a vendor's blob leave as numbers; the blob, and whatever else is in it, does not."""

import gzip
import io
import struct

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.headers.headers import Deidentifier
from deid.headers.vendor import BLOBS, derived
from deid.policy import compile_policy, load_policy
from deid.text.identifiers import Identifiers
from imaging.headers.frames import frames_of
from imaging.headers.reading import read_header
from imaging.phantom.dialects.csa import csa
from imaging.volumes.pixels import stored_pixels

IMAGE = ("SIEMENS CSA HEADER", 0x002910)
FIELDS = {
    "NumberOfImagesInMosaic": ("IS", ["32"]),
    "B_value": ("IS", ["1000"]),
    "DiffusionDirectionality": ("CS", ["DIRECTIONAL"]),
    "DiffusionGradientDirection": ("FD", ["0.6", "-0.0", "0.8"]),
    "B_matrix": ("FD", ["360", "0", "480", "0", "0", "640"]),
    "BandwidthPerPixelPhaseEncode": ("FD", ["24.414"]),
    "MosaicRefAcqTimes": ("FD", ["0", "1250.5", "62.5"]),
    "PhaseEncodingDirectionPositive": ("IS", ["1"]),
    "RealDwellTime": ("IS", ["3400"]),
    "SliceNormalVector": ("FD", ["0", "0.0", "1.0"]),
    "TimeAfterStart": ("DS", ["5.42"]),
    "PatientName": ("LO", ["CSATOKEN"]),
}


def facts(fields):
    return {(d.creator, d.place): d for d in derived({IMAGE: csa(fields)})}


def test_the_numbers_research_needs_are_the_vendors_own_elements():
    found = facts(FIELDS)
    header, frame, own = "SIEMENS MR HEADER", "SIEMENS MR SDI 02", "LARMOR FACTS"
    assert {key: d.value for key, d in found.items() if d.vr != "FD"} == {
        (header, 0x00190A): struct.pack("<H", 32),
        (header, 0x00190C): b"1000",
        (header, 0x00190D): b"DIRECTIONAL",
        (header, 0x001916): b"5.42",
        (header, 0x001918): b"3400",
        (frame, 0x00211C): b"1",
    }
    assert struct.unpack("<3d", found[header, 0x00190E].value) == (0.6, 0.0, 0.8)
    assert struct.unpack("<6d", found[header, 0x001927].value) == (360, 0, 480, 0, 0, 640)
    assert struct.unpack("<d", found[header, 0x001928].value) == (24.414,)
    assert struct.unpack("<3d", found[header, 0x001929].value) == (0, 1250.5, 62.5)
    assert struct.unpack("<3d", found[own, 0x002901].value) == (0, 0, 1)


def test_what_is_derived_is_what_the_shipped_policies_keep():
    rules = compile_policy(load_policy("safe_harbor"))
    for key, fact in facts(FIELDS).items():
        treatment = rules.private[key]
        assert (treatment.rule, treatment.vrs) == (fact.rule, (fact.vr,))


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("B_value", ["SMITH"]),
        ("B_value", ["1000.5"]),
        ("B_value", ["99999999999"]),
        ("B_value", ["1000", "2000"]),
        ("B_value", ["nan"]),
        ("B_value", ["1_000"]),
        ("DiffusionGradientDirection", ["0.6", "0.8"]),
        ("MosaicRefAcqTimes", ["0", "SMITH"]),
        ("DiffusionDirectionality", ["SMITH"]),
        ("NumberOfImagesInMosaic", ["70000"]),
        ("NumberOfImagesInMosaic", ["-1"]),
        ("SliceNormalVector", ["inf", "0", "0"]),
    ],
)
def test_what_is_no_number_of_its_kind_is_not_taken(name, texts):
    assert facts({name: ("LO", texts)}) == {}


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: csa(FIELDS)[:900] + tail))
@settings(max_examples=50, deadline=None)
def test_a_broken_blob_gives_nothing_or_numbers_and_no_error(blob):
    for fact in derived({IMAGE: blob}):
        assert b"CSATOKEN" not in fact.value


PROTOCOL = """### ASCCONV BEGIN ###
tPatientName = "CSATOKEN"
sPat.lAccelFactPE\t = \t2
sPat.lRefLinesPE = CSATOKEN
sSliceAcceleration.lMultiBandFactor = 4
lDelayTimeInTR = 9000000
sSliceArray.ucMode = 0x4
### ASCCONV END ###
sPat.lAccelFact3D = 7
"""


@pytest.mark.parametrize("key", [("SIEMENS CSA HEADER", 0x002920), ("SIEMENS MR SDS 01", 0x002119)])
def test_acceleration_is_read_from_a_siemens_protocol(key):
    blob = csa({"MrPhoenixProtocol": ("LO", [PROTOCOL])})
    found = {d.place: d.value for d in derived({key: blob})}
    assert found == {0x00189069: struct.pack("<d", 2), 0x002908: b"4", 0x002909: b"9000000"}
    assert derived({key: b"no protocol"}) == []


@pytest.mark.parametrize("form", ['VIEWORDER "1"\nSLICEORDER "0"\n', '<Protocol VIEWORDER="1" SLICEORDER="0"/>'])
def test_slice_order_and_polarity_are_read_from_a_ge_protocol(form):
    packed = gzip.compress(f'SEDESC "CSATOKEN"\n{form}'.encode())
    key = ("GEMS_SERS_01", 0x00251B)
    found = {d.place: d.value for d in derived({key: struct.pack("<I", len(packed)) + packed})}
    assert found == {0x002902: b"1", 0x002903: b"0"}
    assert derived({key: packed[:20]}) == []
    assert derived({key: b""}) == []


def test_other_elements_are_not_read():
    assert derived({("SIEMENS CSA HEADER", 0x002930): csa(FIELDS)}) == []
    assert IMAGE in BLOBS


def with_blob(image):
    block = image.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa(FIELDS))
    block.add_new(0x20, "OB", csa({"MrPhoenixProtocol": ("LO", [PROTOCOL])}))
    return image


def test_a_file_leaves_with_the_numbers_and_without_the_blob(mr_image, written, deidentifiers, subject):
    block = mr_image.private_block(0x0019, "SIEMENS MR HEADER")
    block[0x0C].value = "990"
    del block[0x27]
    cleaned = deidentifiers["safe_harbor"].clean(written(with_blob(mr_image)), subject, Identifiers())
    output = pydicom.dcmread(io.BytesIO(cleaned.data))
    block = output.private_block(0x0019, "SIEMENS MR HEADER")
    assert block[0x0C].value == 990, "the file's own element is kept"
    assert block[0x27].value == [360.0, 0.0, 480.0, 0.0, 0.0, 640.0]
    assert block[0x29].value == [0.0, 1250.5, 62.5]
    assert output[0x0021, 0x111C].value == 1, "where converters look for it"
    assert output.private_block(0x0029, "LARMOR FACTS")[0x01].value == [0.0, 0.0, 1.0]
    assert output.private_block(0x0029, "LARMOR FACTS")[0x08].value == 4
    assert output.ParallelReductionFactorInPlane == 2
    assert b"SIEMENS CSA HEADER" not in cleaned.data
    assert b"CSATOKEN" not in cleaned.data
    made = {decision.element: decision.rule for decision in cleaned.decisions if decision.action == "D"}
    assert made["(0019,xx27 SIEMENS MR HEADER)"] == "siemens-header"
    assert "(0019,xx0C SIEMENS MR HEADER)" not in made


def test_a_cleaned_file_cleaned_again_says_the_same(mr_image, written, deidentifiers, subject):
    once = deidentifiers["safe_harbor"].clean(written(with_blob(mr_image)), subject, Identifiers()).data
    again = deidentifiers["safe_harbor"].clean(once, subject, Identifiers()).data
    private = [[e for e in pydicom.dcmread(io.BytesIO(data)) if e.tag.is_private] for data in (once, again)]
    assert private[0] == private[1]


def test_a_policy_that_keeps_no_such_numbers_gets_none(mr_image, written, subject):
    policy = load_policy("safe_harbor").model_copy(update={"private": []})
    output = Deidentifier(policy).clean(written(with_blob(mr_image)), subject, Identifiers()).data
    assert not [e for e in pydicom.dcmread(io.BytesIO(output)) if e.tag.is_private]


@pytest.mark.parametrize("normal", ["1.0", "-1.0"])
def test_a_cleaned_mosaic_keeps_the_order_of_its_slices(normal, mr_image, written, deidentifiers, subject):
    mr_image.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    blob = csa({"NumberOfImagesInMosaic": ("IS", ["4"]), "SliceNormalVector": ("FD", ["0", "0", normal])})
    mr_image.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", blob)
    before = written(mr_image)
    after = deidentifiers["safe_harbor"].clean(before, subject, Identifiers()).data
    tiles = [[plane.position for plane in frames_of(read_header(data))] for data in (before, after)]
    assert len(tiles[0]) == 4
    assert tiles[0] == tiles[1]


def test_slice_order_of_ge_leaves_and_its_protocol_does_not(mr_image, written, deidentifiers, subject):
    packed = gzip.compress(b'SEDESC "CSATOKEN"\nSLICEORDER "1"\n')
    block = mr_image.private_block(0x0025, "GEMS_SERS_01", create=True)
    block.add_new(0x1B, "OB", struct.pack("<I", len(packed)) + packed)
    cleaned = deidentifiers["safe_harbor"].clean(written(mr_image), subject, Identifiers()).data
    assert pydicom.dcmread(io.BytesIO(cleaned)).private_block(0x0029, "LARMOR FACTS")[0x03].value == 1
    assert packed not in cleaned


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("b=1000(0.600,-0.000,0.800)", [0.6, 0.0, 0.8]),
        ("b=1000(0.600,-0.000,0.800) CSATOKEN", [0.6, 0.0, 0.8]),
        ("b=1000(0.6.0,-0.000,0.800)", None),
        ("CSATOKEN", None),
    ],
)
def test_a_direction_in_a_canon_comment_leaves_and_the_comment_does_not(
    comment, left, mr_image, written, deidentifiers, subject
):
    mr_image.ImageComments = comment
    cleaned = deidentifiers["safe_harbor"].clean(written(mr_image), subject, Identifiers()).data
    read = pydicom.dcmread(io.BytesIO(cleaned))
    assert "ImageComments" not in read
    assert b"CSATOKEN" not in cleaned
    if left is None:
        assert (0x0029, 0x100C) not in read
    else:
        assert read.private_block(0x0029, "LARMOR FACTS")[0x0C].value == left


def test_a_cleaned_united_imaging_mosaic_keeps_the_places_of_its_slices(mr_image, written, deidentifiers, subject):
    tiles = [pydicom.Dataset() for _ in range(4)]
    for k, tile in enumerate(tiles):
        tile.ImagePositionPatient, tile.AcquisitionTime = [0, 0, 2.5 * k], f"10101{k}"
    mr_image.Manufacturer = "UIH"
    mr_image.ImageType = ["ORIGINAL", "PRIMARY", "M", "VFRAME"]
    block = mr_image.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x50, "DS", 4)
    block.add_new(0x51, "SQ", pydicom.Sequence(tiles))
    before = written(mr_image)
    after = deidentifiers["safe_harbor"].clean(before, subject, Identifiers()).data
    found = [[plane.position for plane in frames_of(read_header(data))] for data in (before, after)]
    assert found[0] == found[1] == [(0, 0, 2.5 * k) for k in range(4)]


@pytest.mark.parametrize(("tag", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_pixels_leave_as_they_came(tag, kind, mr_image, written, deidentifiers, subject):
    pixels = np.linspace(-1, 1, mr_image.Rows * mr_image.Columns).astype(kind)
    setattr(mr_image, tag, pixels.tobytes())
    del mr_image.PixelData
    mr_image.BitsAllocated = pixels.dtype.itemsize * 8
    cleaned = deidentifiers["safe_harbor"].clean(written(mr_image), subject, Identifiers()).data
    assert (stored_pixels(cleaned).ravel() == pixels).all()
