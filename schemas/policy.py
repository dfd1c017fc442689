"""What may leave: de-identification policies as documents.

Belongs here: the fields of a policy and how one document builds on another. Looking rules up by tag is `deid.policy`,
applying them is `deid.headers.headers` and `deid.text.text`. Policies that ship lie in `schemas/policies`.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from schemas.document import Document, DocumentError, read_yaml
from schemas.naming import Name

POLICIES = Path(__file__).parent / "policies"
"""Folder of the policies that ship."""

_RULE_LISTS = ("keep", "clean", "prose", "times", "uids", "sequences", "codes", "empty", "private")
_PLACE = re.compile(r"([0-9A-Fa-f]{4}),xx([0-9A-Fa-f]{2})")


class Dates(StrEnum):
    """What becomes of dates: the year alone, a shift that keeps a subject's intervals, or nothing."""

    YEAR_ONLY = "year_only"
    SHIFT = "shift"
    KEEP = "keep"

    @property
    def option(self) -> str:
        """Code of the option of PS3.15 that it is: modified dates, also where they are cut to years, or full dates."""
        return "113106" if self is Dates.KEEP else "113107"


class Found(StrEnum):
    """What becomes of something found in pixels: it is blanked, its series is held back, or it stays."""

    CLEAN = "clean"
    HOLD = "hold"
    KEEP = "keep"


class Rule(Document):
    """Standard elements that are treated alike, and why."""

    id: Name
    """Name of the rule; decisions quote it."""
    reason: str = Field(min_length=1)
    """Why these elements may leave, for a compliance officer."""
    elements: list[str] = Field(min_length=1)
    """Keywords of the DICOM data dictionary (PS3.6)."""
    instead: str = ""
    """Value given where nothing of the original may stay and the standard asks for one (PS3.15 action D); in lists of
    coded concepts the meaning of a private code; empty: none."""
    option: str = Field(default="", pattern=r"^(1131(0[3-9]|1[0-2]))?$")
    """Code (PS3.16 CID 7050) of the option of PS3.15 that lets listed elements leave; empty: the Basic Profile does, or
    lists none of them. Rules for dates and times need none, `dates` says it."""

    @field_validator("option", mode="before")
    @classmethod
    def _coded(cls, option: object) -> object:
        return str(option) if isinstance(option, int) else option


NumberVr = Literal["DS", "IS", "FD", "FL", "SL", "SS", "UL", "US"]
PrivateVr = Literal[NumberVr, "CS", "LO", "SQ"]


class PrivateElement(Document):
    """One private element that holds numbers or words of a closed list, or a sequence of such elements."""

    at: str
    """Group and element offset inside the creator's block, for example `0019,xx0C`."""
    vr: PrivateVr | list[NumberVr]
    """Value representation, or those of numbers that a vendor has used; a value of another one is dropped. The items of
    an SQ are treated by the same rules."""
    meaning: str = Field(min_length=1)
    """What the element says."""
    values: int = Field(default=1, ge=1)
    """Most values it may hold."""
    among: list[str] = Field(default_factory=list)
    """Words that a CS or LO may hold; a value with another one is dropped."""

    @model_validator(mode="after")
    def _closed(self) -> "PrivateElement":
        if (self.vr in ("CS", "LO")) != bool(self.among):
            raise ValueError("found text without the words it may hold, or such words for numbers, needed both or none")
        return self

    @field_validator("at")
    @classmethod
    def _placed(cls, at: str) -> str:
        match = _PLACE.fullmatch(at)
        if not match or int(match[1], 16) % 2 == 0:
            raise ValueError("found no private element, needed an odd group and an offset such as 0019,xx0C")
        return f"{match[1].upper()},xx{match[2].upper()}"

    @property
    def vrs(self) -> tuple[str, ...]:
        """Value representations that it may have."""
        return tuple(self.vr) if isinstance(self.vr, list) else (self.vr,)

    @property
    def group(self) -> int:
        """Group number."""
        return int(self.at[:4], 16)

    @property
    def offset(self) -> int:
        """Element number inside the creator's block."""
        return int(self.at[-2:], 16)


