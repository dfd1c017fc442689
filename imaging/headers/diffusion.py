"""Diffusion weighting of an instance, in the standard's words and in the vendors' dialects.

Belongs here: where b-value and gradient direction are written, in which units and which frame. Directions leave in
patient coordinates (LPS); turning them into voxel axes is `imaging.volumes.normalize`.
"""

import math
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from imaging.headers.csa import look_up_csa
from imaging.headers.values import Values, invalid

Floats = NDArray[np.float64]
PrivateBlock = tuple[str, int]
"""Private creator in upper case, and group."""

SIEMENS_MR: PrivateBlock = ("SIEMENS MR HEADER", 0x0019)
GE_PARAMETERS: PrivateBlock = ("GEMS_PARM_01", 0x0043)
GE_ACQUISITION: PrivateBlock = ("GEMS_ACQU_01", 0x0019)
GE_RELATIONSHIP: PrivateBlock = ("GEMS_RELA_01", 0x0021)
SIEMENS_CSA: PrivateBlock = ("SIEMENS CSA HEADER", 0x0029)
OWN_FACTS: PrivateBlock = ("LARMOR FACTS", 0x0029)
"""What de-identification puts in the place of a blob or a comment (`deid.headers.vendor`)."""
PHILIPS_IMAGING: PrivateBlock = ("PHILIPS IMAGING DD 001", 0x2001)
PHILIPS_MR: PrivateBlock = ("PHILIPS MR IMAGING DD 001", 0x2005)
UIH_IMAGE: PrivateBlock = ("IMAGE PRIVATE HEADER", 0x0065)

B_VALUE, ORIENTATION, PHASE_DIRECTION, IMAGE_ORIENTATION = 0x00189087, 0x00189089, 0x00181312, 0x00200037
IMAGE_TYPE = 0x00080008
_CSA_FIELDS = frozenset({"B_value", "DiffusionGradientDirection"})
DIRECTIONALITY, IMAGE_COMMENTS = 0x00189075, 0x00204000
DIFFUSION_TAGS = frozenset({B_VALUE, ORIENTATION, PHASE_DIRECTION, DIRECTIONALITY, IMAGE_COMMENTS})
DIFFUSION_PRIVATE: Mapping[int, frozenset[int]] = {
    0x0019: frozenset({0x0C, 0x0E, 0xBB, 0xBC, 0xBD, 0xE0}),
    0x0021: frozenset({0x5A}),
    0x0043: frozenset({0x30, 0x39}),
    0x0029: frozenset({0x0C, 0x10}),
    0x2001: frozenset({0x03, 0x04}),
    0x2005: frozenset({0xB0, 0xB1, 0xB2}),
    0x0065: frozenset({0x09, 0x37}),
}

GE_B_STEP = 5.0
"""b-values of weaker shells are rounded to this, since length^2 brings back digits that were never set (dcm2niix)."""
GE_TENSOR, GE_UNWEIGHTED = 16, 14
"""Diffusion kinds of a GE image (0043,xx30) and series (0021,xx5A): of a tensor scan, and its unweighted images."""
GE_B_OFFSET = 1_000_000_000
"""GE adds this to the b-value as a flag (GE conformance statements, (0043,xx39))."""
CANON_START = b"b="
CANON = re.compile(rb"b=\s*([\d.]+)\s*\(\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*\)")
"""What Canon writes into Image Comments of weighted images: b-value, and direction along phase, frequency and slice."""
UNIT_TOLERANCE = 0.03
"""A gradient this close to length 0 or 1 is none, or is of the nominal b-value; scanners round to 1e-2 to 1e-6."""


class PrivateElements:
    """Finds private elements by their creator, whatever block they were put into (PS3.5 section 7.8.1)."""

    __slots__ = ("_blocks", "_values")

    def __init__(self, values: Values, raw: Mapping[int, bytes]) -> None:
        """Note which creator reserves which block.

        Args:
            values: typed access to the same elements.
            raw: tag to raw bytes.
        """
        self._values = values
        self._blocks: dict[PrivateBlock, int] = {}
        for tag, value in raw.items():
            if tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF:
                creator = value.strip(b"\0 ").decode("latin-1").upper()
                self._blocks.setdefault((creator, tag >> 16), tag & 0xFF)

    def tag(self, block: PrivateBlock, low: int) -> int:
        """The tag of element `low` in the creator's block; 0, which no element has here, where there is no block."""
        reserved = self._blocks.get(block)
        return 0 if reserved is None else block[1] << 16 | reserved << 8 | low

    def small_float(self, block: PrivateBlock, low: int) -> float | None:
        """A single number that dialects write as FL, FD or DS; told apart by its length."""
        tag = self.tag(block, low)
        size = len(self._values.raw_bytes(tag))
        if size == 4:
            return self._values.floats(tag)[0]
        return self._values.number(tag)

    def integer(self, block: PrivateBlock, low: int) -> int | None:
        """A whole number that dialects write as IS or SL; text of four bytes holds no two zeros."""
        tag = self.tag(block, low)
        raw = self._values.raw_bytes(tag)
        binary = len(raw) == 4 and b"\0\0" in (raw[:2], raw[2:])
        return self._values.long(tag) if binary else self._values.integer(tag)


