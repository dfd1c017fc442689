"""Letters made of pixels, for text that is burned into images and overlays.

Belongs here: a small font of capitals and digits and drawing with it.
"""

import numpy as np
from numpy.typing import NDArray

_FONT = {
    "A": 0o25755, "B": 0o65656, "C": 0o34443, "D": 0o65556, "E": 0o74647, "F": 0o74644, "G": 0o34553, "H": 0o55755,
    "I": 0o72227, "J": 0o11152, "K": 0o55655, "L": 0o44447, "M": 0o57755, "N": 0o65555, "O": 0o25552, "P": 0o65644,
    "Q": 0o25563, "R": 0o65655, "S": 0o34216, "T": 0o72222, "U": 0o55557, "V": 0o55552, "W": 0o55775, "X": 0o55255,
    "Y": 0o55222, "Z": 0o71247, "0": 0o75557, "1": 0o26227, "2": 0o61247, "3": 0o61216, "4": 0o55711, "5": 0o74616,
    "6": 0o34757, "7": 0o71222, "8": 0o75757, "9": 0o75716,
}  # fmt: skip
"""Five rows of three pixels, one octal digit a row."""


def drawn(text: str, scale: int = 2) -> NDArray[np.bool_]:
    """(5 * scale, 4 * scale * letters) text as pixels; what the font lacks is left blank."""
    columns = []
    for letter in text.upper():
        rows = [_FONT.get(letter, 0) >> 3 * (4 - row) & 7 for row in range(5)]
        columns.append([[bool(row >> 2 - place & 1) for place in range(3)] + [False] for row in rows])
    if not columns:
        return np.zeros((5 * scale, 0), dtype=bool)
    return np.kron(np.concatenate([np.array(c) for c in columns], axis=1), np.ones((scale, scale), dtype=bool))


def stamp(image: NDArray[np.bool_], text: str, row: int, column: int, scale: int = 2) -> None:
    """Draw text into an image (rows, columns) from a corner on, cut off at the image's edge."""
    letters = drawn(text, scale)[: image.shape[0] - row, : image.shape[1] - column]
    image[row : row + letters.shape[0], column : column + letters.shape[1]] |= letters
