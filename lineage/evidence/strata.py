"""Who and what is in a release: volumes by source, scanner, field strength, sex and age, what is missing, and gaps.

Belongs here: counting rows of volumes and series by split. What shows the counts are the data card of a release
(`stages.export.datacard`), the audit report and the technical file.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lake.releases import SPLITS

NOT_STATED = "not stated"

_AGE_BAND = 20
"""Width of an age band in years, wide enough that a small release does not single people out."""

_FEW = 0.05
"""Share of the volumes of a release below which a value is called rare."""

Row = Mapping[str, Any]


def _scanner(row: Row) -> str:
    return " ".join(str(row[name]) for name in ("manufacturer", "model") if row.get(name))


def _age_band(age: int | None) -> str | None:
    if age is None:
        return None
    low = age // _AGE_BAND * _AGE_BAND
    return f"{low} to {low + _AGE_BAND - 1}"


_STRATA: dict[str, Callable[[Row], Any]] = {
    "Source": lambda row: row.get("delivery"),
    "Contrast": lambda row: row.get("contrast"),
    "Body part": lambda row: row.get("body_part"),
    "Manufacturer": lambda row: row.get("manufacturer"),
    "Scanner": _scanner,
    "Field strength [T]": lambda row: row.get("field_strength"),
    "Sex": lambda row: row.get("sex"),
    "Age [years]": lambda row: _age_band(row.get("age")),
    "Plane": lambda row: row.get("plane"),
    "Licence": lambda row: row.get("licence"),
}
_PEOPLE = ("Manufacturer", "Scanner", "Field strength [T]", "Sex", "Age [years]", "Source")
"""Strata in which a difference between splits, or a rare value, is a gap that a user must know of."""


@dataclass(frozen=True)
class Stratum:
    """One way to count the volumes of a release.

    Attributes:
        title: by what.
        values: each value with its volumes in every split of `SPLITS`, most frequent first; what is not stated is a
            value too.
    """

    title: str
    values: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def missing(self) -> int:
        """Volumes for which it is not stated."""
        return sum(sum(numbers) for value, numbers in self.values if value == NOT_STATED)

    @property
    def total(self) -> int:
        """Volumes."""
        return sum(sum(numbers) for _, numbers in self.values)


def strata(rows: Sequence[Row], split: Mapping[str, str]) -> list[Stratum]:
    """The volumes of a release, counted by everything that a reader should know of.

    Args:
        rows: columns of volumes and series of each volume in it, with `subject`.
        split: split of each subject.
    """
    return [Stratum(title, _counted(rows, of, split)) for title, of in _STRATA.items()]


def gaps(found: Sequence[Stratum]) -> list[str]:
    """What a release cannot speak for: values that are rare, missing, alone, or tested but never trained on."""
    said = []
    for stratum in found:
        values = [(value, numbers) for value, numbers in stratum.values if value != NOT_STATED]
        if stratum.missing:
            said.append(f"{stratum.title}: not stated for {stratum.missing} of {stratum.total} volumes")
        if stratum.title not in _PEOPLE:
            continue
        if len(values) == 1:
            said.append(f"{stratum.title}: only {values[0][0]}")
        unseen = [value for value, numbers in values if not numbers[0] and numbers[-1]]
        if unseen:
            said.append(f"{stratum.title}: in test but not in train: {', '.join(unseen)}")
        rare = [value for value, numbers in values if sum(numbers) < _FEW * stratum.total]
        if rare:
            said.append(f"{stratum.title}: fewer than {_FEW:.0%} of the volumes: {', '.join(rare)}")
    return said


def _counted(
    rows: Sequence[Row], of: Callable[[Row], Any], split: Mapping[str, str]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        value = of(row)
        counts.setdefault(NOT_STATED if value in (None, "") else f"{value}", Counter())[split[row["subject"]]] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return tuple((value, tuple(found[name] for name in SPLITS)) for value, found in ordered)
