"""Segmentations come back voxel for voxel, whatever the order of frames and the direction of axes, or not at all."""

import struct
import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLSLossless, RLELossless

from imaging.errors import ImagingError
from imaging.labels import segmentations
from imaging.labels.drawings import Grid, paint
from imaging.volumes.geometry import LPS_TO_RAS, canonical
from schemas.reasons import Reason
from tests.annotations import STACKS, Stack, segmentation, series, shapes, turned, without
from tests.encodings import encoded
from tests.objects import ROOT


def grid(stack):
    """The grid of the volume that a series of the stack becomes."""
    depth, rows, columns = stack.shape
    moved = canonical(LPS_TO_RAS @ stack.affine, (columns, rows, depth))
    return Grid(moved.affine, moved.shape)


def laid(stack, mask):
    """A mask of the stack in the axes of the volume."""
    depth, rows, columns = stack.shape
    return canonical(LPS_TO_RAS @ stack.affine, (columns, rows, depth)).apply(mask.transpose(2, 1, 0))


def painted(ds, stack, syntax=None):
    return list(paint(segmentations.read(encoded(ds, *([syntax] if syntax else []))), grid(stack)))


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_segments_in_any_order_of_frames_lie_where_they_were_drawn(stack):
    masks = shapes(stack)
    (found,) = painted(segmentation(stack, masks), stack)
    expected = laid(stack, masks[1] * 1 + masks[2] * 2)
    np.testing.assert_array_equal(found.map.array, expected)
    assert found.map.array.dtype == np.uint8
    assert found.slices == stack.shape[0] - 1
    assert found.map.counts == {value: int((expected == value).sum()) for value in (0, 1, 2)}


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 360), st.integers(0, 360), st.integers(0, 99), st.booleans(),
    st.tuples(st.integers(2, 5), st.integers(1, 9), st.integers(1, 9)),
)  # fmt: skip
def test_any_direction_and_matrix_gives_the_same_voxels(x, z, seed, back, shape):
    stack = Stack(shape=shape, **turned(x + 0.5, z + 0.25), spacing=(1.5, 1.25, -3.0 if back else 3.0))
    masks = shapes(stack, seed)
    (found,) = painted(segmentation(stack, masks, seed=seed, sparse=False), stack)
    np.testing.assert_array_equal(found.map.array, laid(stack, masks[1] * 1 + masks[2] * 2))


def test_overlapping_segments_get_a_map_each():
    stack = STACKS["oblique"]
    masks = shapes(stack, overlap=True)
    one, two = painted(segmentation(stack, masks), stack)
    np.testing.assert_array_equal(one.map.array, laid(stack, masks[1] * 1))
    np.testing.assert_array_equal(two.map.array, laid(stack, masks[2] * 2))
    assert [region.number for region in (*one.regions, *two.regions)] == [1, 2]


def test_a_fraction_counts_from_one_half_on():
    stack = STACKS["axial"]
    fractions = np.random.default_rng(1).integers(0, 201, stack.shape)
    (found,) = painted(segmentation(stack, {1: fractions}, "FRACTIONAL"), stack)
    np.testing.assert_array_equal(found.map.array, laid(stack, (fractions >= 100) * 1))


def test_a_label_map_segmentation_keeps_its_numbers():
    stack = STACKS["coronal, flipped"]
    numbers = np.random.default_rng(1).choice([0, 3, 200], stack.shape)
    (found,) = painted(segmentation(stack, {0: numbers}, "LABELMAP"), stack)
    np.testing.assert_array_equal(found.map.array, laid(stack, numbers))
    assert [region.number for region in found.regions] == [3, 200]


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_bits_are_read_in_every_plain_encoding(syntax):
    stack = Stack(shape=(4, 3, 5))  # 15 bits a frame: no frame but the first begins with a byte
    masks = shapes(stack)
    (found,) = painted(segmentation(stack, masks), stack, syntax)
    np.testing.assert_array_equal(found.map.array, laid(stack, masks[1] * 1 + masks[2] * 2))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=lambda uid: uid.name)
