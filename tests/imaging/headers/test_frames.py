"""A mosaic falls into its slices, each at its own place; one that does not say how is refused, not guessed."""

import struct

import numpy as np
import pytest

from imaging.errors import ImagingError
from imaging.headers.csa import read_csa
from imaging.headers.reading import read_header
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from schemas.reasons import Reason

AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]
ROWS, COLUMNS, DEPTH = 4, 3, 5


def csa(**fields):
    """A CSA header of the SV10 layout."""
    body = b""
    for name, items in fields.items():
        body += struct.pack("<64si4siii", name.encode(), len(items), b"FD", 4, len(items), 77)
        for item in items:
            text = item.encode() + b"\0"
            body += struct.pack("<iiii", len(text), len(text), 77, len(text)) + text + b"\0" * (-len(text) % 4)
    return b"SV10\4\3\2\1" + struct.pack("<II", len(fields), 77) + body


def mosaic(dataset, file_of, orientation=AXIAL, normal=None, slices=DEPTH, number=1, **changes):
    """Five slices of 4 x 3 in a mosaic of 3 x 3 tiles, and the slices."""
    stack = np.random.default_rng(number).integers(0, 4000, (DEPTH, ROWS, COLUMNS), dtype=np.uint16)
    sheet = np.zeros((3 * ROWS, 3 * COLUMNS), np.uint16)
    for k, tile in enumerate(stack):
        i, j = divmod(k, 3)
        sheet[i * ROWS : (i + 1) * ROWS, j * COLUMNS : (j + 1) * COLUMNS] = tile
    row, column = np.array(orientation, float).reshape(2, 3)
    corner = np.array([5.0, 6.0, 7.0]) - row * 0.75 * COLUMNS - column * 0.5 * ROWS
    elements = {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
        "ImageOrientationPatient": orientation,
        "ImagePositionPatient": corner.tolist(),
        "PixelSpacing": [0.5, 0.75],
        "SpacingBetweenSlices": 2.5,
        "AcquisitionNumber": number,
        "InstanceNumber": number,
    }
    made = dataset(sheet, **(elements | changes))
    if slices:
        made.private_block(0x19, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", slices)
    if normal:
        value = csa(Other=["x"], SliceNormalVector=[str(x) for x in normal])
        value += b"\0" * (len(value) % 2)
        made.private_block(0x29, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", value)
    return file_of(made), stack


def volumes_of(files):
    headers = [read_header(data) for data in files]
    found = plan(headers)
    return [assemble(v, lambda i: stored_pixels(files[i], headers[i])) for v in found.volumes], found.rejected


@pytest.mark.parametrize(
    ("orientation", "normal", "sign"),
    [
        (AXIAL, None, 1),
        (AXIAL, (0, 0, 1), 1),
        (AXIAL, (0, 0, -1), -1),
        (SAGITTAL, (1, 0, 0), -1),
        (SAGITTAL, (-1, 0, 0), 1),
    ],
)
def test_each_tile_lies_where_the_header_says(dataset, file_of, orientation, normal, sign):
    data, stack = mosaic(dataset, file_of, orientation, normal)
    ((volume,), rejected) = volumes_of([data])
    assert not rejected
    assert volume.array.size == stack.size
    row, column = np.array(orientation, float).reshape(2, 3)
    inverse = np.linalg.inv(volume.affine)
    for k, i, j in np.ndindex(stack.shape):
        lps = np.array([5.0, 6.0, 7.0]) + row * 0.75 * j + column * 0.5 * i + sign * np.cross(row, column) * 2.5 * k
        index = np.rint(inverse @ [-lps[0], -lps[1], lps[2], 1])[:3].astype(int)
        assert volume.array[tuple(index)] == stack[k, i, j]


def test_mosaics_of_a_series_become_time_points(dataset, file_of):
    files = [mosaic(dataset, file_of, number=number)[0] for number in (3, 1, 2)]
    ((volume,), _) = volumes_of(files)
    assert volume.shape == (COLUMNS, ROWS, DEPTH, 3)
    first = mosaic(dataset, file_of, number=1)[1]
    np.testing.assert_array_equal(np.sort(volume.array[..., 0].ravel()), np.sort(first.ravel()))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"orientation": SAGITTAL}, Reason.UNSUPPORTED),
        ({"slices": None}, Reason.UNSUPPORTED),
        ({"SpacingBetweenSlices": None}, Reason.UNSUPPORTED),
        ({"normal": (0, 1, 0)}, Reason.GEOMETRY_INCONSISTENT),
        ({"slices": 26}, Reason.PIXELS_INVALID),
    ],
    ids=["order not stated", "no count", "no spacing", "another normal", "too many tiles"],
)
def test_a_mosaic_that_cannot_be_cut_is_refused_with_the_reason(dataset, file_of, arguments, reason):
    volumes, rejected = volumes_of([mosaic(dataset, file_of, **arguments)[0]])
    assert not volumes
    assert [r.reason for r in rejected] == [reason]


@pytest.mark.parametrize(("acquired", "slices"), [([5, 0, 0, 6], 1), ([0, 4, 5, 0], 1), ([3, 0, 0, 3], 0), (None, 0)])
def test_an_image_called_mosaic_is_one_slice_where_it_is_no_larger_than_acquired(dataset, file_of, acquired, slices):
    kind = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    volumes, rejected = volumes_of([file_of(dataset(ImageType=kind, AcquisitionMatrix=acquired))])
    assert [volume.shape for volume in volumes] == [(5, 6, 1)] * slices
    assert [r.reason for r in rejected] == [Reason.UNSUPPORTED] * (1 - slices)


def test_csa_fields_are_read_and_broken_ones_refused():
    value = csa(A=["1", ""], B=["x"], C=["y"])
    assert read_csa(value, frozenset({"A", "C", "D"})) == {"A": ("1",), "C": ("y",)}
    assert read_csa(b"older layout" * 5, frozenset("A")) == {}
    for broken in (value[:-6], value[:8] + b"\xff\xff\xff\x7f" + value[12:], value[:100]):
        with pytest.raises(ImagingError) as caught:
            read_csa(broken, frozenset("A"))
        assert caught.value.reason is Reason.HEADER_INVALID


@pytest.mark.parametrize("claimed", [5000, 2**31 - 1])
def test_a_mosaic_of_more_tiles_than_any_has_becomes_no_slices(dataset, file_of, claimed):
    """Each tile becomes a header before a pixel is looked at."""
    made = dataset(
        np.zeros((4, 4), np.uint16), Manufacturer="SIEMENS", ImageType=["ORIGINAL", "PRIMARY", "MOSAIC"], Rows=60000,
        Columns=60000, SpacingBetweenSlices=2.0,
    )  # fmt: skip
    block = made.private_block(0x29, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa(NumberOfImagesInMosaic=[str(claimed)], SliceNormalVector=["0", "0", "1"]))
    volumes, rejected = volumes_of([file_of(made)])
    assert not volumes
    assert [one.reason for one in rejected] == [Reason.UNSUPPORTED]
