"""Words as scanners and workstations burn them in: names, numbers, dates, times, places, in many fonts.

Belongs here: what is written and its ink. The fonts and words of the sets that `benchmarks.burned_in` counts as blind
are not among these.
"""

import string
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.float32]
"""(rows, columns) coverage, 0 to 1, cropped to what is drawn."""

_MATPLOTLIB = ("DejaVuSans", "DejaVuSans-Oblique", "cmr10", "cmb10", "cmti10")
"""Fonts that come with matplotlib; the others it brings are kept for the blind sets."""
_DEBIAN = {
    "/usr/share/fonts/truetype/liberation": "fonts-liberation",
    "/usr/share/fonts/X11/Type1": "fonts-urw-base35",
    "/usr/share/fonts/truetype/noto": "fonts-noto-mono",
}
_UNREADABLE = ("Symbols", "D050000L", "Z003")
"""Pictures and handwriting."""
_HERSHEY = (0, 1, 2, 3, 4, 5)
"""OpenCV's fonts of strokes, as its constants number them."""

_SIZES = (8, 28)
"""Pixels of the em square: capitals of 6 to 20 pixels."""
_SYLLABLES = (
    "an ber cor dal el fen gar hol im jo kel lan mar nor os pet qui ros sel tor ul van wes xi yor zan thi str ca de "
    "mo ri ta ne bru gle pha sch son ton ley ham er us ia ov ski"
)
_LABELS = "ID MRN PID Acc DOB Name Sex Age Se Im TR TE FOV SL Dr Prof Mr Mrs Clinic Hospital Date Time kV mA No W L Z"


def word(rng: np.random.Generator) -> str:
    """Something like a name, a number, a date, a time, a label, of 2 to about 20 characters."""
    kind = rng.integers(8)
    if kind <= 1:
        made = _name(rng)
    elif kind == 2:
        made = f"{_name(rng)}{rng.choice(list('^, _.'))}{_name(rng)}"
    elif kind == 3:
        made = _digits(rng, int(rng.integers(2, 11)))
    elif kind == 4:
        separator = str(rng.choice(list("-/. :")))
        made = separator.join(_digits(rng, int(n)) for n in rng.choice([2, 2, 4], 3))
    elif kind == 5:
        label, separator = rng.choice(_LABELS.split()), rng.choice(["", " ", ": ", ":", ".", "-"])
        made = f"{label}{separator}{_digits(rng, int(rng.integers(1, 8)))}"
    elif kind == 6:
        made = "".join(rng.choice(list(string.ascii_letters + string.digits + "-#/.:"), int(rng.integers(2, 10))))
    else:
        made = f"{rng.choice(_LABELS.split())} {_name(rng)}"
    return made


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(rng.choice(list(string.digits), count))


def _name(rng: np.random.Generator) -> str:
    made = "".join(rng.choice(_SYLLABLES.split(), int(rng.integers(1, 5))))
    return str(rng.choice([made, made.upper(), made.capitalize(), made.upper()]))


def ink(rng: np.random.Generator, text: str) -> Ink:
    """A text in any font, size, width and weight; sharp or smooth."""
    size = int(rng.integers(*_SIZES))
    fonts = faces()
    drawn = _hershey(rng, text, size) if rng.random() < 0.15 else _typeset(text, fonts[rng.integers(len(fonts))], size)
    return _varied(rng, drawn)


def _varied(rng: np.random.Generator, drawn: Ink) -> Ink:
    import cv2

    if rng.random() < 0.3:
        wide = max(round(drawn.shape[1] * rng.uniform(0.8, 1.3)), 3)
        drawn = cv2.resize(drawn, (wide, drawn.shape[0]), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.1:
        drawn = cv2.dilate(drawn, np.ones((1, 2)))
    if rng.random() < 0.15:
        drawn = cv2.GaussianBlur(np.pad(drawn, 1), (0, 0), rng.uniform(0.4, 0.8))
    elif rng.random() < 0.3:
        drawn = (drawn > rng.uniform(0.3, 0.6)).astype(np.float32)
    if rng.random() < 0.08:  # a small font shown twice as large
        drawn = np.kron(drawn[::2, ::2], np.ones((2, 2), np.float32))
    return _cropped(np.asarray(drawn, np.float32))


def _cropped(drawn: Ink) -> Ink:
    rows, columns = (np.flatnonzero((drawn > 0.2).any(axis=side)) for side in (1, 0))
    if not rows.size:
        return np.zeros((0, 0), np.float32)
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _typeset(text: str, path: str, size: int) -> Ink:
    from PIL import Image, ImageDraw

    face = _face(path, size)
    left, top, right, bottom = (int(side) for side in face.getbbox(text))
    image = Image.new("L", (max(right - left, 1) + 4, max(bottom - top, 1) + 4))
    ImageDraw.Draw(image).text((2 - left, 2 - top), text, 255, font=face)
    return np.asarray(image, np.float32) / 255


def _hershey(rng: np.random.Generator, text: str, size: int) -> Ink:
    import cv2

    font, smooth = int(rng.choice(_HERSHEY)), cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
    (_, high), _ = cv2.getTextSize("H", font, 1.0, 1)
    scale = size * 0.72 / high
    (across, _), _ = cv2.getTextSize(text, font, scale, 1)
    image = np.zeros((2 * size + 8, across + 8), np.uint8)
    cv2.putText(image, text, (4, round(1.3 * size)), font, scale, 255, 1, smooth)
    return image.astype(np.float32) / 255


@cache
def faces() -> tuple[str, ...]:
    """Paths of the fonts.

    Raises:
        FileNotFoundError: if one of the Debian packages is not installed.
    """
    import matplotlib as mpl

    own = Path(mpl.get_data_path()) / "fonts" / "ttf"
    found = [str(own / f"{name}.ttf") for name in _MATPLOTLIB]
    for folder, package in _DEBIAN.items():
        files = sorted(path for path in Path(folder).glob("*.[tp][tf][fb]"))
        if not files:
            raise FileNotFoundError(f"found no fonts of the Debian package {package}, needed them: install it")
        found += [str(path) for path in files if not any(part in path.name for part in _UNREADABLE)]
    return tuple(found)


@cache
def _face(path: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)
