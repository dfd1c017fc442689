"""What a policy keeps, in rows that a person can check, and what changed against another policy.

Belongs here: from a compiled policy to rows. Printing them is `orchestration.verbs.doctor`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydicom.datadict import keyword_for_tag

from deid.headers import standard
from deid.policy import Rules, Treat, Treatment, action, claims, compile_policy
from schemas.policy import Dates, Policy

_FIELDS = ("dates", "age_cap", "burned_in", "faces", "suspect_image_types", "edition")
"""What a policy says beside its rules."""

_TIMES = {
    Dates.YEAR_ONLY: "the year stays, the time of day is moved with the study's",
    Dates.SHIFT: "moved by the subject's secret number of days",
    Dates.KEEP: "kept",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of one element.

    Attributes:
        tag: `(gggg,eeee)`, or `(gggg,xxee)` with its creator for a private one.
        keyword: of PS3.6, or what a private element means.
        happens: in words.
        action: in the terms of PS3.15; K kept, C cleaned, U UID replaced, D made anew, Z no value.
        rule: id of the policy's rule.
        reason: why the rule is there.
        basic: what the Basic Profile of PS3.15 asks for; empty: the table does not list the element.
        option: code of the option that lets it leave; empty: none is needed.
    """

    tag: str
    keyword: str
    happens: str
    action: str
    rule: str
    reason: str
    basic: str
    option: str

    def json(self) -> dict[str, str]:
        """The row as a mapping."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two policies.

    Attributes:
        what: tag and keyword of an element, or a field of the policy.
        before: what the other policy says; empty: nothing, so the element does not leave.
        now: what this policy says; empty: likewise.
    """

    what: str
    before: str
    now: str

    def json(self) -> dict[str, str]:
        """The change as a mapping."""
        return asdict(self)


def explain(policy: Policy) -> list[Row]:
    """One row for each element that leaves, in order of rules, then tags; what is in no row does not leave.

    Raises:
        DocumentError: if the policy contradicts itself, the data dictionary or PS3.15.
    """
    rules = compile_policy(policy)
    reasons = _reasons(policy)
    order = {rule: number for number, rule in enumerate(reasons)}
    rows = [_standard_row(tag, treatment, rules, reasons) for tag, treatment in sorted(rules.standard.items())]
    meanings = _meanings(policy)
    keys = sorted(rules.private, key=lambda key: (key[1], key[0]))
    rows += [_private_row(key, rules, reasons, meanings[key]) for key in keys]
    return sorted(rows, key=lambda row: order[row.rule])


def changes(policy: Policy, other: Policy) -> list[Change]:
    """What `policy` says otherwise than `other`: fields first, then elements.

    Raises:
        DocumentError: as `explain`.
    """
    found = [
        Change(name, str(getattr(other, name)), str(getattr(policy, name)))
        for name in _FIELDS
        if getattr(policy, name) != getattr(other, name)
    ]
    now, before = (_by_element(explain(each)) for each in (policy, other))
    pairs = ((element, before.get(element, ""), now.get(element, "")) for element in sorted(now.keys() | before.keys()))
    return found + [Change(*pair) for pair in pairs if pair[1] != pair[2]]


def options(policy: Policy) -> Mapping[str, str]:
    """Options of PS3.15 that outputs claim by this policy's rules, code to meaning."""
    codes = {standard.BASIC, *claims(policy)} | ({standard.SAFE_PRIVATE} if policy.private else set())
    return {code: standard.OPTIONS[code] for code in sorted(codes)}


def _by_element(rows: list[Row]) -> dict[str, str]:
    return {f"{row.tag} {row.keyword}": f"{row.happens}{f' ({row.option})' if row.option else ''}" for row in rows}


def _reasons(policy: Policy) -> dict[str, str]:
    lists: list[list[Any]] = [value for _, value in policy if isinstance(value, list)]
    return {rule.id: rule.reason for rules in lists for rule in rules if hasattr(rule, "reason")}


def _standard_row(tag: int, treatment: Treatment, rules: Rules, reasons: Mapping[str, str]) -> Row:
    listed = standard.table().row(tag)
    needed = treatment.option if listed and treatment.option in listed.options else ""
    return Row(
        tag=f"({tag >> 16:04X},{tag & 0xFFFF:04X})",
        keyword=keyword_for_tag(tag),
        happens=_happens(treatment, rules.policy),
        action=_action(treatment, rules.policy),
        rule=treatment.rule,
        reason=reasons[treatment.rule],
        basic=listed.basic if listed else "",
        option=needed,
    )


def _private_row(key: tuple[str, int], rules: Rules, reasons: Mapping[str, str], meaning: str) -> Row:
    (creator, place), treatment = key, rules.private[key]
    return Row(
        tag=f"({place >> 8:04X},xx{place & 0xFF:02X} {creator})",
        keyword=meaning,
        happens=_happens(treatment, rules.policy),
        action=_action(treatment, rules.policy),
        rule=treatment.rule,
        reason=reasons[treatment.rule],
        basic="X",
        option=standard.SAFE_PRIVATE,
    )


def _meanings(policy: Policy) -> dict[tuple[str, int], str]:
    return {
        (rule.creator, element.group << 8 | element.offset): element.meaning
        for rule in policy.private
        for element in rule.elements
    }


def _action(treatment: Treatment, policy: Policy) -> str:
    done = action(treatment.treat, policy.dates)
    return "D" if done == "Z" and treatment.instead else done


def _happens(treatment: Treatment, policy: Policy) -> str:
    instead = treatment.instead.decode()
    if treatment.among:
        return f"kept if it is one of {', '.join(sorted(word.decode() for word in treatment.among))}"
    if treatment.treat is Treat.EMPTY:
        return f"replaced by {instead}" if instead else "given without a value"
    said = {
        Treat.NUMBER: "kept if it is numbers",
        Treat.CODE: "kept if it is words of the standard or of protocols",
        Treat.AGE: f"kept, above {policy.age_cap} years as {policy.age_cap + 1}",
        Treat.TEXT: "cleaned to known words",
        Treat.PROSE: "cleaned as report text",
        Treat.TIME: _TIMES[policy.dates],
        Treat.UID: "replaced, the same everywhere",
        Treat.SEQUENCE: "its items are treated by the same rules",
        Treat.CODES: "kept if a public terminology knows it",
    }[treatment.treat]
    return f"{said}, else {instead}" if instead else said