def weighting(values: Values, private: PrivateElements) -> tuple[float | None, tuple[float, ...]]:
    """b-value in s/mm2 and unit gradient direction in LPS.

    The standard's elements are asked first, then each vendor's. GE's and United Imaging's own come before the
    standard's direction, because both report directions in the frame of the scan.

    Returns:
        (None, ()) where the instance states no weighting; (b, ()) where it has no single direction.

    Raises:
        ImagingError: HEADER_INVALID where a value cannot be decoded, or a b-value is negative.

    Source: DICOM PS3.3 C.8.13.5.9; Siemens, GE, Philips and UIH conformance statements.
    """
    b_value, direction = _stated(values, private)
    if b_value is None:
        return None, ()
    if b_value < 0:
        raise invalid(B_VALUE, "a negative b-value")
    if direction and max(direction) < -1:  # what old Siemens scanners write into unweighted images
        return 0.0, ()
    length = math.sqrt(sum(component * component for component in direction))
    if not b_value or length < UNIT_TOLERANCE:
        return b_value, ()
    return b_value, tuple(component / length for component in direction)


def _stated(values: Values, private: PrivateElements) -> tuple[float | None, tuple[float, ...]]:
    ge = values.numbers(private.tag(GE_PARAMETERS, 0x39))
    if ge:
        return _ge(ge[0], values, private)
    uih, standard = values.doubles(private.tag(UIH_IMAGE, 0x09)), values.doubles(B_VALUE)
    if uih or standard:
        direction = _uih_direction(values, private) or values.doubles(ORIENTATION, 3)
        return (uih or standard)[0], direction or _vendor_direction(values, private)
    return _of_vendor(values, private)


def _of_vendor(values: Values, private: PrivateElements) -> tuple[float | None, tuple[float, ...]]:
    siemens = values.integer(private.tag(SIEMENS_MR, 0x0C))
    if siemens is not None:
        return float(siemens), values.doubles(private.tag(SIEMENS_MR, 0x0E), 3)
    philips = private.small_float(PHILIPS_IMAGING, 0x03)
    if philips is not None:
        return philips, _vendor_direction(values, private)
    return _of_blob(values, private)


def _of_blob(values: Values, private: PrivateElements) -> tuple[float | None, tuple[float, ...]]:
    """Older Siemens scanners, which have no elements for the weighting: their CSA header."""
    blob = values.raw_bytes(private.tag(SIEMENS_CSA, 0x10))
    csa = look_up_csa(blob, _CSA_FIELDS) if blob and "DIFFUSION" in values.words(IMAGE_TYPE) else {}
    try:
        b_value = [float(item) for item in csa.get("B_value", ())]
        direction = tuple(float(item) for item in csa.get("DiffusionGradientDirection", ()))
    except ValueError:
        raise invalid(private.tag(SIEMENS_CSA, 0x10), "no number") from None
    if not all(map(math.isfinite, (*b_value, *direction))):
        raise invalid(private.tag(SIEMENS_CSA, 0x10), "a number that is not finite")
    return (b_value[0], direction if len(direction) == 3 else ()) if b_value else (None, ())


def weighted_by_blob(raw: Mapping[int, bytes], image_type: bytes) -> bool:
    """Whether `weighting` may look into a CSA header, which differs from image to image."""
    return b"DIFFUSION" in image_type and 0x0019100C not in raw and B_VALUE not in raw


def _vendor_direction(values: Values, private: PrivateElements) -> tuple[float, ...]:
    siemens = values.doubles(private.tag(SIEMENS_MR, 0x0E), 3)
    if siemens:
        return siemens
    parts = [private.small_float(PHILIPS_MR, low) for low in (0xB0, 0xB1, 0xB2)]
    if None not in parts:
        return tuple(part for part in parts if part is not None)
    return _canon(values, private)


def _uih_direction(values: Values, private: PrivateElements) -> tuple[float, ...]:
    """LPS direction of components along rows, columns and slice normal, which is how United Imaging writes them."""
    vector = values.doubles(private.tag(UIH_IMAGE, 0x37), 3)
    orientation = values.numbers(IMAGE_ORIENTATION, 6)
    if not vector or not orientation:
        return ()
    row, column = np.array(orientation).reshape(2, 3)
    return tuple(float(x) for x in np.array(vector) @ np.stack([row, column, np.cross(row, column)]))


