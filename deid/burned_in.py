"""Text that is burned into pixels: found in a series of frames, and blanked.

Belongs here: what to look at, what counts as text, and boxes over it. Frames in, boxes out; of headers, a suspicion.
The cheap look at every frame is `deid.gate`, the pictures that are read are made by `deid.pictures`, reading is
`deid.ocr`.

Text in the pixels of an MR image has no research value, so all of it goes, whether it names somebody or not. A lone
letter or digit stays: it is an orientation mark (L, R, A, P, H, F, S, I) or a trick of the tissue, and names nobody.
What was read goes to the subject's identifiers and to the recognizers, and only the kinds of what they find come back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid import gate, ocr, pictures
from deid.gate import Stack
from deid.identifiers import Identifiers
from deid.pictures import Picture
from deid.text import OWN

Frames = NDArray[Any]
"""(n, rows, columns) or (n, rows, columns, samples)."""
Verdict = Literal["clean", "text", "unsure"]

SMALLEST = (10, 16)
"""Rows and columns of a frame that has room for a word."""

_ROUNDS = 4
"""Looks at a series at most; each is at what the one before left over."""
_BATCH = 9
"""Suspects that are read in one picture."""
_SHEET_FACTOR = 2.5
_MOST_BATCHES = 6
_SUSPICIOUS, _STRONGLY = 10.0, 50.0
"""Strokes beyond the usual from which a place is read if it is among the first, and from which it must be read."""
_FEW = 3
"""Frames that are all read whole."""
_SPREAD = 8
"""Frames of a suspicious series that are read whole."""
_TALL, _TALL_SCORE, _TALL_LENGTH = 32, 0.95, 3
"""Letters taller than this are seldom text, so more is asked of them."""
_STILL_FRAMES, _STILL_PIXELS, _STILL_SCORE = 4, 12, 0.5
"""In so many frames, so many bright pixels of one box that never change are drawn there, readable or not."""
_STILL_BRIGHT = 0.2
_STILL_CHANGE, _STILL_SHARE = 0.1, 0.03
"""Text that stands still fills this part of its box with pixels that change by less than this part of the usual."""
_MANY_MORE = 1.3
"""A frame with text has so many times the strokes of one without."""


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
        verdict: `clean`; `text` if the boxes hold all of it; `unsure` if text may be left outside them, so the series
            must be held.
        boxes: where text stands.
        seen: what it is.
        why: for an unsure verdict, `residue` or `suspects`.
    """

    verdict: Verdict
    boxes: tuple[Box, ...] = ()
    seen: tuple[Seen, ...] = ()
    why: str = ""

    @property
    def single(self) -> frozenset[int]:
        """Frames of a series that show text which the others do not.

        Where a word stands in every frame, projections show all of it. In a single frame, over tissue, one word in
        seven was not read or not wholly, so blanking what was read would leave the rest.
        """
        return frozenset(frame for box in self.boxes for frame in box.frames or ())

    @property
    def score(self) -> float | None:
        """How sure the reader is of what it is surest of; None where nothing was found."""
        return max((s.score for s in self.seen), default=None)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What counts as text."""

    score: float
    length: int

    def holds(self, read: ocr.Read) -> bool:
        length = sum(c.isalnum() for c in read.text)
        if read.bottom - read.top > _TALL:
            return read.score >= _TALL_SCORE and length >= _TALL_LENGTH
        return read.score >= self.score and length >= self.length


_PLAIN, _SUSPECTED, _LEFT_OVER = _Rule(0.6, 2), _Rule(0.45, 2), _Rule(0.4, 2)
"""For a series without suspicion, for one with or a place that is unlike other frames, and for what is left of a series
in which text was found."""


@dataclass
class _Look:
    """One look at a series: what was read where, and whether every strong suspect was read."""

    found: list[tuple[ocr.Read, Box]] = field(default_factory=list)
    complete: bool = True


def inspect(frames: Frames, suspicion: frozenset[str], identifiers: Identifiers) -> Inspection:
    """Look for text in the frames of a series.

    Args:
        frames: of one series, alike in size and type, in any order; stored integers, grey or colour, dark or bright
            background.
        suspicion: evidence of the headers, see `deid.suspicion`; with it more is read and less is enough.
        identifiers: the subject's, to tell whether the text names them.

    Returns:
        Boxes that cover all text, or an unsure verdict.
    """
    if not frames.size or any(side < least for side, least in zip(frames.shape[1:3], SMALLEST, strict=True)):
        return Inspection("clean")
    stack = gate.grey(frames)
    wanted = _SUSPECTED if suspicion else _PLAIN
    boxes: list[Box] = []
    reads: list[ocr.Read] = []
    for _ in range(_ROUNDS):
        rule = _LEFT_OVER if boxes else wanted
        whole = _whole(len(stack), bool(suspicion), boxes)
        look = _look(stack, rule, whole, thorough=bool(suspicion or boxes))
        if not look.complete:
            return _inspection("unsure", boxes, reads, identifiers, "suspects")
        reads.extend(read for read, _ in look.found)
        new = _joined(box for _, box in look.found)
        boxes.extend(new)
        if not any(wanted.holds(read) for read, _ in look.found):
            return _inspection("text" if boxes else "clean", boxes, reads, identifiers)
        stack = _blanked(stack, new, int(gate.limits(stack[:1])[0, 0]))
    return _inspection("unsure", boxes, reads, identifiers, "residue")


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


def _inspection(
    verdict: Verdict, boxes: Iterable[Box], reads: Iterable[ocr.Read], identifiers: Identifiers, why: str = ""
) -> Inspection:
    seen = {s for read in reads for s in _kinds(read, identifiers)}
    return Inspection(verdict, tuple(boxes), tuple(sorted(seen)), why)


def _kinds(read: ocr.Read, identifiers: Identifiers) -> Iterator[Seen]:
    """What a text is, by the subject's identifiers and the recognizers."""
    from deid.recognizers import analyzer  # Presidio takes seconds to import, and most series hold no text

    yield Seen("text", "ocr", round(read.score, 2))
    yield from (Seen(found.kind, OWN, 1.0) for found in identifiers.find(read.text))
    for result in analyzer().analyze(read.text, language="en"):
        yield Seen(result.entity_type, result.recognition_metadata["recognizer_name"], result.score)


