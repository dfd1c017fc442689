"""What an instance states of how it was acquired: phase encoding, read-out, slice order, labelling, receive coil.

Belongs here: which element says it, in the standard's words and in the vendors' dialects. What follows for a volume
is `imaging.volumes.acquired` and `imaging.volumes.slice_times`; diffusion weighting is `imaging.headers.diffusion`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imaging.errors import ImagingError
from imaging.headers import ge
from imaging.headers.coils import coil_name
from imaging.headers.csa import look_up_csa
from imaging.headers.diffusion import (
    GE_ACQUISITION,
    GE_PARAMETERS,
    OWN_FACTS,
    PHASE_DIRECTION,
    SIEMENS_CSA,
    SIEMENS_MR,
    UIH_IMAGE,
    PrivateElements,
)
from imaging.headers.philips import SOFTWARE
from imaging.headers.values import Values

SIEMENS_FRAME: Final = ("SIEMENS MR SDI 02", 0x0021)
SIEMENS_TEXT: Final = ("SIEMENS MR HEADER", 0x0051)
GE_SERIES: Final = ("GEMS_SERS_01", 0x0025)
PHILIPS_FRAME: Final = ("PHILIPS MR IMAGING DD 005", 0x2005)

REORDERING, ASL_CONTEXT, COIL, RESOLUTION = 0x00189034, 0x00189257, 0x00181250, 0x00200110
MATRIX, OPTIONS, STEP_OFFSET, MODEL = 0x00181310, 0x00180022, 0x0020930D, 0x00081090

SCANNED_TAGS = frozenset(
    {PHASE_DIRECTION, REORDERING, ASL_CONTEXT, COIL, RESOLUTION, MATRIX, OPTIONS, STEP_OFFSET, MODEL, SOFTWARE}
)
SCANNED_PRIVATE: Mapping[int, frozenset[int]] = {
    0x0019: frozenset({0x16, 0x28, 0x29, 0x9E, 0xB6}),
    0x0021: frozenset({0x04, 0x1C, 0x4F, 0x53, 0x5E, 0x62, 0x75}),
    0x0025: frozenset({0x1B}),
    0x0029: frozenset({0x03, 0x08, 0x0D, 0x10}),
    0x0043: frozenset({0x2A, 0x2C, 0x7C, 0x83, 0xB6}),
    0x0051: frozenset({0x0F}),
    0x0065: frozenset({0x58}),
    0x2005: frozenset({0x29, 0xA0}),
}
"""Low bytes of the private elements that are read, by group."""

GE_DIFFUSION: Final = "EPI2"
"""GE's name of its sequence for diffusion (0019,xx9E)."""
LABELS: Mapping[str, str] = {"LABEL": "label", "CONTROL": "control", "M_ZERO_SCAN": "m0scan"}
"""ASL Context (0018,9257) and Philips' label type to the words of BIDS' `aslcontext.tsv`."""

_CSA_FIELDS = frozenset({"PhaseEncodingDirectionPositive", "BandwidthPerPixelPhaseEncode", "MosaicRefAcqTimes"})
_BLOCKS = range(0x10, 0x14)
"""Private blocks in which a clock is looked for: it is asked of every slice, and vendors put it into the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What an instance says; text is empty and a number is None where it says nothing."""

    phase_axis: str = ""
    """In-plane Phase Encoding Direction (0018,1312): COL, along a column, or ROW."""
    phase_sign: int = 0
    """1: in the direction in which the index of that axis grows, -1: against it, 0: not stated."""
    bandwidth: float | None = None
    """Bandwidth per pixel of the reconstructed image in phase-encoding direction, Hz (Siemens)."""
    echo_spacing: float | None = None
    """Time from one line of phase encoding to the next, had all lines been read one by one in their time, s (GE)."""
    label: str = ""
    """control, label or m0scan, of a scan with arterial spin labelling."""
    coil: str = ""
    """Receive coil, or elements of one, that the image was made from."""
    slice_times: tuple[float, ...] = ()
    """Acquisition time of each slice of a mosaic, in the order of its tiles, s."""
    interleaved: bool | None = None
    """Whether slices are excited every other first (GE); None: not stated."""
    slices_at_once: int | None = None
    """Slices that are excited together; None: not stated."""
    release: tuple[int, int, int] | None = None
    """Release of GE's software."""
    delay: float | None = 0.0
    """Pause after each volume, which the repetition time leaves out, s (GE); None: it varies."""
    diffusion: bool = False
    """Whether it is a scan of GE's sequence for diffusion."""
    cycles: bool = False
    """Whether the excitations of a diffusion weighting are spread over several repetitions, or may be (GE)."""
    resolution: float | None = None
    """Temporal Resolution (0020,0110), s."""


NOTHING = Scanned()


