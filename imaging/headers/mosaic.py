"""How many slices a mosaic of Siemens or United Imaging holds, and in which direction they follow each other.

Belongs here: the elements that say so. Taking the tiles apart is `imaging.headers.frames`.
"""

import math
from collections.abc import Mapping

from imaging.headers.csa import read_csa
from imaging.headers.diffusion import PrivateElements
from imaging.headers.elements import Elements, read_items
from imaging.headers.values import Values, invalid

_SIEMENS = ("SIEMENS MR HEADER", 0x0019)
_SIEMENS_FRAME = ("SIEMENS MR SDI 02", 0x0021)
_SIEMENS_CSA = ("SIEMENS CSA HEADER", 0x0029)
_OWN_FACTS = ("LARMOR FACTS", 0x0029)
"""What de-identification puts in the place of a CSA header (`deid.headers.vendor`)."""

_UIH = ("IMAGE PRIVATE HEADER", 0x0065)

_CSA_FIELDS = frozenset({"NumberOfImagesInMosaic", "SliceNormalVector"})

MOST_TILES = 4096
"""More tiles than this no mosaic has, whatever its header claims: each becomes a slice before a pixel is read."""

_POSITION, _TIME = 0x00200032, 0x00080032
_MATRIX, _ROWS, _COLUMNS = 0x00181310, 0x00280010, 0x00280011
_SLICE_TIMES = 0x29
"""Low byte of the acquisition times of a Siemens mosaic's slices, of which each has one."""

MOSAIC_PRIVATE: Mapping[int, frozenset[int]] = {
    0x0019: frozenset({0x0A, _SLICE_TIMES}),
    0x0021: frozenset({0x01}),
    0x0029: frozenset({0x01, 0x10}),
    0x0065: frozenset({0x50, 0x51}),
}
"""Low bytes of the private elements that are read, by group."""


def tiling(count: int, vendor: str) -> tuple[int, int]:
    """Tiles from top to bottom, and from left to right, of a mosaic.

    Siemens takes the smallest square that holds them; United Imaging leaves out rows that would be empty.

    Source: dcm2niix, notes on UIH.
    """
    across = math.isqrt(count - 1) + 1
    return -(-count // across) if vendor == "uih" else across, across


def mosaic_layout(
    values: Values, private: PrivateElements, image_type: tuple[str, ...]
) -> tuple[int, tuple[float, ...]]:
    """Number of tiles and slice normal; (0, ()) where the instance is no mosaic, (-1, ()) where tiles are unknown.

    Raises:
        ImagingError: HEADER_INVALID where a number cannot be decoded.
    """
    grid = values.number(private.tag(_UIH, 0x50)) or (-1 if "VFRAME" in image_type else 0)
    if grid:
        return int(grid) if 1 < grid <= MOST_TILES else -1, ()
    stated = values.short(private.tag(_SIEMENS, 0x0A)) or 0
    if "MOSAIC" not in image_type and stated < 2:
        return 0, ()
    csa = read_csa(values.raw_bytes(private.tag(_SIEMENS_CSA, 0x10)), _CSA_FIELDS)
    count = stated or values.short(private.tag(_SIEMENS_FRAME, 0x01))
    count = count or len(values.doubles(private.tag(_SIEMENS, _SLICE_TIMES))) or None
    try:
        if count is None and "NumberOfImagesInMosaic" in csa:
            count = int(csa["NumberOfImagesInMosaic"][0])
        normal = tuple(float(item) for item in csa.get("SliceNormalVector", ())[:3])
    except ValueError:
        raise invalid(private.tag(_SIEMENS_CSA, 0x10), "no number") from None
    if count is None and _is_one_slice(values):
        return 0, ()
    normal = normal or values.doubles(private.tag(_OWN_FACTS, 0x01), 3)
    normal = normal if len(normal) == 3 and all(map(math.isfinite, normal)) else ()
    return count if count and 0 < count <= MOST_TILES else -1, normal


def _is_one_slice(values: Values) -> bool:
    """Whether an image is too small to hold tiles: Siemens XA leaves the word on slices that it took out of mosaics.

    Tiles of a square mosaic are twice as many rows and columns as were acquired; along phase encoding, oversampling
    may hide it.
    """
    matrix, rows, columns = values.shorts(_MATRIX), values.short(_ROWS) or 0, values.short(_COLUMNS) or 0
    if len(matrix) != 4:
        return False
    acquired = max(matrix[0], matrix[2]), max(matrix[1], matrix[3])
    return min(acquired) > 0 and rows < 2 * acquired[0] and columns < 2 * acquired[1]


def stated_tiles(elements: Elements) -> list[tuple[tuple[float, ...], float | None]]:
    """Position, LPS mm, and acquisition time, s, of each tile of United Imaging's mosaics, which state them.

    Raises:
        ImagingError: HEADER_INVALID where a number cannot be decoded.
    """
    values = Values(elements.values, elements.layout.little)
    tag = PrivateElements(values, elements.values).tag(_UIH, 0x51)
    items = read_items(elements.values.get(tag, b""), elements.layout, (_POSITION, _TIME).__contains__)
    tiles = [Values(item.values, item.layout.little) for item in items]
    return [(tile.numbers(_POSITION, 3), tile.seconds(_TIME)) for tile in tiles]
