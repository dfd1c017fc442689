"""A policy compiled for look-up: which rule treats an element, by tag or by private creator and offset.

Belongs here: finding policies and turning their keywords into tags. What the rules do to values is `deid.treatment`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from schemas.document import DocumentError
from schemas.policy import POLICIES, Policy, Rule, read_policy

_TEXT_VRS = frozenset({"SH", "LO", "ST", "LT", "UT", "UC"})
_NUMBER_VRS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_TIME_VRS = frozenset({"DA", "TM", "DT"})
_ANY_NUMBER = 1 << 20


class Treat(StrEnum):
    """What is done to an element that a rule names."""

    NUMBER = "number"
    CODE = "code"
    TEXT = "text"
    AGE = "age"
    TIME = "time"
    UID = "uid"
    SEQUENCE = "sequence"
    CODES = "codes"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Treatment:
    """The rule of one element.

    Attributes:
        rule: id of the policy's rule.
        treat: what is done.
        vrs: value representations that the element may have; the first is the one to assume where a file says none.
        most: most values it may hold (PS3.6 value multiplicity).
    """

    rule: str
    treat: Treat
    vrs: tuple[str, ...]
    most: int = 1


@dataclass(frozen=True)
class Rules:
    """A policy as look-up tables.

    Attributes:
        policy: the document.
        standard: tag to treatment.
        private: creator and element offset (group << 8 | offset) to treatment.
    """

    policy: Policy
    standard: dict[int, Treatment] = field(default_factory=dict)
    private: dict[tuple[str, int], Treatment] = field(default_factory=dict)


def load_policy(name_or_path: str | Path) -> Policy:
    """A policy by the name it ships under, or from a YAML file.

    Raises:
        DocumentError: if there is none, or a field is missing or wrong.
    """
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")) or "/" in text
    return read_policy(Path(text) if is_path else POLICIES / f"{text}.yaml")


@lru_cache(maxsize=16)
def _compiled(digest: str, content: str) -> Rules:
    policy = Policy.model_validate_json(content)
    rules = Rules(policy)
    for tag, treatment in _standard(policy):
        if tag in rules.standard:
            raise DocumentError(
                f"policy {policy.name}: found element ({tag >> 16:04X},{tag & 0xFFFF:04X}) in rules "
                f"{rules.standard[tag].rule} and {treatment.rule}, needed one rule an element"
            )
        rules.standard[tag] = treatment
    for private in policy.private:
        for element in private.elements:
            key = (private.creator, element.group << 8 | element.offset)
            rules.private[key] = Treatment(private.id, Treat.NUMBER, (element.vr,), element.values)
    return rules


def compile_policy(policy: Policy) -> Rules:
    """The policy's look-up tables; the same object for the same content.

    Raises:
        DocumentError: if a keyword is unknown, its kind does not fit the list it stands in, or two rules name it.
    """
    return _compiled(policy.digest, policy.model_dump_json())


def _standard(policy: Policy) -> Iterator[tuple[int, Treatment]]:
    lists: tuple[tuple[str, list[Rule], frozenset[str], Treat | None], ...] = (
        ("keep", policy.keep, _NUMBER_VRS | {"CS", "AS"} | _TEXT_VRS, None),
        ("clean", policy.clean, _TEXT_VRS | {"CS"}, Treat.TEXT),
        ("times", policy.times, _TIME_VRS, Treat.TIME),
        ("uids", policy.uids, frozenset({"UI"}), Treat.UID),
        ("sequences", policy.sequences, frozenset({"SQ"}), Treat.SEQUENCE),
        ("codes", policy.codes, frozenset({"SQ"}), Treat.CODES),
    )
    for name, rules, allowed, treat in lists:
        for rule in rules:
            for keyword in rule.elements:
                tag = _tag(policy, rule, keyword)
                vrs = tuple(dictionary_VR(tag).split(" or "))
                if not allowed.issuperset(vrs):
                    raise DocumentError(
                        f"policy {policy.name}, rule {rule.id}: found {keyword} of value representation {vrs[0]} in "
                        f"list {name!r}, needed one of {sorted(allowed)}"
                    )
                yield tag, Treatment(rule.id, treat or _kept(vrs[0]), vrs, _most(dictionary_VM(tag)))
    for rule in policy.empty:
        for keyword in rule.elements:
            tag = _tag(policy, rule, keyword)
            yield tag, Treatment(rule.id, Treat.EMPTY, tuple(dictionary_VR(tag).split(" or ")), 0)


def _kept(vr: str) -> Treat:
    # free text in a keep list is cleaned all the same: nothing leaves as text that no vocabulary knows
    if vr in _TEXT_VRS:
        return Treat.TEXT
    return {"CS": Treat.CODE, "AS": Treat.AGE}.get(vr, Treat.NUMBER)


def _tag(policy: Policy, rule: Rule, keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise DocumentError(
            f"policy {policy.name}, rule {rule.id}: found {keyword}, which is no keyword of the DICOM data dictionary"
        )
    return tag


def _most(multiplicity: str) -> int:
    last = multiplicity.rsplit("-", maxsplit=1)[-1]
    return int(last) if last.isdigit() else _ANY_NUMBER