def scanned(values: Values, private: PrivateElements) -> Scanned:
    """What the elements of an instance, or of a frame, say; nothing where one of them cannot be decoded.

    No voxel depends on it, so that an image is not refused for it.
    """
    try:
        return _scanned(values, private)
    except ImagingError:
        return NOTHING


def _scanned(values: Values, private: PrivateElements) -> Scanned:
    csa = _csa(values.raw_bytes(private.tag(SIEMENS_CSA, 0x10)))
    resolution = values.number(RESOLUTION)
    return Scanned(
        phase_axis=_phase_axis(values),
        phase_sign=_phase_sign(values, private, csa),
        bandwidth=_bandwidth(values, private, csa),
        echo_spacing=_echo_spacing(values, private),
        label=_label(values, private),
        coil=_coil(values, private),
        slice_times=_mosaic_times(values, private, csa),
        interleaved=_interleaved(values, private),
        slices_at_once=_slices_at_once(values, private),
        release=ge.release(values.raw(SOFTWARE)),
        delay=_delay(values, private),
        diffusion=values.text(private.tag(GE_ACQUISITION, 0x9E)) == GE_DIFFUSION,
        cycles=_cycles(values, private),
        resolution=resolution / 1000 if resolution else None,
    )


def clock(raw: Mapping[int, bytes], values: Values) -> float | None:
    """The vendor's own time of a slice since its scan began, in the vendor's unit; None where there is none.

    Seconds for the standard, Siemens and Philips; GE's unit differs between releases. None also where it cannot be
    decoded, as `scanned`.
    """
    try:
        return _clock(raw, values)
    except ImagingError:
        return None


def _clock(raw: Mapping[int, bytes], values: Values) -> float | None:
    """It is read of every slice, so the blocks are looked up rather than listed."""
    if STEP_OFFSET in raw:
        offset = values.doubles(STEP_OFFSET)
        return offset[0] if offset else None
    for group, creator, low in _CLOCKS:
        for block in _BLOCKS:
            reserved = raw.get(group | block)
            if reserved is None:
                break
            if reserved.strip(b"\0 ").upper() != creator:
                continue
            tag = group | block << 8 | low
            size = len(raw.get(tag, b""))
            found = values.floats(tag) if size == 4 and group == 0x20050000 else values.numbers(tag)
            if found:
                return found[0]
    return None


_CLOCKS = (
    (0x00210000, b"SIEMENS MR SDI 02", 0x04),
    (0x00210000, b"GEMS_RELA_01", 0x5E),
    (0x00190000, b"SIEMENS MR HEADER", 0x16),
    (0x20050000, b"PHILIPS MR IMAGING DD 001", 0xA0),
)
"""Time After Start (Siemens), RTIA timer (GE), Dynamic Scan Begin Time (Philips): group, creator, low byte."""

OWN_PRIVATE = frozenset(group | block << 8 | low for group, _, low in _CLOCKS for block in _BLOCKS)
"""Elements that differ from slice to slice."""
BLOBS = frozenset(place | block << 8 for place in (0x0025001B, 0x00290010, 0x0043002A) for block in _BLOCKS)
"""Large elements: what is read of them says the same in each file of a series, but for mosaics."""


def _csa(blob: bytes) -> dict[str, tuple[str, ...]]:
    try:
        return look_up_csa(blob, _CSA_FIELDS)
    except ImagingError:
        return {}  # what a mosaic cannot do without is asked, and refused, in `imaging.headers.mosaic`


def _numbers(texts: tuple[str, ...]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(text) for text in texts)
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def _phase_axis(values: Values) -> str:
    axis = values.text(PHASE_DIRECTION).upper()
    return {"COL": "COL", "COLUMN": "COL", "ROW": "ROW"}.get(axis, "")


def _phase_sign(values: Values, private: PrivateElements, csa: Mapping[str, tuple[str, ...]]) -> int:
    """Polarity along the pixels' own axes.

    Siemens: Phase Encoding Direction Positive, 1 or 0. GE: Rectilinear Phase Encode Reordering, REVERSE_LINEAR or
    LINEAR. UIH: (0065,xx58), 0 or 1. Philips and Canon have none.

    Source: dcm2niix 1.0.20260724, on made-up series of all planes, phase axes and values.
    """
    siemens = values.integer(private.tag(SIEMENS_FRAME, 0x1C))
    if siemens is None:
        positive = _numbers(csa.get("PhaseEncodingDirectionPositive", ()))
        siemens = int(positive[0]) if positive else None
    if siemens is not None:
        return {1: 1, 0: -1}.get(siemens, 0)
    uih = values.integer(private.tag(UIH_IMAGE, 0x58))
    if uih is not None:
        return {0: 1, 1: -1}.get(uih, 0)
    if not private.tag(GE_PARAMETERS, 0):
        return 0
    order = values.text(REORDERING).upper() or ge.reordering(values.raw_bytes(private.tag(GE_PARAMETERS, 0x2A)))
    return {"REVERSE_LINEAR": 1, "LINEAR": -1}.get(order, 0)


