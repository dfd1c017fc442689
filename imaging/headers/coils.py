"""Names of the elements of a receive coil array, and the numbers that stand for them where no text may leave.

Belongs here: which names are those of one element, as uncombined images have them, and their coding.
"""

import re

_NAME = re.compile(r"([A-Z]{1,3})(0|[1-9][0-9]?)")
_LETTERS, _ELEMENTS = 27, 100


def coil_number(name: str) -> int | None:
    """The number of an element's name, as `H7` or `HEA12`; None for any other text.

    Its letters are digits to base 27, A being 1; that times 100, plus its number.
    """
    found = _NAME.fullmatch(name)
    if not found:
        return None
    letters = 0
    for letter in found[1]:
        letters = letters * _LETTERS + ord(letter) - ord("A") + 1
    return letters * _ELEMENTS + int(found[2])


def coil_name(number: int) -> str:
    """The name that a number stands for; empty where it stands for none."""
    letters, element = divmod(number, _ELEMENTS)
    name = ""
    while letters > 0:
        letters, digit = divmod(letters, _LETTERS)
        name = chr(ord("A") + digit - 1) + name
    return f"{name}{element}" if coil_number(f"{name}{element}") == number else ""
