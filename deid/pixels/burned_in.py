"""Text that is burned into pixels: found in a series of frames, and blanked.

Belongs here: what counts as text, and boxes over it. Frames in, boxes out; of headers, a suspicion. Where lettering
stands is seen by `deid.pixels.lettering`, in every frame and in the median that `deid.pixels.pictures` makes;
`deid.pixels.ocr` reads it.

Text in the pixels of an MR image has no research value, so all of it goes, whether it names somebody or not. A letter
or two stay: they are orientation marks (L, R, AS, PI) or a trick of the tissue, and name nobody.
What was read goes to the subject's identifiers and to the recognizers, and only the kinds of what they find come back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.pixels import gate, lettering, ocr, pictures
from deid.pixels.gate import Stack
from deid.pixels.lettering import Likely, Place
from deid.pixels.poses import POSES
from deid.text.identifiers import Identifiers
from deid.text.text import OWN

Frames = NDArray[Any]
"""(n, rows, columns) or (n, rows, columns, samples)."""
_Found = tuple["Box", ocr.Read]
"""Text: where, and what was read."""
Verdict = Literal["clean", "text", "unsure"]

SMALLEST = (10, 16)
"""Rows and columns of a frame that has room for a word."""

_ROUNDS = 4
"""Looks at a series at most; each is at what the one before left over."""
_MOST_READ = 12
"""Places of one kind that are read in a look."""
_ABOVE, _BESIDE = 3, 6
"""Pixels of margin above and below a place, and at its ends."""
_MANY = 20.0
"""Mass from which a place may hold more lines than one."""
_LINE, _MOST_LINES = 14, 3
"""Pixels that a line of small letters takes with its margins, and lines of a box that are read one by one."""


class Box(NamedTuple):
    """A rectangle of pixels, bottom and right outside, in some frames of the stack or, with None, in all."""

    top: int
    left: int
    bottom: int
    right: int
    frames: tuple[int, ...] | None = None


class Seen(NamedTuple):
    """What kind of thing stood in the pixels, what recognized it and how sure it is, 0 to 1; never the text."""

    kind: str
    detector: str
    score: float


@dataclass(frozen=True)
class Inspection:
    """What was found in the frames of a series.

    Attributes:
        verdict: `clean`; `text` if the boxes hold all of it; `unsure` if text is still left after some rounds, so the
            series must be held.
        boxes: where text stands.
        seen: what it is.
    """

    verdict: Verdict
    boxes: tuple[Box, ...] = ()
    seen: tuple[Seen, ...] = ()

    @property
    def single(self) -> frozenset[int]:
        """Frames of a series that show text which the others do not.

        Where a word stands in every frame, all of it is seen. In a single frame, over tissue, a part of a word may not
        be, so blanking what was seen would leave the rest.
        """
        return frozenset(frame for box in self.boxes for frame in box.frames or ())

    @property
    def score(self) -> float | None:
        """How sure the surest detector is; None where nothing was found."""
        return max((s.score for s in self.seen), default=None)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What counts as text.

    Attributes:
        likely: least probability of each square of a place.
        marked: least mass of a place that is read.
        score: least score of the reader.
        length: least number of letters and digits.
    """

    likely: float
    marked: float
    score: float
    length: int

    def holds(self, read: ocr.Read) -> bool:
        return read.score >= self.score and sum(c.isalnum() for c in read.text) >= self.length


_PLAIN, _THOROUGH = _Rule(0.3, 3, 0.7, 3), _Rule(0.25, 2, 0.5, 2)
"""For a series without suspicion, and for one with or in which text was found."""
_POSED = _Rule(0.3, 3, 0.8, 4)
"""For other poses: tissue has nine chances there to look like letters."""


def inspect(frames: Frames, suspicion: frozenset[str], identifiers: Identifiers) -> Inspection:
    """Look for text in the frames of a series.

    Args:
        frames: of one series, alike in size and type, in any order; stored integers, grey or colour, dark or bright
            background.
        suspicion: evidence of the headers, see `deid.pixels.suspicion`; with it less is enough.
        identifiers: the subject's, to tell whether the text names them.

    Returns:
        Boxes that cover all text, or an unsure verdict.
    """
    if not frames.size or any(side < least for side, least in zip(frames.shape[1:3], SMALLEST, strict=True)):
        return Inspection("clean")
    stack = gate.grey(frames)
    boxes: list[Box] = []
    reads: list[ocr.Read] = []
    for _ in range(_ROUNDS):
        new = list(_look(stack, _THOROUGH if suspicion or boxes else _PLAIN)) or list(_look_again(stack))
        if not new:
            return Inspection("text" if boxes else "clean", tuple(boxes), _kinds(reads, identifiers))
        reads.extend(read for _, read in new)
        joined = _joined(box for box, _ in new)
        boxes.extend(joined)
        stack = _blanked(stack, joined, int(gate.limits(stack[:1])[0, 0]))
    return Inspection("unsure", tuple(boxes), _kinds(reads, identifiers))