def test_compressed_frames_are_read(syntax):
    stack = STACKS["axial"]
    numbers = np.random.default_rng(1).choice([0, 1, 2], stack.shape)
    (found,) = painted(segmentation(stack, {0: numbers}, "LABELMAP"), stack, syntax)
    np.testing.assert_array_equal(found.map.array, laid(stack, numbers))


def test_damaged_frames_are_refused_and_never_end_the_process():
    """GDCM ends it over one in a hundred of such frames."""
    stack, random = Stack(shape=(2, 18, 14)), np.random.default_rng(1)
    ds = dcmread(
        BytesIO(encoded(segmentation(stack, {0: random.choice(250, stack.shape)}, "LABELMAP"), JPEGLSLossless))
    )
    frames, refused = list(generate_frames(ds.PixelData, number_of_frames=int(ds.NumberOfFrames))), 0
    for _ in range(300):
        damaged = [bytearray(frame) for frame in frames]
        for frame in damaged:
            for place in random.integers(2, len(frame), 3):
                frame[place] = random.integers(256)
        ds.PixelData, made = encapsulate([bytes(frame) for frame in damaged]), BytesIO()
        ds.save_as(made)
        try:
            list(paint(segmentations.read(made.getvalue()), grid(stack)))
        except ImagingError as error:
            assert error.reason is Reason.PIXELS_INVALID
            refused += 1
    assert refused > 100


def test_names_codes_and_manner_are_kept():
    stack = STACKS["axial"]
    read = segmentations.read(encoded(segmentation(stack, shapes(stack))))
    region = read.regions[0]
    assert (region.number, region.name, region.made) == (1, "brain 1", "MANUAL")
    assert region.coding["type"]["code"] == "12738006"
    assert region.coding["category"]["scheme"] == "SCT"
    assert len(read.references) == stack.shape[0]


def test_what_de_identification_left_of_a_name_is_no_name():
    ds = segmentation(STACKS["axial"], shapes(STACKS["axial"]))
    for number, segment in enumerate(ds.SegmentSequence):
        segment.SegmentLabel = "REMOVED"
        if number:
            segment.SegmentedPropertyTypeCodeSequence[0].CodeValue = "REMOVED"
            segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning = "Removed"
    one, two = segmentations.read(encoded(ds)).regions
    assert (one.name, two.name) == ("Brain structure (body structure)", "segment 2")
    assert "type" not in two.coding


def test_a_part_of_the_slices_and_of_the_matrix_is_enough():
    stack, small = Stack(shape=(6, 8, 9)), Stack(shape=(3, 4, 5), origin=tuple(Stack().point(2, 3, 1)))
    masks = shapes(small)
    (found,) = painted(segmentation(small, masks), stack)
    expected = np.zeros(stack.shape, int)
    expected[1:4, 3:7, 2:7] = masks[1] * 1 + masks[2] * 2
    np.testing.assert_array_equal(found.map.array, laid(stack, expected))


@pytest.mark.parametrize(
    "other",
    [
        Stack(origin=tuple(Stack().point(0, 0, 0.4))),
        Stack(origin=tuple(Stack().point(0.5, 0, 0))),
        Stack(origin=tuple(Stack().point(0, 3, 0))),
        Stack(spacing=(1.5, 1.25, 2.0)),
        Stack(spacing=(1.5, 1.4, 3.0)),
        Stack(**turned(5.0, 0.0)),
    ],
    ids=["between slices", "half a voxel", "outside", "thinner slices", "larger voxels", "turned"],
)
def test_what_does_not_lie_on_the_voxels_is_refused(other):
    with pytest.raises(ImagingError) as caught:
        painted(segmentation(other, shapes(other)), Stack())
    assert caught.value.reason is Reason.LABEL_MISFIT