def _canon(values: Values, private: PrivateElements) -> tuple[float, ...]:
    """Canon, since it is no longer Toshiba: a direction in a comment, along GE's phase, frequency and slice."""
    try:
        vector = canon_vector(values.raw(IMAGE_COMMENTS)) or values.doubles(private.tag(OWN_FACTS, 0x0C), 3)
    except ValueError:
        raise invalid(IMAGE_COMMENTS, "no number") from None
    orientation = values.numbers(IMAGE_ORIENTATION, 6)
    phase = values.text(PHASE_DIRECTION).upper()[:1]
    if not vector or not orientation or phase not in ("C", "R"):
        return ()
    along_phase, along_frequency, along_slice = vector
    logical = np.array([along_frequency, along_phase, along_slice])
    return tuple(float(x) for x in ge_to_patient(logical, orientation, phase == "C"))


def canon_vector(comment: bytes) -> tuple[float, ...]:
    """Components along phase, frequency and slice in a comment of Canon's; none in any other comment.

    Raises:
        ValueError: if one of them is no number.
    """
    found = CANON.match(comment)
    return tuple(map(float, found.groups()[1:])) if found else ()


def is_trace(values: Values, private: PrivateElements) -> bool:
    """Whether the image is a mean over gradient directions."""
    return "ISOTROPIC" in values.words(DIRECTIONALITY) or values.text(private.tag(PHILIPS_IMAGING, 0x04)) == "I"


def _ge(coded: float, values: Values, private: PrivateElements) -> tuple[float | None, tuple[float, ...]]:
    """GE: b-value with a flag, direction in (frequency, phase, slice) of the scan.

    A direction shorter than 1 scales the weighting: b = nominal * length^2, which is how GE plays several shells.
    """
    b_value = coded % GE_B_OFFSET
    logical = [values.number(private.tag(GE_ACQUISITION, low)) for low in (0xBB, 0xBC, 0xBD)]
    orientation = values.numbers(IMAGE_ORIENTATION, 6)
    phase = values.text(PHASE_DIRECTION).upper()[:1]
    if None in logical or not orientation or phase not in ("C", "R"):
        return b_value, ()
    vector = np.array(logical, dtype=np.float64)
    length = float(np.linalg.norm(vector))
    if not length and _of_tensor(values, private):
        return 0.0, ()
    if UNIT_TOLERANCE < length < 1 - UNIT_TOLERANCE and b_value:
        b_value = max(GE_B_STEP, GE_B_STEP * np.floor(b_value * length * length / GE_B_STEP + 0.5))
    return float(b_value), tuple(float(x) for x in ge_to_patient(vector, orientation, phase == "C"))


def _of_tensor(values: Values, private: PrivateElements) -> bool:
    """Whether a GE image without a direction is one of a tensor scan, which gives its nominal b-value to all images.

    An image of any other scan is a mean over directions, and weighted. Number of directions: (0019,xxE0).
    """
    image, series = values.short(private.tag(GE_PARAMETERS, 0x30)), values.short(private.tag(GE_RELATIONSHIP, 0x5A))
    other = image not in (None, 0, GE_TENSOR, GE_UNWEIGHTED) or series not in (None, 0, GE_TENSOR)
    return not other and values.number(private.tag(GE_ACQUISITION, 0xE0)) != 0


def ge_to_patient(logical: Floats, orientation: tuple[float, ...], phase_along_columns: bool) -> Floats:
    """Turn a GE gradient from the scan's logical axes into the patient's.

    The signs by plane are those of dcm2niix 1.0.20260724, measured on made-up series of all planes and both phase
    directions; a direction and its opposite weight an image alike. GE publishes none, and dcm2niix itself calls only
    axial series well validated.

    Args:
        logical: (3,) components along frequency, phase and slice.
        orientation: (6,) Image Orientation (Patient).
        phase_along_columns: In-plane Phase Encoding Direction (0018,1312) is COL.

    Returns:
        (3,) LPS.
    """
    row, column = np.array(orientation).reshape(2, 3)
    normal = np.cross(row, column)
    frequency_sign, phase_sign, slice_sign = _GE_SIGNS[int(np.abs(normal).argmax()), phase_along_columns]
    along_frequency, along_phase = (row, column) if phase_along_columns else (column, row)
    frame = np.stack([frequency_sign * along_frequency, phase_sign * along_phase, slice_sign * normal])
    return np.asarray(logical @ frame)


_GE_SIGNS = {
    (0, True): (1, 1, -1),
    (0, False): (-1, 1, -1),
    (1, True): (-1, 1, 1),
    (1, False): (1, 1, 1),
    (2, True): (-1, -1, 1),
    (2, False): (1, -1, 1),
}
"""(axis of the slice normal: x sagittal, y coronal, z axial; phase along columns) to the signs of the logical axes."""
