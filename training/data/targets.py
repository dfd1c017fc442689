"""What is to be told of whole volumes: a column of their rows, a diagnosis, or a column of a table of one's own.

Belongs here: finding the values and saying which volumes have none. What is learned from them is `training.tasks`.
"""

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from training.config.finetune import FinetuneConfig
from training.data.labelled import SUBJECTS
from training.data.order import random
from training.data.source import Member, Source
from training.errors import TrainingError

MISSING = ("", "unknown", "n/a", "na", "nan", "none", "null")
"""What a cell says, in small letters, where nothing is known."""

KEYS = ("volume", "series", "study", "subject")
"""Columns of a table that may say which volumes a row is about; the first that is there counts."""

Values = Mapping[str, tuple[str, ...]]
"""Volume to what is said of it; volumes of which nothing is said are left out."""


@runtime_checkable
class Diagnosed(Protocol):
    """A release that knows diagnoses, as `lake.releases.Release`."""

    def diagnoses(self, members: Sequence[Any]) -> Sequence[tuple[Any, Mapping[str, Any]]]:
        """Members with a row of `curated/diagnoses` each."""


@dataclass(frozen=True)
class Where:
    """Where a target is found.

    Attributes:
        name: of the column or diagnosis.
        kind: column of the volumes' or series' rows, diagnosis, or column of a table.
        table: the table, CSV with a heading.
    """

    name: str
    kind: Literal["column", "diagnosis", "table"]
    table: Path | None = None


def found(release: Source, members: Sequence[Member], where: Where) -> Values:
    """What is said of each volume, in the order in which it is said, each thing once.

    Raises:
        TrainingError: if there is no such column or diagnosis, or the table cannot be read.
    """
    ways: dict[str, Callable[[Source, Sequence[Member], Where], Values]] = {
        "column": _of_columns,
        "diagnosis": _of_diagnoses,
        "table": _of_table,
    }
    return ways[where.kind](release, members, where)


def _of_columns(release: Source, members: Sequence[Member], where: Where) -> Values:
    volumes = [member.volume for member in members]
    rows, series = release.volumes().rows(volumes), release.described(volumes)
    said: dict[str, tuple[str, ...]] = {}
    there: set[str] = set()
    for volume, row in zip(volumes, rows, strict=True):
        joined = {**series.get(volume, {}), **row}
        there |= joined.keys()
        said[volume] = _known([joined.get(where.name)])
    if where.name not in there:
        raise TrainingError(
            f"target: found no column {where.name!r} in the rows of volumes and series, needed one of "
            f"{', '.join(sorted(there))}"
        )
    return {volume: values for volume, values in said.items() if values}


def _of_diagnoses(release: Source, members: Sequence[Member], where: Where) -> Values:
    rows = release.diagnoses(members) if isinstance(release, Diagnosed) else []
    said: dict[str, list[Any]] = {}
    for member, row in rows:
        if row["name"] == where.name:
            said.setdefault(member.volume, []).append(row["value"])
    if not said:
        there = ", ".join(sorted({str(row["name"]) for _, row in rows})) or "none"
        raise TrainingError(
            f"target: found no diagnosis {where.name!r} of these volumes, needed one of: {there}; deliver a table of "
            "diagnoses and freeze a new release"
        )
    return {volume: values for volume, raw in said.items() if (values := _known(raw))}


def _of_table(release: Source, members: Sequence[Member], where: Where) -> Values:
    assert where.table is not None, "settings ask for the table"
    rows = read_table(where.table)
    heading = list(rows[0]) if rows else []
    key = next((name for name in KEYS if name in heading), None)
    if key is None or where.name not in heading:
        raise TrainingError(
            f"table: found the columns {', '.join(heading) or 'none'}, needed {where.name} and one of {', '.join(KEYS)}"
        )
    said: dict[str, list[Any]] = {}
    for row in rows:
        said.setdefault(row[key], []).append(row[where.name])
    mine = {member.volume: said.get(str(getattr(member, key, "")), []) for member in members}
    return {volume: values for volume, raw in mine.items() if (values := _known(raw))}


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file in UTF-8 with a heading.

    Raises:
        TrainingError: if there is no such file, it is no such text, or a row has more cells than the heading.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except FileNotFoundError:
        raise TrainingError("table: found no such file, needed a CSV file with a heading") from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise TrainingError("table: found a file that cannot be read, needed CSV in UTF-8 with a heading") from None
    if any(None in row for row in rows):
        raise TrainingError("table: found a row with more cells than the heading, needed as many; quote commas in text")
    return [{name.strip(): (cell or "").strip() for name, cell in row.items()} for row in rows]


def digest_of_table(path: Path) -> str:
    """SHA-256 of a table's bytes: what was learned from is part of what a training is.

    Raises:
        TrainingError: if there is no such file.
    """
    if not path.is_file():
        raise TrainingError("table: found no such file, needed a CSV file with a heading")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def few(members: Sequence[Member], config: FinetuneConfig) -> list[Member]:
    """The members of as many subjects as the configuration asks for, chosen by its seed, by subject and volume.

    Raises:
        TrainingError: if there are fewer.
    """
    subjects = sorted({member.subject for member in members})
    if config.labels > len(subjects) or not subjects:
        raise TrainingError(
            f"labels: found {len(subjects)} training subjects with what is to be learned, needed "
            f"{config.labels or 'at least one'}; ask for fewer, or 0 for all"
        )
    count = config.labels or len(subjects)
    taken = {subjects[i] for i in random(config.seed, SUBJECTS).permutation(len(subjects))[:count]}
    return sorted((m for m in members if m.subject in taken), key=lambda m: (m.subject, m.volume))


def _known(raw: Sequence[Any]) -> tuple[str, ...]:
    """What is said, each thing once; what means that nothing is known is not said."""
    said = (_text(value) for value in raw)
    return tuple(dict.fromkeys(text for text in said if text.lower() not in MISSING))


def _text(value: Any) -> str:
    """A value as text; whole numbers without a fraction, so that a table and a column say the same."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
