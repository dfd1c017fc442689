"""What an instance states in words and codes of what it is: body part, contrast agent, weighting, pulse sequence.

Belongs here: elements of which one of several may say the same. What follows from them is `imaging.kinds.classify`.
"""

from imaging.errors import ImagingError
from imaging.headers.elements import read_items
from imaging.headers.layout import Layout
from imaging.headers.multiframe import ANATOMIC_REGION
from imaging.headers.values import Values

TAGS = frozenset({0x00181041, 0x00181048, 0x00089209, ANATOMIC_REGION})
"""Elements read here and by nobody else."""

_CODE_MEANING = 0x00080104
_NO_AGENT = frozenset({"no", "none", "n", "false", "0", "without", "no contrast", "not given"})


def first_text(values: Values, *tags: int) -> str:
    """The first of these elements that has a value."""
    return next((text for text in map(values.text, tags) if text), "")


def spectral(values: Values) -> tuple[str, ...]:
    """Spectrally Selected Suppression (0018,9025) and Excitation (0018,9026), with SUPPRESS_ and EXCITE_ before."""
    stated = (("SUPPRESS_", values.text(0x00189025)), ("EXCITE_", values.text(0x00189026)))
    return tuple(what + word.upper() for what, word in stated if word)


def weighting(values: Values) -> tuple[str, ...]:
    """Acquisition Contrast, and what the pulse sequence module says of spin labelling, inflow and phase contrast."""
    labelled = ("ASL",) if values.text(0x00189250) not in ("", "NONE") else ()
    inflow = ("TOF",) if values.text(0x00189015) == "YES" else ()
    phase = ("PHASE_CONTRAST",) if values.text(0x00189014) == "YES" else ()
    return values.words(0x00089209) + labelled + inflow + phase


def contrast_agent(values: Values) -> bool | None:
    """Whether an agent was given; None where nothing says so.

    Administered (0018,9342) decides; else Agent (0018,0010), where sites write that there was none, too; else Volume
    (0018,1041) and Ingredient (0018,1048).
    """
    administered = values.text(0x00189342)
    if administered:
        return administered == "YES"
    agent = values.text(0x00180010).lower()
    if agent:
        return agent not in _NO_AGENT
    dosed = values.raw(0x00181041).strip(b"0.") or values.raw(0x00181048)
    return True if dosed else None


def body_part(values: Values, layout: Layout) -> str:
    """Body Part Examined (0018,0015), or the meaning of the Anatomic Region (0008,2218), in upper case."""
    stated = values.text(0x00180015).upper()
    if stated or not values.raw_bytes(ANATOMIC_REGION):
        return stated
    try:
        items = read_items(values.raw_bytes(ANATOMIC_REGION), layout, _CODE_MEANING.__eq__)
    except ImagingError:  # a region that cannot be read is one that is not stated
        return ""
    return Values(items[0].values, layout.little).text(_CODE_MEANING).upper() if items else ""


def pulse_sequence(values: Values) -> tuple[str, ...]:
    """Scanning Sequence in classic words, from the elements of an enhanced instance."""
    kind = {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}.get(values.text(0x00189008), ())
    planar = ("EP",) if values.text(0x00189018) == "YES" else ()
    inversion = ("IR",) if values.text(0x00189009) == "YES" else ()
    return kind + planar + inversion