def _look(stack: Stack, rule: _Rule, whole: Sequence[int], thorough: bool) -> _Look:
    look = _Look()
    bounds = gate.limits(stack)
    low, high = float(np.median(bounds[:, 0])), float(np.quantile(bounds[:, 1], 0.9))
    counted = gate.strokes(stack)
    if len(stack) > 1:
        look.found.extend(_in_all(stack, counted, low, high, rule))
        look.found.extend(_in_some(stack, counted, low, high, rule))
    look.complete = _read_suspects(stack, counted, rule, look.found)
    for frame in whole:
        picture = pictures.shown(stack[frame], *(float(bound) for bound in bounds[frame]))
        factor = _factor(stack, small=2.0, middle=1.5 if len(stack) == 1 or thorough else 1.0)
        look.found.extend(_found(picture, factor, rule, (frame,)))
    return look


def _whole(frames: int, suspicious: bool, boxes: Sequence[Box]) -> list[int]:
    """Frames that are read whole: the middle one, some that are spread over a suspicious series, those with text."""
    if frames <= _FEW:
        spread = list(range(frames))
    else:
        spread = np.linspace(0, frames - 1, _SPREAD).round().astype(int).tolist() if suspicious else [frames // 2]
    with_text = sorted({frame for box in boxes for frame in box.frames or ()})[:_SPREAD]
    return sorted({*spread, *with_text})


def _factor(stack: Stack, small: float, middle: float) -> float:
    """How much to enlarge: letters of ten pixels are too small to be read well, large pictures cost too much."""
    side = max(stack.shape[1:])
    return small if side <= 160 else middle if side <= 400 else 1.0


def _in_all(
    stack: Stack, counted: NDArray[np.float32], low: float, high: float, rule: _Rule
) -> Iterator[tuple[ocr.Read, Box]]:
    """Text that stands in every frame."""
    factor = _factor(stack, small=2.0, middle=1.5)
    drawn = _drawn(stack, low, high)
    for read in _reads(pictures.darkest(stack, low, high), factor):
        still = int(drawn[read.top : read.bottom, read.left : read.right].sum())
        if still >= _STILL_PIXELS and read.bottom - read.top <= _TALL:
            read = read._replace(score=max(read.score, _STILL_SCORE))
            yield read, _box(read, stack, None)
        elif rule.holds(read):
            yield read, _box(read, stack, None)
    for read, box in _found(pictures.still(stack), factor, rule, None):
        yield read, box if _stands_still(stack, box) else box._replace(frames=_holders(stack, counted, box))


def _drawn(stack: Stack, low: float, high: float) -> NDArray[np.bool_]:
    """(rows, columns) bright pixels that are the same in every frame: no tissue does that."""
    darkest = stack.min(axis=0)
    if len(stack) < _STILL_FRAMES:
        return np.zeros(darkest.shape, dtype=np.bool_)
    return np.asarray((darkest == stack.max(axis=0)) & (darkest > low + _STILL_BRIGHT * (high - low)))


def _in_some(
    stack: Stack, counted: NDArray[np.float32], low: float, high: float, rule: _Rule
) -> Iterator[tuple[ocr.Read, Box]]:
    """Bright text that stands in any of the frames."""
    for read, box in _found(pictures.brightest(stack, low, high), _factor(stack, 2.0, 1.0), rule, None):
        yield read, box._replace(frames=_holders(stack, counted, box))


def _holders(stack: Stack, counted: NDArray[np.float32], box: Box) -> tuple[int, ...] | None:
    """The frames that have strokes in a box; None for all."""
    down, across = gate.CELL
    rows, columns = counted.shape[1:]
    top, left = min(box.top // down, rows - 1), min(box.left // across, columns - 1)
    strokes = counted[:, top : box.bottom // down + 1, left : box.right // across + 1].sum(axis=(1, 2))
    if strokes.max() < strokes.min() * _MANY_MORE:
        return None
    holders = tuple(np.flatnonzero(strokes >= (strokes.min() + strokes.max()) / 2).tolist())
    return None if len(holders) > len(stack) // 2 else holders


def _stands_still(stack: Stack, box: Box) -> bool:
    """Whether many pixels in a box change much less than the others there."""
    part = stack[:, box.top : box.bottom, box.left : box.right].astype(np.int32)
    changes = part.max(axis=0) - part.min(axis=0)
    return bool((changes <= np.median(changes) * _STILL_CHANGE).mean() >= _STILL_SHARE)


def _read_suspects(stack: Stack, counted: NDArray[np.float32], rule: _Rule, found: list[tuple[ocr.Read, Box]]) -> bool:
    """Read the places that look most like text, as long as text turns up; whether no strong suspect is left unread."""
    most = _BATCH * _MOST_BATCHES
    suspects = gate.suspects(counted, most + 1, _SUSPICIOUS)
    frames: set[int] = set()
    at = 0
    while at < min(len(suspects), most):
        confirmed = list(_confirmed(stack, suspects[at : min(at + _BATCH, most)], counted, rule))
        found.extend(confirmed)
        frames.update(frame for _, box in confirmed for frame in box.frames or ())
        at += _BATCH
        if not confirmed and (at >= len(suspects) or suspects[at].strokes < _STRONGLY):
            break
    for frame in sorted(frames):
        picture = pictures.shown(stack[frame], *(float(bound) for bound in gate.limits(stack[frame : frame + 1])[0]))
        found.extend(_found(picture, _factor(stack, small=2.0, middle=1.5), rule, (frame,)))
    return all(suspect.strokes < _STRONGLY for suspect in suspects[at:])


def _confirmed(
    stack: Stack, batch: Sequence[gate.Suspect], counted: NDArray[np.float32], rule: _Rule
) -> Iterator[tuple[ocr.Read, Box]]:
    """Suspects in whose crop something was read."""
    sheet, corners = pictures.mosaic(stack, batch, counted)
    for read in _reads(sheet, _SHEET_FACTOR):
        if not (rule.holds(read) or _SUSPECTED.holds(read)):
            continue
        place = pictures.place_in_mosaic(corners, (read.top, read.left, read.bottom, read.right))
        if place is not None:
            corner = corners[place]
            down, across = corner.frame_row - corner.sheet_row, corner.frame_column - corner.sheet_column
            moved = read._replace(
                top=read.top + down, bottom=read.bottom + down, left=read.left + across, right=read.right + across
            )
            yield moved, _box(moved, stack, (batch[place].frame,))


def _found(
    picture: Picture, factor: float, rule: _Rule, frames: tuple[int, ...] | None
) -> Iterator[tuple[ocr.Read, Box]]:
    """Text in a picture of the size of a frame."""
    for read in _reads(picture, factor):
        if rule.holds(read):
            yield read, _box(read, picture[None], frames)


def _reads(picture: Picture, factor: float) -> list[ocr.Read]:
    """What stands in a picture, which is enlarged for that, in its own pixels."""
    large = picture if factor == 1 else ocr.enlarged(picture, factor)
    return [read.shrunk(factor) for read in ocr.recognize(large, ocr.detect(large))]


def _box(read: ocr.Read, stack: NDArray[Any], frames: tuple[int, ...] | None) -> Box:
    """A box with margins: the ends of letters are in it, and of a line two letters more at each end: it may go on."""
    height = read.bottom - read.top
    down, across = max(2, height // 4), max(4, height * 3 // 2)
    bottom, right = min(read.bottom + down, stack.shape[1]), min(read.right + across, stack.shape[2])
    return Box(max(read.top - down, 0), max(read.left - across, 0), bottom, right, frames)


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
