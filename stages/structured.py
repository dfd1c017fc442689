"""Structured reports as text: rows of `curated/reports` from instances that are de-identified already.

Belongs here: reading a cleaned content tree. Cleaning it is `deid.headers.treatment`; nothing here sees an original
file.
"""

import re
from collections.abc import Iterator
from typing import Any

from deid.headers.elements import Dataset, parse, text_of
from deid.headers.objects import kind_of
from lake.voxels.sources import Source
from lake.zones import Lake
from schemas.tables import INSTANCES

_CONTENT, _CONCEPT, _CODES, _VALUES, _UNITS = 0x0040A730, 0x0040A043, 0x0040A168, 0x0040A300, 0x004008EA
_MEANING, _TEXT, _NUMBER, _UNIT = 0x00080104, 0x0040A160, 0x0040A30A, 0x00080100
_TAG = re.compile(r"\[[A-Z]+\]")
_KEYS = ("subject", "study", "licence", "policy", "instance")


def structured_reports(lake: Lake, delivery: str) -> Iterator[tuple[dict[str, Any], str, int]]:
    """Structured reports of a delivery: their keys, their text, and how many typed tags stand in it.

    Raises:
        TableMissing: if nothing was de-identified yet.
    """
    table = lake.table(INSTANCES)
    for file in table.names({"delivery": delivery}):
        for row in _reports(table.source, file):
            text = told(parse(row["dicom"]).dataset)
            if text:
                yield {name: row[name] for name in _KEYS}, text, len(_TAG.findall(text))


def _reports(source: Source, file: str) -> Iterator[dict[str, Any]]:
    """Rows of a part file that are reports; whole files are read only where there are some."""
    with source.parquet(file) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            if any(map(_is_report, parquet.read_row_group(group, columns=["sop_class"])["sop_class"].to_pylist())):
                rows = parquet.read_row_group(group, columns=[*_KEYS, "sop_class", "dicom"]).to_pylist()
                yield from (row for row in rows if _is_report(row["sop_class"]))


def _is_report(sop_class: str) -> bool:
    kind = kind_of(sop_class)
    return kind is not None and kind.name == "report"


def told(report: Dataset) -> str:
    """A report's text, an item a line, indented as the tree is; empty if no item holds running text."""
    lines = list(_lines(report, 0))
    return "\n".join(line for line, _ in lines) if any(prose for _, prose in lines) else ""


def _lines(container: Dataset, depth: int) -> Iterator[tuple[str, bool]]:
    for item in _items(container, _CONTENT):
        name, text = _meaning(item, _CONCEPT), _value(item, _TEXT)
        said = text or _meaning(item, _CODES) or _measured(item)
        if said or (name and _items(item, _CONTENT)):
            yield "  " * depth + ": ".join(part for part in (name, said) if part), bool(text)
        yield from _lines(item, depth + 1)


def _measured(item: Dataset) -> str:
    for value in _items(item, _VALUES):
        units = _items(value, _UNITS)
        return " ".join(part for part in (_value(value, _NUMBER), _value(units[0], _UNIT) if units else "") if part)
    return ""


def _meaning(item: Dataset, sequence: int) -> str:
    codes = _items(item, sequence)
    return _value(codes[0], _MEANING) if codes else ""


def _items(dataset: Dataset, sequence: int) -> list[Dataset]:
    return next((value for tag, _, value in dataset.elements if tag == sequence and isinstance(value, list)), [])


def _value(dataset: Dataset, wanted: int) -> str:
    found = next((value for tag, _, value in dataset.elements if tag == wanted and isinstance(value, bytes)), b"")
    return text_of(found, dataset.encodings).strip(" \0\r\n")