def blank(frames: Frames, inspection: Inspection, fill: int) -> Frames:
    """The frames with every box filled; other pixels are untouched.

    Args:
        frames: as they were inspected.
        inspection: of these frames.
        fill: stored value of the background.
    """
    return _blanked(frames, inspection.boxes, fill) if inspection.boxes else frames


def _blanked(frames: Frames, boxes: Iterable[Box], fill: int) -> Frames:
    changed = np.array(frames)
    for box in boxes:
        which = slice(None) if box.frames is None else list(box.frames)
        changed[which, box.top : box.bottom, box.left : box.right] = fill
    return changed


def _kinds(reads: Iterable[ocr.Read], identifiers: Identifiers) -> tuple[Seen, ...]:
    return tuple(sorted({seen for read in reads for seen in _kinds_of(read, identifiers)}))


def _kinds_of(read: ocr.Read, identifiers: Identifiers) -> Iterator[Seen]:
    """What a text is, by the subject's identifiers and the recognizers."""
    from deid.text.engine import analyzer  # Presidio takes seconds to import, and most series hold no text

    yield Seen("text", "ocr", round(read.score, 2))
    yield from (Seen(found.kind, OWN, 1.0) for found in identifiers.find(read.text))
    for result in analyzer().analyze(read.text, language="en"):
        yield Seen(result.entity_type, result.recognition_metadata["recognizer_name"], result.score)


def _look(stack: Stack, rule: _Rule) -> Iterator[_Found]:
    """Text of single frames, and text that stands in all of them."""
    likely = lettering.seen(stack)
    if len(stack) == 1:
        yield from _texts(stack, likely, rule, alone=False)
        return
    standing = np.sort(likely, axis=0)[[(len(stack) - 1) // 2]]
    yield from _texts(stack, likely - standing, rule, alone=True)
    projection = pictures.projection(stack)
    yield from _texts(projection, np.maximum(standing, lettering.seen(projection)), rule, alone=False)


def _look_again(stack: Stack) -> Iterator[_Found]:
    """Text that stands in all frames and is turned, mirrored or large."""
    projection = pictures.projection(stack)
    shape = (stack.shape[1], stack.shape[2])
    for pose in POSES:
        shown = pose.shown(projection)
        if all(side >= least for side, least in zip(shown.shape[1:], SMALLEST, strict=True)):
            for box, read in _texts(shown, lettering.seen(shown), _POSED, alone=False):
                yield Box(*pose.back(box[:4], shape)), read


def _texts(stack: Stack, likely: Likely, rule: _Rule, alone: bool) -> Iterator[_Found]:
    """What can be read among the likely places of some frames; a place is its frame's alone or stands for all."""
    marked = [place for place in lettering.places(likely, rule.likely) if place.mass >= rule.marked][:_MOST_READ]
    boxes = [_box(place, stack.shape, alone) for place in marked]
    strips = [(n, strip) for n, box in enumerate(boxes) for strip in _strips(box, marked[n].mass)]
    crops = [pictures.stretched(stack[marked[n].frame, b.top : b.bottom, b.left : b.right]) for n, b in strips]
    for (n, _), read in zip(strips, ocr.read(crops), strict=True):
        if rule.holds(read):
            yield _widened(boxes[n], stack.shape[2]), read


def _box(place: Place, shape: tuple[int, ...], alone: bool) -> Box:
    """A box with margins: the ends of letters are in it."""
    bottom, right = min(place.bottom + _ABOVE, shape[1]), min(place.right + _BESIDE, shape[2])
    frames = (place.frame,) if alone else None
    return Box(max(place.top - _ABOVE, 0), max(place.left - _BESIDE, 0), bottom, right, frames)


def _widened(box: Box, columns: int) -> Box:
    """A line that was read may go on: as much at each end as it is high."""
    across = box.bottom - box.top
    return box._replace(left=max(box.left - across, 0), right=min(box.right + across, columns))


def _strips(box: Box, mass: float) -> Iterator[Box]:
    """A box, and its equal parts if it may hold two lines or three: the reader reads one at a time."""
    yield box
    high = box.bottom - box.top
    most = min(high // _LINE, _MOST_LINES) if mass >= _MANY else 1
    for lines in range(2, most + 1):
        for line in range(lines):
            top, bottom = (box.top + high * n // lines for n in (line, line + 1))
            yield box._replace(top=max(top - 1, 0), bottom=bottom + 1)


def _joined(boxes: Iterable[Box]) -> list[Box]:
    """Boxes of a look, those of all frames without repetition; what two frames show at one place, all may show."""
    every = list(dict.fromkeys(boxes))
    return list(dict.fromkeys(box._replace(frames=None) if _recurs(box, every) else box for box in every))


def _recurs(box: Box, others: Sequence[Box]) -> bool:
    """Whether another single frame was read to have text there too."""
    alone = box.frames is not None and len(box.frames) == 1
    return alone and any(_overlap(box, o) and o.frames != box.frames and len(o.frames or ()) == 1 for o in others)


def _overlap(one: Box, other: Box) -> bool:
    return one.top < other.bottom and other.top < one.bottom and one.left < other.right and other.left < one.right
