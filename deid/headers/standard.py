"""Table E.1-1 of DICOM PS3.15: what the confidentiality profile asks for each attribute, as data.

Belongs here: reading the table, and whether a treatment of an attribute keeps to it. Which treatments a policy gives is
`deid.policy`.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_FILE = "table_e1_1.csv"
_CURVES, _OVERLAYS = 0x50, 0x60

BASIC, SAFE_PRIVATE, STRUCTURED = "113100", "113111", "113104"
"""Codes of the Basic Application Confidentiality Profile and of the option that private elements stand on."""

OPTIONS: Mapping[str, str] = {
    BASIC: "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
"""Code to meaning (PS3.16 CID 7050)."""


@dataclass(frozen=True, slots=True)
class Row:
    """An attribute of the table.

    Attributes:
        tag: eight hexadecimal digits, `x` where any digit stands, or `PRIVATE`.
        keyword: keyword of PS3.6.
        composite: whether a composite object of the standard has it.
        basic: action of the Basic Profile, for example `X/Z`.
        options: action by option, for options that change it; codes of PS3.16 CID 7050.
    """

    tag: str
    keyword: str
    composite: bool
    basic: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The table.

    Attributes:
        edition: of the standard.
        rows: in order of their tags.
    """

    edition: str
    rows: tuple[Row, ...]

    def row(self, tag: int) -> Row | None:
        """The row of an attribute, given as group << 16 | element; None: the table does not list it."""
        if (tag >> 16) % 2:
            return _by_tag().get("PRIVATE")
        names = {_CURVES: "50xxxxxx", _OVERLAYS: f"60xx{tag & 0xFFFF:04X}"}
        return _by_tag().get(names.get(tag >> 24, f"{tag:08X}"))


@cache
def table() -> Table:
    """Table E.1-1, read once a process."""
    lines = files("deid.headers").joinpath(_FILE).read_text("ascii").splitlines()
    edition = lines[0].removeprefix("# DICOM PS3.15 ").removesuffix(" Table E.1-1")
    rows = tuple(
        Row(
            line["tag"],
            line["keyword"],
            line["composite"] == "Y",
            line["basic"],
            {code: line[code] for code in OPTIONS if line.get(code)},
        )
        for line in csv.DictReader(lines[1:])
    )
    return Table(edition, rows)


@cache
def _by_tag() -> dict[str, Row]:
    return {row.tag: row for row in table().rows}


def allows(row: Row | None, action: str, option: str) -> bool:
    """Whether the standard lets an attribute be treated so.

    Args:
        row: its row; None: it is not listed, and the Basic Profile leaves it as it is.
        action: what is done. K: kept; C: cleaned; U: UID replaced; D: another value or other items; Z: no value.
        option: code of the option that the treatment stands on; empty: the Basic Profile alone.

    Source: PS3.15 E.1.1 and Table E.1-1a. Z may be a value that says nothing, so D satisfies it; what an option lets
    stay may also be cleaned; no value is never more than what was asked for.
    """
    if row is None or action == "Z":
        return True
    asked = set(row.basic.replace("*", "").split("/"))
    if action in {"D", "U"} and asked & {"D", "Z", "U"}:
        return True
    given = row.options.get(option, "")
    return given == "K" or (given == "C" and action != "K")