def _bandwidth(values: Values, private: PrivateElements, csa: Mapping[str, tuple[str, ...]]) -> float | None:
    found = (
        values.doubles(private.tag(SIEMENS_MR, 0x28))
        or values.doubles(private.tag(SIEMENS_FRAME, 0x53))
        or _numbers(csa.get("BandwidthPerPixelPhaseEncode", ()))
    )
    return found[0] if found and found[0] > 0 else None


def _mosaic_times(values: Values, private: PrivateElements, csa: Mapping[str, tuple[str, ...]]) -> tuple[float, ...]:
    """Siemens: `MosaicRefAcqTimes`, in ms."""
    times = (
        values.doubles(private.tag(SIEMENS_MR, 0x29))
        or values.doubles(private.tag(SIEMENS_FRAME, 0x62))
        or _numbers(csa.get("MosaicRefAcqTimes", ()))
    )
    return tuple(time / 1000 for time in times)


def _echo_spacing(values: Values, private: PrivateElements) -> float | None:
    """GE: the acquired lines, less one, times the effective echo spacing (0043,xx2C), spread over all lines, less one.

    All lines are those of Acquisition Matrix (0018,1310), the acquired ones that number divided by the ASSET factor
    (0043,xx83), rounded up to whole pairs, or fours with partial Fourier. Without the factor nothing is said, since it
    may have been any. Its digits end: 24 times 0.666667 are 16 lines, not 18.

    Source: dcm2niix, notes on GE, "Total Readout Time", as given by GE.
    """
    spacing = values.short(private.tag(GE_PARAMETERS, 0x2C))
    matrix = values.raw_bytes(MATRIX)
    factors = values.numbers(private.tag(GE_PARAMETERS, 0x83))
    if not spacing or len(matrix) != 8 or not factors or not 0 < factors[0] <= 1:
        return None
    lines = max(values.shorts(MATRIX)[2:])
    step = 4 if "PFF" in values.words(OPTIONS) else 2
    acquired = math.ceil(round(lines * factors[0] / step, 3)) * step
    return (acquired - 1) * spacing * 1e-6 / (lines - 1) if acquired > 1 and lines > 1 else None


def _label(values: Values, private: PrivateElements) -> str:
    return LABELS.get((values.text(ASL_CONTEXT) or values.text(private.tag(PHILIPS_FRAME, 0x29))).upper(), "")


def _coil(values: Values, private: PrivateElements) -> str:
    """Siemens' coil string, or what de-identification puts in its place; else Receive Coil Name (0018,1250)."""
    number = values.integer(private.tag(OWN_FACTS, 0x0D))
    if number is not None:
        return coil_name(number)
    text = values.text(private.tag(SIEMENS_TEXT, 0x0F)) or values.text(private.tag(SIEMENS_FRAME, 0x4F))
    return text.split(":")[-1] if text else values.text(COIL)


def _interleaved(values: Values, private: PrivateElements) -> bool | None:
    """GE: slice order of the protocol, 0 or 1, or what de-identification puts in its place."""
    order = values.integer(private.tag(OWN_FACTS, 0x03))
    if order is None:
        blob = values.raw_bytes(private.tag(GE_SERIES, 0x1B))
        text = ge.protocol_entries(blob).get("SLICEORDER") if blob else None
        order = None if text is None else int(text)
    return None if order is None else {0: False, 1: True}.get(order)


def _slices_at_once(values: Values, private: PrivateElements) -> int | None:
    """GE: first of the multiband parameters (0043,xxB6), 0 or 1 for none, or what de-identification puts there."""
    number = values.integer(private.tag(OWN_FACTS, 0x08))
    if number is None:
        first = values.text(private.tag(GE_PARAMETERS, 0xB6)).partition("\\")[0].strip()
        number = int(first) if first.isascii() and first.isdigit() and len(first) < 3 else None
    return None if number is None else max(number, 1)


def _delay(values: Values, private: PrivateElements) -> float | None:
    """GE: group delay (0043,xx7C), s; negative where it varies from volume to volume."""
    found = values.floats(private.tag(GE_PARAMETERS, 0x7C))
    delay = found[0] if found and math.isfinite(found[0]) else 0.0
    return delay if delay >= 0 else None


def _cycles(values: Values, private: PrivateElements) -> bool:
    """GE: models that spread excitations for the gradients' sake, but where user variable 15 (0019,xxB6) says no.

    Source: dcm2niix, issues 635 and 796, pull request 804, as given by GE.
    """
    model = values.text(MODEL)
    if not any(name in model for name in ("Premier", "UHP", "7.0T")):
        return False
    variable = values.number(private.tag(GE_ACQUISITION, 0xB6)) or 0.0
    return round(variable, 3) != 0.72 if "Premier" in model else not 0.5 <= variable <= 1
