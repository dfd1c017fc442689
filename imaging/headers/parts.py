"""Which part of the complex image an instance shows: magnitude, phase, real or imaginary.

Belongs here: the words scanners use for it. Everything else a series may be is `imaging.kinds.classify`.
"""

from collections.abc import Iterable

from imaging.headers.header import Header

UNKNOWN = "unknown"

_WORDS = {
    "magnitude": frozenset({"M", "MAG", "MAGNITUDE", "M_SE", "M_FFE", "M_IR", "M_PCA", "M_MAGNITUDE"}),
    "phase": frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP", "P_SE", "P_FFE", "P_IR", "P_PCA", "PHASE_M"}),
    "real": frozenset({"R", "REAL", "R_SE", "R_FFE", "R_IR", "REAL_M"}),
    "imaginary": frozenset({"I", "IMAGINARY", "I_SE", "I_FFE", "I_IR", "IMAG"}),
}
"""Values of Image Type (0008,0008) from the third on, and of Complex Image Component (0008,9208)."""


def part_of(header: Header) -> str:
    """magnitude, phase, real, imaginary, or unknown where the instance does not say."""
    words = {header.component, *header.image_type[2:]}
    stated = [part for part, known in _WORDS.items() if words & known]
    return stated[0] if len(stated) == 1 else UNKNOWN


def common_part(headers: Iterable[Header]) -> str:
    """The part that all of them show, or unknown."""
    parts = {part_of(header) for header in headers}
    return parts.pop() if len(parts) == 1 else UNKNOWN