class PrivateRule(Document):
    """Safe private elements of one creator (PS3.15 E.3.10, Retain Safe Private)."""

    id: Name
    """Name of the rule; decisions quote it."""
    reason: str = Field(min_length=1)
    """Why they may leave."""
    creator: str = Field(min_length=1, max_length=64)
    """Private creator that reserves the block."""
    elements: list[PrivateElement] = Field(min_length=1)
    """The elements."""


class Policy(Document):
    """A de-identification policy: an allow-list. What no rule names does not leave."""

    name: Name
    """Name of the policy."""
    version: int = Field(ge=1)
    """Raised with every change of meaning."""
    title: str
    """What it is for, in a sentence."""
    edition: str
    """Edition of the standard the rules were written against."""
    dates: Dates
    """What becomes of dates."""
    age_cap: int = Field(default=89, ge=1, le=120)
    """Ages above it are given as one year more (45 CFR 164.514(b)(2)(i)(C))."""
    keep: list[Rule] = Field(default_factory=list)
    """Numbers and codes that leave after a check of their form."""
    clean: list[Rule] = Field(default_factory=list)
    """Free text that leaves after cleaning."""
    prose: list[Rule] = Field(default_factory=list)
    """Running text that leaves as report text does, with typed tags in place of what may identify somebody."""
    times: list[Rule] = Field(default_factory=list)
    """Dates and times that leave as `dates` says."""
    uids: list[Rule] = Field(default_factory=list)
    """UIDs, replaced; UIDs of the standard itself stay."""
    sequences: list[Rule] = Field(default_factory=list)
    """Sequences whose items are treated by the same rules."""
    codes: list[Rule] = Field(default_factory=list)
    """Sequences of coded concepts; only concepts of public terminologies leave."""
    empty: list[Rule] = Field(default_factory=list)
    """Elements that an image must have, given without a value."""
    private: list[PrivateRule] = Field(default_factory=list)
    """Safe private elements."""
    suspect_image_types: list[str] = Field(default_factory=list)
    """Values of Image Type that raise the suspicion of burned-in text."""
    burned_in: Literal[Found.CLEAN, Found.HOLD] = Found.CLEAN
    """What becomes of text in pixels; it never stays."""
    faces: Found = Found.CLEAN
    """What becomes of faces in structural head images (45 CFR 164.514(b)(2)(i)(Q), "full face photographs and any
    comparable images"); `keep` needs an expert's determination."""


def read_policy(path: Path) -> Policy:
    """The policy at `path`; `extends: other.yaml` puts it on top of another one, beside it or one that ships.

    Lists of rules add up; a rule with an id of the base replaces it; every other field overrides the base's. The
    result is a whole document, so its digest covers what it was built on.

    Raises:
        DocumentError: if a file is missing, not YAML, extends itself, or a field is missing or wrong.
    """
    return Policy.parse(_merged(path, ()), path.name)


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise DocumentError(f"{path.name}: found a policy that extends itself, needed a base without a circle")
    if not path.is_file():
        raise DocumentError(
            f"found no policy {path.name} in {path.parent}, needed one; the shipped ones are {shipped()}"
        )
    content = read_yaml(path, "a policy document")
    if not isinstance(content, dict):
        raise DocumentError(f"{path.name}: found no mapping, needed the fields of a policy")
    base_name = content.pop("extends", None)
    if base_name is None:
        return content
    base = _merged(_base(path, str(base_name)), (*seen, path))
    return {**base, **content} | {key: _joined(base.get(key), content.get(key)) for key in _RULE_LISTS}


def _base(path: Path, name: str) -> Path:
    """The policy that one at `path` builds on: one beside it, or one that ships, with or without its ending."""
    beside = path.parent / name
    shipping = POLICIES / f"{name.removesuffix('.yaml')}.yaml"
    return shipping if shipping.is_file() and (beside == path or not beside.is_file()) else beside


def _joined(base: Any, own: Any) -> list[Any]:
    own = own if isinstance(own, list) else []
    replaced = {rule.get("id") for rule in own if isinstance(rule, dict)}
    kept = [rule for rule in base or [] if not (isinstance(rule, dict) and rule.get("id") in replaced)]
    return [*kept, *own]


def shipped() -> list[str]:
    """Names of the policies that ship."""
    return sorted(path.stem for path in POLICIES.glob("*.yaml") if not path.stem.startswith("base_"))
