"""Invented identifying values, each unlike every other, and the bytes by which each is found again.

Belongs here: values and their spellings in bytes. Where they are planted is `benchmarks.traps.carriers`.
"""

import datetime as dt
import random
from dataclasses import dataclass, field

_ONSETS = ("Br", "Qu", "Tr", "V", "Z", "Kr", "Gl", "W", "Dr", "Pl", "Sk", "H", "Th", "N", "Fr")
_MIDDLES = ("andel", "olbri", "uxter", "ivver", "agstu", "enkwo", "ompli", "ersky", "illua", "otzen", "umbaw", "arqui")
_ENDS = ("wick", "thorp", "mund", "quist", "vik", "zoon", "bane", "croft", "ska", "dahl", "jevo", "nholt")
_CJK = "龘靐齉爨驫麤鱻饕餮鸑鷟囍黼黻黾鼋鼍鼗龠龥"
_HAN_COMMON = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_KANA = "".join(map(chr, range(0xFF71, 0xFF9D)))
"""Half-width, as ISO-IR 13 has them."""
_KANJI = "山田花子佐藤鈴木高橋渡辺伊東斎藤加賀美濃越前桜井松島"
_HANGUL = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허"
_CYRILLIC = "бвгджзклмнпрстфхцчш"
_CYRILLIC_VOWELS = "аеиоуюя"
_GREEK = "βγδζθκλμνξπρστφχψ"
_GREEK_VOWELS = "αεηιουω"
_ROOT = "1.2.826.0.1.3680043.9.77771"
_WIDE = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
_FIRST_DAY = dt.date(1931, 3, 7)


@dataclass(frozen=True)
class Token:
    """One planted identifying value.

    Attributes:
        file: name of the file that holds it.
        category: the kind of place or value.
        carrier: the place itself, for a report; never the value.
        needles: byte strings, any of which in an output is a leak.
        exact: whether case counts; without it ASCII letters match in either case.
    """

    file: str
    category: str
    carrier: str
    needles: tuple[bytes, ...] = field(repr=False)
    exact: bool = False


class Mint:
    """A source of values that never repeat; the same values for the same seed."""

    def __init__(self, seed: int = 7) -> None:
        """Start a source."""
        self._random = random.Random(seed)  # noqa: S311 - invented values, not secrets
        self._used: set[str] = set()
        self._count = 0
        self._days = 0

    def _fresh(self, made: str) -> bool:
        folded = made.lower()
        if any(folded in other or other in folded for other in self._used):
            return False
        self._used.add(folded)
        return True

    def word(self) -> str:
        """A word that no vocabulary knows."""
        while True:
            made = "".join(self._random.choice(part) for part in (_ONSETS, _MIDDLES, _ENDS))
            if self._fresh(made):
                return made

    def initials(self) -> str:
        """Three capitals that no protocol name holds."""
        while True:
            made = self._random.choice("QXZJ") + self._random.choice("XZQK") + self._random.choice("JQWX")
            if self._fresh(made):
                return made

    def code(self, prefix: str = "") -> str:
        """An id of letters and digits."""
        self._count += 1
        return f"{prefix}{self._random.randint(10, 99)}{self._count:04d}{self._random.randint(10, 99)}"

    def uid(self) -> str:
        """A UID of an invented site."""
        self._count += 1
        return f"{_ROOT}.{self._random.randint(1000, 9999)}.{10000 + self._count}.{self._random.randint(100, 999)}"

    def date(self, recent: bool = False) -> dt.date:
        """A day that no other date of the key is; never the first of a month.

        Args:
            recent: all of one year, so that no date shift of a year or more turns one into another; otherwise decades
                earlier.
        """
        self._days += 1
        if recent:
            day = dt.date(2021, 1, 2) + dt.timedelta(self._days % 360)
        else:
            day = _FIRST_DAY + dt.timedelta(self._days * 17)
        while day.day == 1 or not self._fresh(day.strftime("%Y%m%d")):
            day += dt.timedelta(1)
        return day

    def script(self, alphabet: str, length: int = 4, vowels: str = "") -> str:
        """A word in another script."""
        while True:
            made = "".join(self._random.choice(vowels if vowels and i % 2 else alphabet) for i in range(length))
            if self._fresh(made):
                return made

    def han(self) -> str:
        """A name of four common Chinese characters."""
        return self.script(_HAN_COMMON)

    def rare_han(self) -> str:
        """A name of characters that only GB18030 and Unicode have in full."""
        return self.script(_CJK)

    def kanji(self) -> str:
        """A Japanese name."""
        return self.script(_KANJI)

    def kana(self) -> str:
        """A Japanese name by its sound."""
        return self.script(_KANA, 6)

    def hangul(self) -> str:
        """A Korean name."""
        return self.script(_HANGUL)

    def cyrillic(self) -> str:
        """A Russian name."""
        return self.script(_CYRILLIC, 8, _CYRILLIC_VOWELS).capitalize()

    def greek(self) -> str:
        """A Greek name."""
        return self.script(_GREEK, 8, _GREEK_VOWELS).capitalize()

    def accented(self) -> str:
        """A name with letters that ASCII has not."""
        return self.script("ÅÇÑÜßbdgklmnrst", 8, "éüøáî")


def needles(text: str, *codecs: str) -> tuple[bytes, ...]:
    """The bytes of a text in every character set that a tool may write it in.

    Args:
        text: the value.
        codecs: more character sets, the file's own among them.
    """
    found: dict[bytes, None] = {}
    for codec in (*_WIDE, *codecs):
        try:
            encoded = text.encode(codec)
        except UnicodeEncodeError:
            continue
        # shift sequences of ISO 2022 stand around the characters, not among them
        for shift in (b"\x1b$B", b"\x1b$@", b"\x1b(B", b"\x1b(J", b"\x1b$)C", b"\x0e", b"\x0f"):
            encoded = encoded.replace(shift, b"")
        found[encoded] = None
    if not text.isascii():
        # UTF-8 that was taken for Latin-1 and written as UTF-8 again is still readable
        found[text.encode().decode("latin-1").encode()] = None
    return tuple(found)
