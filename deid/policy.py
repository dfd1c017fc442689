"""A policy compiled for look-up: which rule treats an element, by tag or by private creator and offset.

Belongs here: finding policies, turning their keywords into tags, and refusing what the standard does not allow. What
the rules do to values is `deid.headers.treatment`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from deid.headers import standard
from schemas.document import DocumentError
from schemas.policy import POLICIES, Dates, Policy, Rule, read_policy

_TEXT_VRS = frozenset({"SH", "LO", "ST", "LT", "UT", "UC"})
_NUMBER_VRS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_TIME_VRS = frozenset({"DA", "TM", "DT"})
_ANY_NUMBER = 1 << 20
_RULE_LISTS = ("keep", "clean", "prose", "times", "uids", "sequences", "codes", "empty")


class Treat(StrEnum):
    """What is done to an element that a rule names."""

    NUMBER = "number"
    CODE = "code"
    TEXT = "text"
    PROSE = "prose"
    AGE = "age"
    TIME = "time"
    UID = "uid"
    SEQUENCE = "sequence"
    CODES = "codes"
    EMPTY = "empty"


_ACTIONS = {
    Treat.NUMBER: "K", Treat.CODE: "K", Treat.AGE: "K", Treat.TEXT: "C", Treat.PROSE: "C", Treat.TIME: "C",
    Treat.UID: "U", Treat.SEQUENCE: "D", Treat.CODES: "D", Treat.EMPTY: "Z",
}  # fmt: skip
"""What the treatments are in the terms of PS3.15. Items of sequences are made anew, by the same rules."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """The rule of one element.

    Attributes:
        rule: id of the policy's rule.
        treat: what is done.
        vrs: value representations that the element may have; the first is the one to assume where a file says none.
        most: most values it may hold (PS3.6 value multiplicity).
        instead: value that stands where nothing of the original may stay; empty: none.
        option: code of the option of PS3.15 that it stands on; empty: none.
        among: words that private text may be; empty: it holds numbers.
    """

    rule: str
    treat: Treat
    vrs: tuple[str, ...]
    most: int = 1
    instead: bytes = b""
    option: str = ""
    among: frozenset[bytes] = frozenset()


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
        _conform(policy, tag, treatment)
        rules.standard[tag] = treatment
    _used(policy)
    for private in policy.private:
        for element in private.elements:
            key = (private.creator, element.group << 8 | element.offset)
            if key in rules.private:
                raise DocumentError(
                    f"policy {policy.name}: found {element.at} of {private.creator} in rules {rules.private[key].rule} "
                    f"and {private.id}, needed one rule an element"
                )
            treat = Treat.SEQUENCE if element.vr == "SQ" else Treat.NUMBER
            among = frozenset(word.encode() for word in element.among)
            rules.private[key] = Treatment(private.id, treat, element.vrs, element.values, among=among)
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
        ("prose", policy.prose, _TEXT_VRS, Treat.PROSE),
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
                option = policy.dates.option if treat is Treat.TIME else rule.option
                most, instead = _most(dictionary_VM(tag)), _instead(rule)
                yield tag, Treatment(rule.id, treat or _kept(vrs[0]), vrs, most, instead, option)
    for rule in policy.empty:
        for keyword in rule.elements:
            tag = _tag(policy, rule, keyword)
            yield tag, Treatment(rule.id, Treat.EMPTY, tuple(dictionary_VR(tag).split(" or ")), 0, _instead(rule))


def action(treat: Treat, dates: Dates) -> str:
    """What a treatment is in the terms of PS3.15: K kept, C cleaned, U UID replaced, D made anew, Z no value."""
    return "K" if treat is Treat.TIME and dates is Dates.KEEP else _ACTIONS[treat]


def _conform(policy: Policy, tag: int, treatment: Treatment) -> None:
    row = standard.table().row(tag)
    done = action(treatment.treat, policy.dates)
    if row is None or standard.allows(row, done, treatment.option):
        return
    needed = [code for code, given in row.options.items() if given == "K" or done != "K"]
    raise DocumentError(
        f"policy {policy.name}, rule {treatment.rule}: found {row.keyword}, for which the Basic Profile of PS3.15 asks "
        f"{row.basic}, {f'with option {treatment.option}' if treatment.option else 'without an option'}, needed "
        + (f"`option: {' or '.join(needed)}` in its rule" if needed else "it in no rule but one of `empty`")
    )


def _used(policy: Policy) -> None:
    """Refuse options that let nothing leave: the output would claim them."""
    for name in _RULE_LISTS:
        for rule in getattr(policy, name):
            rows = [standard.table().row(_tag(policy, rule, keyword)) for keyword in rule.elements]
            if rule.option and not any(row and rule.option in row.options for row in rows):
                raise DocumentError(
                    f"policy {policy.name}, rule {rule.id}: found option {rule.option}, which PS3.15 gives to none of "
                    "its elements, needed no option"
                )


def claims(policy: Policy) -> frozenset[str]:
    """Codes of the options of PS3.15 that the rules for standard elements stand on."""
    rules = (rule for name in _RULE_LISTS for rule in getattr(policy, name))
    return frozenset(rule.option for rule in rules if rule.option) | ({policy.dates.option} if policy.times else set())


def _instead(rule: Rule) -> bytes:
    return rule.instead.encode()


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
    return int(tag)


def _most(multiplicity: str) -> int:
    last = multiplicity.rsplit("-", maxsplit=1)[-1]
    return int(last) if last.isdigit() else _ANY_NUMBER
