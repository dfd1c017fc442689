"""A second look at what is about to leave: do the output bytes still hold an identifying value?

Belongs here: searching bytes and text for a subject's identifiers. It is independent of the cleaner on purpose: it
shares the list of values and nothing of the code that removed them, and it does not parse DICOM, so a fault there
cannot hide a leak here.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

import numpy as np

from deid.text.vocabulary import words
from schemas.policy import Dates

SHORTEST_NAME = 4
"""Letters of a name that is searched alone; a shorter one is searched only beside another part of the name."""
SHORTEST_ID = 5
"""Characters of an id, number, UID or device name; shorter ones stand in every header by chance."""
SHORTEST_PHRASE = 6
"""Letters and digits of an institution, address or phone number."""
GLUED = 6
"""A word this long counts also inside a longer word; a shorter one must stand alone."""
SHORTEST_IN_PIXELS = 6
"""Bytes of a value that is searched among voxels, where four bytes occur by chance in every file."""

LARGEST_HEADER = 1 << 20
"""Bytes of a header whose readable runs are searched as text too; more than that is data, searched as bytes only."""

_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
_PIXELS = b"\xe0\x7f\x10\x00"
_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")
_DIGITS = frozenset(b"0123456789")
_HASH = np.uint32(2654435761)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")
_SQUEEZABLE = re.compile(r"[\s\-_^,()/=]+")
_SHORTEST_DIGITS_SQUEEZED = 7
"""Fewer digits, written apart, are any list of small numbers."""
_LONG = 8
_BARRIER = "\n|\n"
_LONGEST_PLAIN_NUMBER = 7
_NOISE = re.compile(
    rb"[A-Za-z0-9+/]{200,}={0,2}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![0-9a-z])[0-9a-f]{16,}|2\.25\.\d{20,}"
)
"""Pictures as text, random ids, digests and pseudonymous UIDs: long runs in which anything short occurs by chance."""


Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Finding:
    """That an identifier was found: its kind, where, how often; never the value."""

    kind: str
    where: str
    count: int


@dataclass(frozen=True, slots=True)
class _Needle:
    text: str
    kind: str
    glued: bool
    squeezed: str = ""


class Scanner:
    """Searches for the identifiers of a subject or a whole delivery."""

    def __init__(self, pairs: Iterable[tuple[str, str]], dates: Dates = Dates.YEAR_ONLY) -> None:
        """Compile the search.

        Args:
            pairs: kind and value, as `schemas.tables.IDENTIFIERS` holds them.
            dates: what the policy does to dates. Where they are kept they are no finding; where they are shifted, a
                shifted date may by chance be another of the originals, so only dates of birth and dates written out
                with separators are looked for; where the year stays, the first of January is no finding.
        """
        found: dict[tuple[str, str], _Needle] = {}
        for kind, value in pairs:
            for needle in _needles(kind, value, dates):
                found.setdefault((needle.text, needle.kind), needle)
        self._needles = sorted(found.values(), key=lambda n: (n.text, n.kind))

    @classmethod
    def of_storage(cls, pairs: Iterable[tuple[str, str]], own: frozenset[str] = frozenset()) -> "Scanner":
        """A search of what machines write: logs, table statistics, names of files, the storage of an orchestrator.

        There, numbers and dates stand everywhere and mean no person, and short words are the software's own. So dates
        of birth are searched and no other dates, numbers without a letter from eight digits, and a name alone from
        `GLUED` letters, as a word, unless it is one of `own`; two names of a person side by side are always searched.

        Args:
            pairs: kind and value.
            own: lower-case words that the software and its users write: tables, terms, paths.
        """
        scanner = cls(pairs)
        scanner._needles = [replace(n, glued=False, squeezed="") for n in scanner._needles if _tells(n, own)]
        return scanner

    def scan_storage(self, data: bytes, where: str) -> list[Finding]:
        """What is found in bytes that a machine wrote; pictures, digests and random ids in them are passed over."""
        counts: Counter[str] = Counter()
        self._scan_bytes(data, counts, 0)
        if counts:  # most files hold nothing, so what is only noise is taken out of the others alone
            counts.clear()
            self._scan_bytes(_NOISE.sub(b" ", data), counts, 0)
        return [Finding(kind, where, count) for kind, count in sorted(counts.items())]

    @property
    def size(self) -> int:
        """Number of spellings that are searched; 0 where no value is long enough, or the policy lets it stay."""
        return len(self._needles)

    def scan(self, data: bytes | str, where: str, pixels: bool = True) -> list[Finding]:
        """What is found in a file or a text.

        Args:
            data: a DICOM file, any other bytes, or text.
            where: what to call the place in findings; no value of a file.
            pixels: whether to search behind the start of Pixel Data too, for values long enough not to occur there by
                chance.
        """
        counts: Counter[str] = Counter()
        if isinstance(data, str):
            self._scan_text(data, counts)
        else:
            split = data.rfind(_PIXELS) if data[128:132] == b"DICM" else -1
            header, rest = (data, b"") if split < 0 else (data[:split], data[split:])
            self._scan_bytes(header, counts, 0)
            if len(header) <= LARGEST_HEADER:
                for kind, count in self._scan_printable(header).items():
                    counts[kind] = max(counts[kind], count)
            if pixels and rest:
                self._scan_bytes(rest, counts, SHORTEST_IN_PIXELS)
        return [Finding(kind, where, count) for kind, count in sorted(counts.items())]

    def _scan_printable(self, header: bytes) -> Counter[str]:
        """What is found in the readable runs of a header, as text: spellings that no list of byte patterns holds."""
        counts: Counter[str] = Counter()
        runs = (run.decode("utf-8", "ignore") for run in _PRINTABLE.findall(header))
        self._scan_text(_BARRIER.join(runs), counts)
        return counts

    def _scan_text(self, text: str, counts: Counter[str]) -> None:
        folded = _folded(text)
        compact, edges = _compact(folded)
        for needle in self._needles:
            hits = sum(1 for at in _places(folded, needle.text) if needle.glued or _alone(folded, at, needle.text))
            if not hits and needle.squeezed:
                long = needle.glued and len(needle.squeezed) >= _LONG
                hits = sum(
                    1
                    for at in _places(compact, needle.squeezed)
                    if long or (at in edges and at + len(needle.squeezed) in edges)
                )
            if hits:
                counts[needle.kind] += hits

    def _scan_bytes(self, data: bytes, counts: Counter[str], shortest: int) -> None:
        lowered = data.lower()
        candidates = self._candidates(lowered)
        for at, key in candidates:
            for pattern, needle in self._by_prefix[key]:
                if len(pattern) < shortest or not lowered.startswith(pattern, at):
                    continue
                step = 2 if b"\0" in pattern[:2] else 1
                if (needle.glued and not needle.text.isdigit()) or _apart(lowered, at, len(pattern), needle, step):
                    counts[needle.kind] += 1

    def _candidates(self, lowered: bytes) -> Iterator[tuple[int, bytes]]:
        """Places where a pattern may begin: one pass over the data, whatever the number of patterns.

        Four bytes are looked up, and the next four too, because the letters of UTF-16 look like small voxels.
        """
        short, long, second = self._tables
        found = []
        for shift in range(4):
            length = (len(lowered) - shift) // 4
            if length <= 0:
                continue
            marks = _hashed(np.frombuffer(lowered, dtype="<u4", count=length, offset=shift))
            follows = np.append(second[marks[1:]], True)
            found.append(np.flatnonzero(short[marks] | long[marks] & follows) * 4 + shift)
        for at in np.concatenate(found).tolist() if found else []:
            key = lowered[at : at + 4]
            if key in self._by_prefix:
                yield at, key

    @cached_property
    def _by_prefix(self) -> dict[bytes, list[tuple[bytes, _Needle]]]:
        table: dict[bytes, list[tuple[bytes, _Needle]]] = {}
        for needle in self._needles:
            for pattern in sorted({p for encoding in _ENCODINGS for p in _patterns(needle.text, encoding)}):
                table.setdefault(pattern[:4], []).append((pattern, needle))
        return table

    @cached_property
    def _tables(self) -> tuple[Flags, Flags, Flags]:
        """First four bytes of patterns shorter than eight bytes, of longer ones, and the longer ones' next four."""
        tables = tuple(np.zeros(1 << 16, dtype=bool) for _ in range(3))
        for patterns in self._by_prefix.values():
            for pattern, _ in patterns:
                head = _hashed(np.frombuffer(pattern[:4], "<u4"))[0]
                tables[len(pattern) >= _LONG][head] = True
                if len(pattern) >= _LONG:
                    tables[2][_hashed(np.frombuffer(pattern[4:8], "<u4"))[0]] = True
        return tables[0], tables[1], tables[2]


