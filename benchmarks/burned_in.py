"""Burned-in text: words drawn into clean series, how many are found, and how many clean series are flagged.

Series are phantoms and, where it is there, real MR beside the project. Words stand anywhere, over tissue too, and in
every frame or in one. They are drawn three times: into a set that the thresholds of `deid` were chosen on, and into two
with other series, fonts, words, sizes and greys, which were only counted. Of the fonts only the tuned set's was shown
to the net of `deid.pixels.lettering` when it was trained (`benchmarks.lettering`), of the series none. A word is asked
for if at least 60 % of its pixels differ from what was there by a tenth of the range, and found if at least 95 % of
those are blanked in every frame that shows it, or if those frames are held. Beside it stands the usual way, the middle
frame read by RapidOCR as it comes, and Tesseract if it is installed: for both, a word is found if a box that was read
covers it, and for words in one frame they are given that frame.
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from deid.pixels import burned_in, gate, lettering
from deid.text.identifiers import Identifiers
from imaging.phantom import BodyPart, PhantomConfig, generate
from imaging.phantom.glyphs import drawn as drawn_glyphs

Stack = NDArray[Any]
Found = Callable[[Stack, NDArray[np.bool_], list[int]], list[bool]]

DIFFERENT, LEGIBLE = 0.1, 0.6
"""A pixel of a word that differs from the tissue by less of the range shows nothing; of a legible word most do."""
COVERED = 0.95
_GLYPHS, _PILLOW = "glyphs", "pillow"
"""The phantom's own font, which has no vectors, and the one that comes with Pillow; others come with matplotlib."""


@dataclass(frozen=True)
class Sample:
    """What is drawn: words in each font, size in pixels and grey, as part of the range, into phantoms of some sizes."""

    name: str
    fonts: tuple[str, ...]
    sizes: tuple[int, ...]
    levels: dict[str, float]
    words: tuple[str, ...]
    matrices: dict[int, tuple[BodyPart, ...]]
    seed: int


TUNED = Sample(
    "tuned",
    ("DejaVuSans",),
    (10, 12, 14, 16, 20),
    {"white": 1.0, "grey 180": 180 / 255, "grey 128": 128 / 255, "black": 0.0},
    (
        "QUENNELBY^OSBERTA", "MRN 7751234", "1949-03-07", "Quennelby", "ACC55120", "Mercyvale Hospital", "12:31:07",
        "O. Quennelby", "ID:88231", "07.03.1949", "F 074Y", "Foxglove Clinic", "OSBERTA", "93310-B", "Dr Readwick",
    ),
    {256: (BodyPart.HEAD,), 384: (BodyPart.KNEE, BodyPart.HEAD), 128: tuple(BodyPart)},
    4,
)  # fmt: skip
BLIND = Sample(
    "blind",
    ("DejaVuSansMono", "DejaVuSans-Bold", "DejaVuSerif", "STIXGeneral", _PILLOW, _GLYPHS),
    (10, 11, 13, 15, 18),
    {"grey 235": 235 / 255, "grey 160": 160 / 255, "grey 110": 110 / 255, "dark": 12 / 255},
    (
        "THRUPWELL^IDONEA", "PID 4402917", "23/11/1961", "Thrupwell", "A-7730192", "Larkmoor Infirmary", "08:45 AM",
        "Idonea Thrupwell", "Acc 60218", "19611123", "M 062Y", "Saint Ebbe", "IDONEA", "X99-20417", "Prof. Vandeleur",
    ),
    {192: (BodyPart.HEAD,), 320: (BodyPart.KNEE, BodyPart.HEAD), 144: tuple(BodyPart)},
    17,
)  # fmt: skip
FRESH = Sample(
    "fresh",
    ("cmtt10", "cmss10", "DejaVuSerif-Italic", "STIXGeneralBol", "DejaVuSansMono-BoldOblique"),
    (10, 12, 14, 17, 19),
    {"grey 250": 250 / 255, "grey 140": 140 / 255, "grey 90": 90 / 255, "grey 25": 25 / 255},
    (
        "OAKENSHOTT^PERPETUA", "UNIT 5520983", "1954.11.29", "Oakenshott", "KH-331/20", "Fennimore Spital", "17:02",
        "Perpetua O.", "Case 41877", "29-11-54", "F 71Y", "Brackwater", "PERPETUA", "Q5/80613", "MD Halloway",
    ),
    {160: (BodyPart.HEAD,), 288: (BodyPart.KNEE, BodyPart.HEAD), 176: tuple(BodyPart)},
    29,
)  # fmt: skip
_DATA = Path(__file__).parent.parent.parent / "shared" / "data"
_REAL = ("dcm_qa_nih/In", "dcm_qa_enh/In", "dcm_qa_ts/In")
_SMALLEST = 100
"""Pixels of a frame that has room for a word of any size; smaller series are only looked at clean."""
_EVERY = 4
"""Of so many hippocampus images one is looked at."""
_NOBODY = Identifiers()


