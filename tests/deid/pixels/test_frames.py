"""Frames are read as they are stored, and a file whose frames were changed is a valid one with those frames."""

import io
import tracemalloc

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from deid.headers.cleaned import Bulk
from deid.pixels import frames
from deid.refusals import Refused
from deid.text.identifiers import Identifiers


@pytest.fixture
def cleaned(deidentifiers, subject, written):
    """A dataset's file, cleaned."""

    def clean(image, syntax=ExplicitVRLittleEndian):
        return deidentifiers["safe_harbor"].clean(written(image, syntax), subject, Identifiers())

    return clean


def with_pixels(image, pixels, photometric="MONOCHROME2"):
    """The image with other pixels: (n, rows, columns[, 3])."""
    bits = pixels.dtype.itemsize * 8
    image.Rows, image.Columns = pixels.shape[1:3]
    image.BitsAllocated, image.BitsStored, image.HighBit = bits, bits, bits - 1
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    image.PhotometricInterpretation = photometric
    if len(pixels) > 1:
        image.NumberOfFrames = len(pixels)
    if pixels.ndim == 4:
        image.SamplesPerPixel, image.PlanarConfiguration = 3, 0
    image.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
    return image


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(kind, shape) for kind in ("u1", "<u2", "<i2", "<u4") for shape in ((1, 5, 7), (3, 5, 7))]
    + [("u1", (2, 4, 4, 3))],
)
def test_frames_come_as_they_are_and_go_back_changed(mr_image, cleaned, kind, shape):
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    file = cleaned(with_pixels(mr_image, pixels, "RGB" if len(shape) == 4 else "MONOCHROME2"))
    found = frames.read(file)
    np.testing.assert_array_equal(found, pixels)
    changed = np.array(found)
    changed[-1, 1:3, 2] = 9
    back = pydicom.dcmread(io.BytesIO(frames.put_back(file, changed).data))
    np.testing.assert_array_equal(back.pixel_array.reshape(shape), changed)
    assert back.PatientID == pydicom.dcmread(io.BytesIO(file.data)).PatientID


def test_compressed_frames_are_read_and_go_back_uncompressed(mr_image, cleaned, written):
    pixels = (np.arange(2 * 16 * 16).reshape(2, 16, 16) * 7).astype("<u2")
    image = with_pixels(mr_image, pixels)
    image.file_meta = pydicom.dcmread(io.BytesIO(written(image))).file_meta
    image.compress(RLELossless)
    file = cleaned(image, RLELossless)
    found = frames.read(file)
    np.testing.assert_array_equal(found, pixels)
    changed = frames.put_back(file, np.where(found > 100, found, 0))
    back = pydicom.dcmread(io.BytesIO(changed.data))
    assert back.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian == changed.header["transfer_syntax"]
    np.testing.assert_array_equal(back.pixel_array, np.where(pixels > 100, pixels, 0))


def test_pixels_that_do_not_decode_are_refused(mr_image, cleaned, written):
    image = with_pixels(mr_image, np.zeros((1, 16, 16), "<u2"))
    image.file_meta = pydicom.dcmread(io.BytesIO(written(image))).file_meta
    image.compress(RLELossless)
    whole = image.PixelData
    image.PixelData = whole[:90] + b"\xff" * (len(whole) - 98) + whole[-8:]
    with pytest.raises(Refused, match="pixels_invalid"):
        cleaned(image, RLELossless)
    image.PixelData = whole
    file = cleaned(image, RLELossless)
    head, value, tail = file.bulk.pieces
    cut = Bulk(file.bulk.tag, (head, bytes(value)[:70] + bytes(len(value) - 70), tail))
    with pytest.raises(Refused, match="pixels_invalid"):
        frames.read(file.changed(bulk=cut))


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_frames_that_are_not_there_take_no_memory(mr_image, cleaned, bits):
    file = cleaned(with_pixels(mr_image, np.zeros((1, 16, 16), "<u2")))
    claims = {0x00280008: ("IS", b"1000000000"), 0x00280100: ("US", bits.to_bytes(2, "little"))}
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="pixels_invalid"):
            frames.read(file.changed(claims))
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("claimed", [2, 1_000_000], ids=["two frames", "a million"])
def test_compressed_frames_that_are_not_there_take_no_memory(mr_image, cleaned, written, claimed):
    image = with_pixels(mr_image, np.zeros((1, 64, 64), "<u2"))
    image.file_meta = pydicom.dcmread(io.BytesIO(written(image))).file_meta
    image.compress(RLELossless)
    file = cleaned(image, RLELossless).changed({0x00280008: ("IS", b"%08d" % claimed)})
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=r"pixels_invalid|unsupported"):
            frames.read(file)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()
