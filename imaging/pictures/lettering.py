"""Letters and figures for pictures, without a font.

Belongs here: the few characters that previews need, drawn by hand on a grid of 3 x 5 pixels, shown at twice their size.
"""

import numpy as np
from numpy.typing import NDArray

HEIGHT = 10
"""Height of a character in pixels; it is 6 wide, and 2 lie between two."""

_SHAPES = {
    "R": "110 101 110 101 101",
    "L": "100 100 100 100 111",
    "A": "010 101 111 101 101",
    "P": "110 101 110 100 100",
    "S": "111 100 111 001 111",
    "I": "111 010 010 010 111",
    "0": "111 101 101 101 111",
    "1": "010 110 010 010 111",
    "5": "111 100 111 001 111",
    "%": "101 001 010 100 101",
}


def drawn(text: str) -> NDArray[np.bool_]:
    """A text as a mask, `HEIGHT` rows.

    Raises:
        KeyError: for a character that is not drawn here.
    """
    letters = [np.array([[c == "1" for c in row] for row in _SHAPES[letter].split()]) for letter in text]
    gap = np.zeros((5, 1), bool)
    joined = np.hstack([part for letter in letters for part in (letter, gap)][:-1])
    return np.kron(joined, np.ones((2, 2), bool)).astype(bool)