@dataclass
class Case:
    """A series with words in it: their pixels, one mask a word, and the frames that show them."""

    size: int
    level: str
    font: str
    everywhere: bool
    stack: Stack
    words: list[NDArray[np.bool_]]
    frames: list[int]


def run(rounds: int = 2) -> str:
    """Measure, and give the tables.

    Args:
        rounds: of cases; in one, each size, level and manner is drawn into a twelfth of the series.
    """
    ways: dict[str, Found] = {"Larmor, the series": _ours, "RapidOCR, the middle frame": _rapidocr}
    if shutil.which("tesseract"):
        ways["Tesseract, the middle frame"] = _tesseract
    lines, clean = [], _real_series() | _crops()
    for sample in (TUNED, BLIND, FRESH):
        corpus = clean_series(sample)
        clean |= corpus
        lines += [f"### Words found, by series: the {sample.name} set", f"| words | of | {' | '.join(ways)} |"]
        lines += ["|---|---|" + "---|" * len(ways), *_word_rows(drawn(sample, corpus, rounds), list(ways.values())), ""]
    return "\n".join([*lines, *_clean_table(clean)])


def _word_rows(cases: Iterable[Case], ways: list[Found]) -> list[str]:
    """Of each group of words how many there are, and the share that each way finds."""
    groups: dict[str, list[list[bool]]] = defaultdict(list)
    for case in cases:
        found = [list(word) for word in zip(*(way_found(way, case) for way in ways), strict=True)]
        manner = "in every frame" if case.everywhere else "in one frame"
        for group in ("all", manner, f"{manner}, {case.size} px", f"{manner}, {case.level}", f"{manner}, {case.font}"):
            groups[group] += found
    return [
        f"| {group} | {len(found)} | {' | '.join(f'{sum(way) / len(way):.3f}' for way in zip(*found, strict=True))} |"
        for group, found in sorted(groups.items())
    ]


def way_found(way: Found, case: Case) -> list[bool]:
    """Whether each word of a case is found."""
    return way(case.stack, np.array(case.words), case.frames)


def _clean_table(corpus: dict[str, Stack]) -> list[str]:
    flagged, seconds, usual, gates = [], [], [], []
    for name, stack in corpus.items():
        start = time.process_time()
        if burned_in.inspect(stack, frozenset(), _NOBODY).verdict != "clean":
            flagged.append(name)
        seconds.append(time.process_time() - start)
        if 200 <= max(stack.shape[1:3]) <= 320:
            usual.append(seconds[-1])
            grey = gate.grey(stack)
            start = time.process_time()
            lettering.seen(grey)
            gates.append((time.process_time() - start) / len(grey) * 65536 / grey[0].size * 1000)
    return [
        "### Clean series",
        "| what | figure |",
        "|---|---|",
        f"| clean series flagged | {len(flagged)} of {len(corpus)} ({100 * len(flagged) / len(corpus):.1f} %) |",
        f"| a look for lettering, ms of one core a frame of 256 x 256, median | {statistics.median(gates):.2f} |",
        f"| s of one core a series of 200 to 320 pixels, median (max) | {_spread(usual)} |",
        f"| s of one core a series of any size, median (max) | {_spread(seconds)} |",
    ]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({max(values):.2f})"


def clean_series(sample: Sample) -> dict[str, Stack]:
    """Frames of clean series by name: a sample's phantoms, and real ones where they are there."""
    found: dict[str, Stack] = {}
    with tempfile.TemporaryDirectory() as folder:
        for matrix, parts in sample.matrices.items():
            config = PhantomConfig(
                f"m{matrix}", seed=matrix, subjects=4, matrix=matrix, slices=24, faults=False, body_parts=parts
            )
            generate(Path(folder) / config.name, Path(folder) / f"answers{matrix}", config)
            found.update(stacks_below(Path(folder) / config.name))
    return found | _real_series()


def _real_series() -> dict[str, Stack]:
    return {
        key: stack for place in _REAL if (_DATA / place).is_dir() for key, stack in stacks_below(_DATA / place).items()
    }


def _crops() -> dict[str, Stack]:
    """Real images around the hippocampus, where they are there."""
    import nibabel

    found = {}
    for path in sorted((_DATA / "hippocampus" / "images").glob("*.nii*"))[::_EVERY]:
        found[path.name] = np.asarray(nibabel.load(path).dataobj).astype(np.int32)
    return found


