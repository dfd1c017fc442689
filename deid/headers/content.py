"""Items of structured reports: which of them say who somebody is by their concept, whatever their value looks like.

Belongs here: judging one content item by its concept name (PS3.3 C.17.3, PS3.16 TID 1000 to 1010). The elements of an
item are treated like all others, by the rules of the policy, in `deid.headers.treatment`.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from deid.headers import codes
from deid.headers.elements import Dataset, Element, text_of

PLACES = frozenset({0x0040A730, 0x00400555})
"""Sequences whose items have a concept name: Content Sequence and Acquisition Context Sequence."""

_CONCEPT, _UNITS, _VALUES = 0x0040A043, 0x004008EA, 0x0040A300
_TEXT, _DATE, _DATE_TIME, _TIME = 0x0040A160, 0x0040A121, 0x0040A120, 0x0040A122
_NUMBER, _FLOAT = 0x0040A30A, 0x0040A161
_IDENTIFYING: Mapping[tuple[str, str], str] = {
    ("DCM", value): kind
    for kind, values in {
        "name": "113870 121008 121029 121081 121114 128774",
        "id": "113512 113514 113516 113871 111700 111705 121020 121021 121022 121030 121040 121041 128775 121151",
        "institution": "113872 113873 121009 121017 121197",
        "other": "113877 113880 121000 121013 121016 121148 121149 121193 121196 122143",
        "birth": "121031",
    }.items()
    for value in values.split()
}
_AGES = frozenset({("DCM", "121033"), ("SCT", "397669002"), ("SCT", "424144002"), ("LN", "30525-0"), ("LN", "29553-5")})
_A_YEAR = {"a": 1, "mo": 12, "wk": 52, "d": 365}
_GIVEN = {
    _TEXT: ("UT", b"removed"), _DATE: ("DA", b"19000101"), _DATE_TIME: ("DT", b"19000101"), _TIME: ("TM", b"000000"),
}  # fmt: skip
"""Values that say nothing, where the item would not be valid without one (PS3.3 C.17.3, type 1C)."""
RULE = "identifying-items"
"""Rule that decisions quote for these values."""

Pair = tuple[str, str]


def pairs(item: Dataset) -> Iterator[Pair]:
    """Identifying values that an item's concept tells of: kind, as `deid.text.identifiers` names it, and value.

    Args:
        item: of one of the sequences of `PLACES`.
    """
    kind = _IDENTIFYING.get(_concept(item))
    if not kind:
        return
    for tag, _, value in item.elements:
        if tag in (_TEXT, _DATE) and isinstance(value, bytes):
            text = text_of(value, item.encodings).strip(" \0\r\n")
            if text:
                yield kind, text


class Judged(NamedTuple):
    """A content item as it is to be treated.

    Attributes:
        item: what is left of it.
        given: elements that it gets after the treatment: value representation and value by tag. A date that is given
            must not be shifted: it would tell by how much.
    """

    item: Dataset
    given: Mapping[int, tuple[str, bytes]] = {}


def judged(sequence: int, item: Dataset, age_cap: int) -> Judged:
    """The item without what its concept says is an identifier.

    Texts and dates of such an item become a constant, because the item must keep its place in the tree: others refer
    to it by that. Ages above the cap are given as one year more.

    Args:
        sequence: tag of the sequence that the item stands in.
        item: an item of it.
        age_cap: highest age in years that may leave.
    """
    concept = _concept(item) if sequence in PLACES else ("", "")
    if concept in _IDENTIFYING:
        left = [element for element in item.elements if element[0] not in _GIVEN]
        return Judged(Dataset(left, item.encodings), {tag: _GIVEN[tag] for tag, _, _ in item.elements if tag in _GIVEN})
    return Judged(_young(item, age_cap) if concept in _AGES else item)


def _young(item: Dataset, cap: int) -> Dataset:
    elements: list[Element] = [
        (tag, vr, [_capped(inner, cap) for inner in value] if tag == _VALUES and isinstance(value, list) else value)
        for tag, vr, value in item.elements
    ]
    return _capped(Dataset(elements, item.encodings), cap)


def _capped(value: Dataset, cap: int) -> Dataset:
    """A measured value whose number is an age above the cap, as the cap and one more."""
    found = {tag: content for tag, _, content in value.elements}
    number, units = found.get(_NUMBER), found.get(_UNITS)
    if not isinstance(number, bytes):
        return value
    unit = codes.identity(units[0])[1] if isinstance(units, list) and units else "a"
    try:
        years = float(number.decode("ascii").strip(" \0")) / _A_YEAR.get(unit, 1)
    except (UnicodeDecodeError, ValueError):
        return value
    if years < cap + 1:
        return value
    highest = (cap + 1) * _A_YEAR.get(unit, 1)
    return _with(value, {_NUMBER: str(highest).encode(), _FLOAT: struct.pack("<d", highest)})


def _with(dataset: Dataset, values: Mapping[int, bytes]) -> Dataset:
    return Dataset([(tag, vr, values.get(tag, value)) for tag, vr, value in dataset.elements], dataset.encodings)


def _concept(item: Dataset) -> tuple[str, str]:
    for tag, _, value in item.elements:
        if tag == _CONCEPT and isinstance(value, list) and value:
            return codes.identity(value[0])
    return "", ""