def _hashed(windows: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return (windows * _HASH) >> np.uint32(16)


def _tells(needle: _Needle, own: frozenset[str]) -> bool:
    """Whether a spelling tells a person where machines write."""
    parts = set(_WORD.findall(needle.text))
    if needle.kind == "date" or parts <= own:
        return False
    if needle.kind == "birth":
        return not needle.text.isdigit()
    if needle.text.isdigit():
        return len(needle.text) > _LONGEST_PLAIN_NUMBER
    return len(needle.text) >= GLUED or needle.kind not in {"name", "clinician"}


def _needles(kind: str, value: str, dates: Dates) -> Iterator[_Needle]:
    if kind in {"name", "clinician"}:
        yield from _name_needles(kind, value)
    elif kind in {"date", "birth"}:
        yield from _date_needles(kind, value, dates)
    elif kind == "uid":
        # rubbish: a UID such as 1.2 names nothing, and stands everywhere by chance
        if len(value) >= SHORTEST_ID:
            yield _Needle(value.lower(), kind, glued=False)
    else:
        yield from _phrase_needles(kind, value)


def _name_needles(kind: str, value: str) -> Iterator[_Needle]:
    parts = [part for part in _WORD.findall(_folded(value)) if not part.isdigit()]
    known = words()
    for part in parts:
        if len(part) >= SHORTEST_NAME and part not in known:
            yield _Needle(part, kind, len(part) >= GLUED, _squeezed(part))
    written = [p for p in re.split(r"[\s^=,\\]+", value.lower()) if len(p) >= SHORTEST_NAME and not p.isascii()]
    yield from (_Needle(p, kind, glued=True) for p in written)
    for first, second in permutations([p for p in parts if len(p) > 1][:4], 2):
        for separator in (" ", "^", "_", ", ", ""):
            if len(first + second) >= GLUED:
                yield _Needle(first + separator + second, kind, False, _squeezed(first + second))


def _phrase_needles(kind: str, value: str) -> Iterator[_Needle]:
    folded = " ".join(_folded(value).split())
    squeezed = re.sub(r"[^a-z0-9]", "", folded)
    shortest = SHORTEST_ID if kind in {"id", "other"} else SHORTEST_PHRASE
    if len(squeezed) >= shortest and squeezed not in words():
        yield _Needle(folded, kind, len(squeezed) >= 2 * GLUED, _squeezed(folded))
        if squeezed != folded:
            yield _Needle(squeezed, kind, glued=False)
    if kind in {"institution", "address"}:
        for part in _WORD.findall(folded):
            if len(part) >= SHORTEST_PHRASE and part not in words() and not part.isdigit():
                yield _Needle(part, kind, glued=False)


def _date_needles(kind: str, value: str, dates: Dates) -> Iterator[_Needle]:
    if dates is Dates.KEEP or not re.fullmatch(r"\d{8}", value):
        return
    year, month, day = value[:4], value[4:6], value[6:]
    name = _MONTHS[int(month) - 1] if 1 <= int(month) <= len(_MONTHS) else "?"
    orders = [(year, m, d) for m, d in ((month, day), (str(int(month)), str(int(day))))]
    orders += [(a, b, year) for _, m, d in orders for a, b in ((m, d), (d, m))]
    texts = [separator.join(order) for separator in "-/." for order in orders]
    texts += [
        f"{int(day)} {name} {year}",
        f"{day}-{name}-{year}",
        f"{name} {int(day)}, {year}",
        f"{name} {int(day)} {year}",
    ]
    first_of_january = value.endswith("0101") and dates is Dates.YEAR_ONLY
    if not first_of_january and (kind == "birth" or dates is Dates.YEAR_ONLY):
        texts.append(value)
    yield from (_Needle(text, kind, glued=False) for text in texts if "?" not in text)


def _folded(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.casefold()


def _compact(folded: str) -> tuple[str, set[int]]:
    """The text without what people put between the parts of a name or number, and where its words begin and end.

    Points and backslashes stay: they are inside numbers and between them.
    """
    pieces, edges, at = [], {0}, 0
    for piece in _SQUEEZABLE.split(folded):
        pieces.append(piece)
        for match in re.finditer(r"[a-z]+|\d+", piece):
            edges.update((at + match.start(), at + match.end()))
        at += len(piece)
        edges.add(at)
    return "".join(pieces), edges


def _squeezed(text: str) -> str:
    """How the needle looks among squeezed text; empty if it is too short to be told from chance there."""
    squeezed = _SQUEEZABLE.sub("", text)
    return squeezed if len(squeezed) >= (_SHORTEST_DIGITS_SQUEEZED if squeezed.isdigit() else SHORTEST_ID) else ""


def _places(text: str, wanted: str) -> Iterator[int]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1)


def _alone(text: str, at: int, wanted: str) -> bool:
    before, after = text[at - 1 : at], text[at + len(wanted) : at + len(wanted) + 1]
    beside = "0123456789." if set(wanted) <= set("0123456789.") else None
    return not any(c and (c in beside if beside else c.isalnum()) for c in (before, after))


def _apart(data: bytes, at: int, length: int, needle: _Needle, step: int) -> bool:
    """Whether a find stands alone: digits beside no digit or decimal point, words beside no letter or digit."""
    beside = _DIGITS | frozenset(b".") if set(needle.text) <= set("0123456789.") else _ALNUM
    before, after = at - step, at + length
    # little and big endian UTF-16 put the letter in the first or second byte
    letters_before = data[max(before, 0) : at]
    letters_after = data[after : after + step]
    if step == 1 and data[after + 1 : after + 2] == b"\0":
        letters_after = b""  # not a letter but the group number of the next element, such as 0043
    return not any(c in beside for c in letters_before) and not any(c in beside for c in letters_after)


def _patterns(text: str, encoding: str) -> Iterator[bytes]:
    try:
        yield text.encode(encoding).lower()
    except UnicodeEncodeError:
        return