def stacks_below(folder: Path) -> dict[str, Stack]:
    """Frames of the series in a folder, by name."""
    frames: dict[str, list[tuple[int, Stack]]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        try:
            image = pydicom.dcmread(path)
            pixels = image.pixel_array
        except (AttributeError, pydicom.errors.InvalidDicomError):
            continue
        key = f"{folder.name} {image.SeriesInstanceUID} {pixels.shape[-2:]}"
        frames[key].append((int(image.get("InstanceNumber") or 0), pixels if pixels.ndim == 3 else pixels[None]))
    return {
        key: np.concatenate([pixels for _, pixels in sorted(own, key=lambda f: f[0])]) for key, own in frames.items()
    }


def drawn(sample: Sample, corpus: dict[str, Stack], rounds: int) -> Iterator[Case]:
    """Cases of every size, level and manner, spread over the series."""
    rng = np.random.default_rng(sample.seed)
    roomy = [stack for stack in corpus.values() if min(stack.shape[1:3]) >= _SMALLEST]
    for size in sample.sizes:
        for level in sample.levels:
            for everywhere in (True, False):
                for index in rng.permutation(len(roomy))[: rounds * len(roomy) // 12]:
                    case = _case(sample, roomy[index], size, level, everywhere, rng)
                    if case.words:
                        yield case


def _case(sample: Sample, clean: Stack, size: int, level: str, everywhere: bool, rng: np.random.Generator) -> Case:
    high = float(np.quantile(clean[:, ::4, ::4], 0.998))
    bright = sample.levels[level] * high
    font = sample.fonts[0] if len(sample.fonts) == 1 else str(rng.choice(sample.fonts))
    frames = list(range(len(clean))) if everywhere else [int(rng.integers(len(clean)))]
    stack, words = clean.copy(), []
    taken = np.zeros(clean.shape[1:3], dtype=np.bool_)
    for _ in range(int(rng.choice([1, 3]))):
        ink = _ink(str(rng.choice(sample.words)), size, font)[:, : clean.shape[2] - 2]
        top = int(rng.choice([1, rng.integers(clean.shape[1] - len(ink)), clean.shape[1] - len(ink)]))
        left = int(rng.integers(0, max(clean.shape[2] - ink.shape[1], 1)))
        place = (slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1]))
        core = ink > 0.5
        different = np.abs(clean[frames][:, *place].astype(np.float64) - bright) >= DIFFERENT * high
        shown = core & (different.mean(axis=0) >= 0.5)
        if taken[place].any() or shown.sum() < LEGIBLE * core.sum():
            continue
        taken[place] = True
        stack[frames, *place] = np.round(clean[frames][:, *place] * (1 - ink) + ink * bright)
        words.append(np.zeros_like(taken))
        words[-1][place] = shown
    return Case(size, level, font, everywhere, stack, words, frames)


def _ink(word: str, size: int, font: str) -> NDArray[np.float64]:
    """A word as coverage, 0 to 1."""
    if font == _GLYPHS:
        return np.pad(drawn_glyphs(word, max(2, round(size / 5))), 1).astype(np.float64)
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    face: Any = ImageFont.load_default(size) if font == _PILLOW else ImageFont.truetype(folder / f"{font}.ttf", size)
    left, top, right, bottom = (int(side) for side in face.getbbox(word))
    image = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), word, 255, font=face)
    return np.asarray(image) / 255.0


def _ours(stack: Stack, words: NDArray[np.bool_], frames: list[int]) -> list[bool]:
    inspection = burned_in.inspect(stack, frozenset(), _NOBODY)
    if inspection.verdict == "unsure" or inspection.single.issuperset(frames):
        return [True] * len(words)
    marks = burned_in.blank(np.zeros(stack.shape, dtype=np.bool_), inspection, 1)[frames]
    return [bool(marks[:, word].mean(axis=1).min() >= COVERED) for word in words]


def _rapidocr(stack: Stack, words: NDArray[np.bool_], frames: list[int]) -> list[bool]:
    results, _ = _engine()(_middle(stack, frames))
    boxes = [np.array(box) for box, _, _ in results or []]
    return _covered([(b[:, 1].min(), b[:, 1].max(), b[:, 0].min(), b[:, 0].max()) for b in boxes], words)


def _tesseract(stack: Stack, words: NDArray[np.bool_], frames: list[int]) -> list[bool]:
    from PIL import Image

    picture = BytesIO()
    Image.fromarray(_middle(stack, frames)).save(picture, "png")
    command = [str(shutil.which("tesseract")), "-", "-", "--psm", "11", "tsv"]
    done = subprocess.run(command, input=picture.getvalue(), capture_output=True, check=True)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()[1:]]
    sides = [[float(field) for field in row[6:10]] for row in rows if len(row) > 11 and row[11].strip()]
    return _covered([(top, top + high, left, left + wide) for left, top, wide, high in sides], words)


def _middle(stack: Stack, frames: list[int]) -> NDArray[np.uint8]:
    """The middle one of the frames that show the words: for words of one frame, a guess that is always right."""
    image = stack[frames[len(frames) // 2]].astype(np.float64)
    low, high = np.quantile(image, [0.01, 0.997])
    return np.asarray((((image - low) / max(high - low, 1)).clip(0, 1) * 255).astype(np.uint8))


def _covered(boxes: list[tuple[float, float, float, float]], words: NDArray[np.bool_]) -> list[bool]:
    marks = np.zeros(words.shape[1:], dtype=np.bool_)
    for top, bottom, left, right in boxes:
        marks[max(int(top) - 2, 0) : int(bottom) + 3, max(int(left) - 2, 0) : int(right) + 3] = True
    return [bool(marks[word].mean() >= COVERED) for word in words]


@cache
def _engine() -> Any:
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
