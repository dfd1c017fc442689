"""What a licensor declares of tables of diagnoses, so that nothing else of them is read.

Belongs here: keys, columns, kinds, levels and ranges. There is no kind for free text or dates, and a number needs a
range, because what is left could be an identifier. Reading the tables is `stages.diagnoses`.
"""

import re
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from schemas.document import Document
from schemas.naming import Name

_DATED = re.compile(
    r"(?:^|[^a-z])(?:dates?|dob|dod|birth\w*|death\w*|died|datetime|timestamp|year|zip|mrn|ssn)(?:$|[^a-z])"
)
"""Words in a column's name that say it holds a date, a place or a record number (45 CFR 164.514(b)(2))."""

_TRUE, _FALSE, _MISSING = ["true", "yes", "1"], ["false", "no", "0"], ["", "NA", "n/a", "NaN"]


class Key(StrEnum):
    """What the key column of a table names."""

    PATIENT = "patient"
    STUDY = "study"
    ACCESSION = "accession"
    SERIES = "series"
    PATH = "path"


class Value(StrEnum):
    """What a column holds."""

    CATEGORY = "category"
    NUMBER = "number"
    BOOLEAN = "boolean"


class Coding(Document):
    """A code of a terminology."""

    scheme: str = Field(pattern=r"^[A-Za-z0-9._-]{1,16}$")
    """Coding scheme designator as in DICOM PS3.16, such as SCT, LN, I10, RADLEX."""
    code: str = Field(pattern=r"^[A-Za-z0-9._:/-]{1,64}$")
    """The code."""
    meaning: str = Field(default="", max_length=128)
    """What it means."""


class Level(Document):
    """A value that a category may have."""

    value: str = Field(min_length=1, max_length=64)
    """As it stands in the table."""
    name: str = Field(default="", max_length=64)
    """What the lake calls it; empty: as in the table."""
    coding: Coding | None = None
    """Its code, where there is one."""


class DiagnosisColumn(Document):
    """A column that is taken over."""

    column: str = Field(min_length=1)
    """Its name in the table's first line."""
    name: Name
    """What the lake calls it."""
    kind: Value
    """category, number or boolean."""
    unit: str | None = Field(default=None, max_length=32)
    """Unit of a number, in UCUM (`mm`, `a`, `{score}`)."""
    coding: Coding | None = None
    """Code of what is measured or judged."""
    levels: list[Level] = Field(default_factory=list)
    """All values that a category may have."""
    minimum: float | None = Field(default=None, allow_inf_nan=False)
    """Least value of a number."""
    maximum: float | None = Field(default=None, allow_inf_nan=False)
    """Largest value of a number."""
    true: list[str] = _TRUE
    """Words for true of a boolean, whatever their case."""
    false: list[str] = _FALSE
    """Words for false of a boolean, whatever their case."""

    @model_validator(mode="after")
    def _closed(self) -> "DiagnosisColumn":
        if self.kind is Value.CATEGORY and not self.levels:
            raise ValueError("found a category without levels, needed all values that it may have")
        if self.kind is Value.NUMBER and (self.minimum is None or self.maximum is None):
            raise ValueError("found a number without minimum and maximum, needed both: it might be a record number")
        if self.kind is not Value.NUMBER and self.unit:
            raise ValueError("found a unit without kind number, needed none")
        if self.kind is Value.NUMBER and any(_DATED.search(n.lower()) for n in (self.column, self.name)):
            raise ValueError("found a number that is named like a date or an identifier, needed another measure")
        words = [level.value for level in self.levels] + [w.casefold() for w in self.true + self.false]
        if len(set(words)) != len(words):
            raise ValueError("found one word for two values, needed each once")
        return self


class DiagnosisTable(Document):
    """Files of one layout, CSV in UTF-8 with a line of names."""

    files: str = Field(min_length=1)
    """Path inside the delivery, or a pattern of paths with * and ?."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """What stands between two columns."""
    key: str = Field(min_length=1)
    """Column that says whom or what a row is about."""
    names: Key
    """What the key is: patient id, Study Instance UID, accession number, Series Instance UID, or path of an image."""
    missing: list[str] = _MISSING
    """Cells that say nothing; such a cell makes no diagnosis."""
    columns: list[DiagnosisColumn] = Field(min_length=1)
    """Columns to take over; all others are left."""

    @model_validator(mode="after")
    def _distinct(self) -> "DiagnosisTable":
        names, columns = [c.name for c in self.columns], [c.column for c in self.columns]
        if len(set(names)) != len(names) or self.key in columns:
            raise ValueError("found a name twice, or the key among the columns, needed each once")
        return self

    def covers(self, path: str) -> bool:
        """Whether a file of the delivery is one of this table."""
        return fnmatchcase(path, self.files)
