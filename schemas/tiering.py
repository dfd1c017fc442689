"""Where files belong: policy documents that give each file a tier, and the uses that people know of beforehand.

Belongs here: fields and rules of the documents. What they cost is `lake.tiering`; the policies that ship lie there as
well. A tier is a storage class of the price book (`schemas.prices`).
"""

import datetime as dt
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import Field, model_validator

from schemas.document import Document
from schemas.naming import Name


class Method(StrEnum):
    """How a policy decides."""

    RULES = "rules"
    FORESIGHT = "foresight"


class Need(StrEnum):
    """Whether the newest version of a table or a release needs a file."""

    ANY = "any"
    NEEDED = "needed"
    SPARE = "spare"


class When(Document):
    """Conditions; a file fits if all that are given hold."""

    tables: list[str] = Field(default_factory=lambda: ["*"], min_length=1)
    """Tables (`<zone>/<table>`), as shell patterns."""
    need: Need = Need.ANY
    """Whether a live version or a release needs the file."""
    age_days: int | None = Field(default=None, ge=0)
    """Days since it was written, at least."""
    at_least_bytes: int | None = Field(default=None, ge=0)
    """Size, at least."""
    below_bytes: int | None = Field(default=None, gt=0)
    """Size, below."""
    idle_days: int | None = Field(default=None, ge=0)
    """Days since it was read, or written where nobody read it, at least."""
    expected_within_days: int | None = Field(default=None, ge=0)
    """A use is known that begins within so many days."""
    unexpected_within_days: int | None = Field(default=None, ge=0)
    """No use is known within so many days."""
    licences: list[str] = Field(default_factory=lambda: ["*"], min_length=1)
    """Licences of its rows, as shell patterns."""
    licence_ends_within_days: int | None = Field(default=None, ge=0)
    """The licence ends within so many days, or has ended."""


class Rule(Document):
    """Conditions and the tier that they give."""

    name: Name
    """Name, which explanations quote."""
    when: When = When()
    """What a file must fit."""
    tier: str = Field(min_length=1)
    """Storage class of the price book."""
    why: str = ""
    """Why, for those who read the explanation."""


class LicenceStorage(Document):
    """Where a licence lets data lie."""

    licences: list[str] = Field(min_length=1)
    """Licences, as shell patterns."""
    tiers: list[str] = Field(min_length=1)
    """Storage classes that they allow; files are moved to no other."""


class TieringPolicy(Document):
    """Which tier the files of a lake belong on."""

    name: Name
    """Name of the policy."""
    title: str
    """What it does, in a line."""
    method: Method = Method.RULES
    """`rules`: the first rule that fits a file gives its tier. `foresight`: the cheapest way through the uses that are
    known, with those that nobody announced at the rate seen so far; rules then say where files stay at any cost."""
    rules: list[Rule] = Field(default_factory=list)
    """Rules; the first that fits counts."""
    otherwise: str | None = None
    """Tier of files that no rule fits, where rules decide; None: the class that files are written to."""
    tiers: list[str] = Field(default_factory=list)
    """Tiers that foresight chooses from; empty: every one that spans several zones."""
    licence_storage: list[LicenceStorage] = Field(default_factory=list)
    """Where licences let data lie; the first entry that fits a licence counts."""
    hold_minimum: bool = True
    """Whether rules leave a file where it is until its minimum duration is over, unless a use is known."""
    lookahead_days: int = Field(default=240, ge=30, le=730)
    """How far ahead foresight weighs costs."""
    replan_days: int = Field(default=7, ge=1, le=60)
    """How often foresight looks at reads that nobody announced; announced ones are looked at on the day."""
    prior_days: int = Field(default=60, ge=1)
    """Days of a table's common rate of reads that count against a delivery's own record."""
    training_prior_days: int = Field(default=730, ge=1)
    """The same for trainings, which take their deliveries more evenly."""

    @model_validator(mode="after")
    def _decides(self) -> "TieringPolicy":
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("found two rules of one name, needed a name of its own for each")
        if self.method is Method.RULES and not self.rules:
            raise ValueError("found no rule, needed one or more, or method: foresight")
        return self

    def mentioned(self) -> set[str]:
        """Every storage class that it names."""
        named = {rule.tier for rule in self.rules} | set(self.tiers) | ({self.otherwise} if self.otherwise else set())
        return named | {tier for entry in self.licence_storage for tier in entry.tiers}

    def storage_of(self, licence: str) -> list[str] | None:
        """Storage classes that a licence allows; None: all."""
        for entry in self.licence_storage:
            if fits(entry.licences, licence):
                return entry.tiers
        return None


class Expected(Document):
    """A use that is known beforehand."""

    what: str = Field(min_length=1)
    """A release, or a table (`<zone>/<table>`)."""
    first: dt.date
    """First day of reading."""
    days: int = Field(default=1, ge=1)
    """Days that it reads."""
    passes: float = Field(default=1.0, gt=0)
    """How often it reads everything, over all its days."""
    known: dt.date | None = None
    """Day it became known; None: always known."""


class Demand(Document):
    """Uses that are known beforehand: scheduled trainings, exports, audits."""

    uses: list[Expected] = Field(default_factory=list)
    """The uses."""


def fits(patterns: list[str], name: str) -> bool:
    """Whether a name fits one of the shell patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