def test_two_frames_of_one_segment_on_one_slice_are_refused():
    ds = segmentation(STACKS["axial"], shapes(STACKS["axial"]))
    frames = ds.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence = frames[0].PlanePositionSequence
    frames[1].SegmentIdentificationSequence = frames[0].SegmentIdentificationSequence
    with pytest.raises(ImagingError, match="two frames"):
        painted(ds, STACKS["axial"])


@pytest.mark.parametrize("keyword", ["SegmentSequence", "PerFrameFunctionalGroupsSequence", "SegmentationType", "Rows"])
def test_a_missing_element_is_named_invalid(keyword):
    ds = without(segmentation(STACKS["axial"], shapes(STACKS["axial"])), keyword)
    with pytest.raises(ImagingError) as caught:
        segmentations.read(encoded(ds))
    assert caught.value.reason is Reason.HEADER_INVALID


def test_fewer_pixels_than_frames_are_refused():
    ds = segmentation(STACKS["axial"], shapes(STACKS["axial"]))
    ds.PixelData = ds.PixelData[:-4]
    with pytest.raises(ImagingError) as caught:
        segmentations.read(encoded(ds))
    assert caught.value.reason is Reason.PIXELS_INVALID


def test_a_frame_of_nowhere_is_refused():
    ds = segmentation(STACKS["axial"], shapes(STACKS["axial"]))
    ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0, 1]
    with pytest.raises(ImagingError) as caught:
        segmentations.read(encoded(ds))
    assert caught.value.reason is Reason.HEADER_INVALID


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("name", ["oblique", "coronal, flipped"])
def test_what_another_writer_made_lies_where_it_was_drawn(kind, name):
    seg = pytest.importorskip("highdicom.seg", reason="found no highdicom, needed it to write segmentations")
    from highdicom import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    stack = STACKS[name]
    masks = shapes(stack)
    made = AlgorithmIdentificationSequence("net", codes.DCM.ArtificialIntelligence, "1")
    described = [
        seg.SegmentDescription(n, f"part {n}", codes.SCT.Tissue, codes.SCT.Brain, "AUTOMATIC", made) for n in masks
    ]
    images = [dcmread(BytesIO(encoded(ds))) for ds in series(stack)]
    pixels = np.stack([masks[n] for n in masks], axis=-1)
    ds = seg.Segmentation(
        images, pixels.astype(float) if kind == "FRACTIONAL" else pixels.astype(np.uint8), kind, described,
        series_instance_uid=f"{ROOT}.4.77", series_number=77, sop_instance_uid=f"{ROOT}.3.77", instance_number=1,
        manufacturer="M", manufacturer_model_name="N", software_versions="1", device_serial_number="1",
    )  # fmt: skip
    buffer = BytesIO()
    ds.save_as(buffer)
    read = segmentations.read(buffer.getvalue())
    (found,) = paint(read, grid(stack))
    np.testing.assert_array_equal(found.map.array, laid(stack, masks[1] * 1 + masks[2] * 2))
    assert {(region.name, region.made) for region in read.regions} == {("part 1", "AUTOMATIC"), ("part 2", "AUTOMATIC")}
    assert {image.SOPInstanceUID for image in images} & read.references


def test_a_compressed_frame_that_states_another_size_is_refused_in_little_memory():
    stack = STACKS["axial"]
    numbers = np.random.default_rng(1).choice([0, 1, 2], stack.shape)
    ds = dcmread(BytesIO(encoded(segmentation(stack, {0: numbers}, "LABELMAP"), RLELossless)))
    planes = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x00" * (1 << 22)
    ds.PixelData = encapsulate([planes] * int(ds.NumberOfFrames))
    made = BytesIO()
    ds.save_as(made)
    found = segmentations.read(made.getvalue())
    tracemalloc.start()
    try:
        with pytest.raises(ImagingError) as caught:
            list(paint(found, grid(stack)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()
    assert caught.value.reason is Reason.PIXELS_INVALID
