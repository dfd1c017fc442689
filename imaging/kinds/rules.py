"""The table of rules that say what a series is, read and made ready to be asked.

Belongs here: reading rules documents, putting a user's before those that ship, and turning conditions into tests of
`imaging.kinds.facts.Facts`. What a document may say is `schemas.classification`; the table is `rules.yaml` beside this
file; how answers are weighed is `imaging.kinds.classify`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from imaging.kinds.facts import Facts
from schemas.classification import QUESTIONS, Limits, Measured, Named, Question, Rules, When, Words
from schemas.document import DocumentError

SHIPPED = Path(__file__).with_name("rules.yaml")

Test = Callable[[Facts], bool]


@dataclass(frozen=True)
class Rule:
    """A rule of either kind.

    Attributes:
        answer: what it says.
        confidence: how often it is right where it holds, 0 to 1.
        evidence: its name and conditions, for a reader; no values of a series.
        also: other answers that it allows.
        holds: whether it applies.
        words: what a named rule looks for, for texts other than descriptions.
    """

    answer: str
    confidence: float
    evidence: str
    also: frozenset[str]
    holds: Test
    words: re.Pattern[str] | None = None


@dataclass(frozen=True)
class RuleBook:
    """All rules, in the order of trial.

    Attributes:
        measured: question to rules on what was measured or stated.
        named: question to rules on words of descriptions.
        digests: document to SHA-256 of its content, for the record.
    """

    measured: Mapping[str, tuple[Rule, ...]]
    named: Mapping[str, tuple[Rule, ...]]
    digests: dict[str, str]


def load_rules(own: Path | None = None) -> RuleBook:
    """The shipped rules, with those of a user's document before them.

    Raises:
        DocumentError: if the document or a field is missing or wrong, an id is taken, or `without` names no rule.
    """
    shipped, made = _shipped()
    if own is None:
        return made
    rules = Rules.read(own)
    if rules.name == shipped.name:
        raise DocumentError(f"{own.name}: found the name of the shipped rules, needed another one")
    if taken := sorted(set(rules.ids) & (set(shipped.ids) - rules.without)):
        raise DocumentError(
            f"{own.name}: found ids of shipped rules: {', '.join(taken)}; needed others, or these under `without`"
        )
    if unknown := sorted(rules.without - set(shipped.ids)):
        raise DocumentError(
            f"{own.name}: without: found no shipped rules {', '.join(unknown)}; see imaging/kinds/rules.yaml"
        )
    return _book(rules.model_dump_json())


@lru_cache(maxsize=1)
def _shipped() -> tuple[Rules, RuleBook]:
    rules = Rules.read(SHIPPED)
    return rules, _compile([rules])


@lru_cache(maxsize=8)
def _book(own: str) -> RuleBook:
    """The book of a user's document, by its content, so that an edit of the file is seen."""
    rules = Rules.model_validate_json(own)
    shipped = _shipped()[0]
    made = _compile([rules, _without(shipped, rules.without)])
    return replace(made, digests=made.digests | {shipped.name: _digest(shipped)})


def _compile(documents: list[Rules]) -> RuleBook:
    def of(name: str) -> list[Question]:
        return [document.questions[name] for document in documents]

    return RuleBook(
        measured={name: tuple(_measured(rule) for part in of(name) for rule in part.measured) for name in QUESTIONS},
        named={name: tuple(_named(rule) for part in of(name) for rule in part.named) for name in QUESTIONS},
        digests={document.name: _digest(document) for document in documents},
    )


def _without(rules: Rules, off: frozenset[str]) -> Rules:
    left = {
        name: Question(
            measured=tuple(rule for rule in question.measured if rule.id not in off),
            named=tuple(rule for rule in question.named if rule.id not in off),
        )
        for name, question in rules.questions.items()
    }
    return rules.model_copy(update=left)


def _digest(rules: Rules) -> str:
    # sets have no order of their own, so the text is made of sorted ones
    return hashlib.sha256(repr(_sorted(rules.model_dump(exclude_unset=True))).encode()).hexdigest()


def _sorted(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return sorted(value) if isinstance(value, frozenset | set) else value


def _named(rule: Named) -> Rule:
    words = re.compile(rule.words)
    evidence = f"names ({rule.id})"
    return Rule(rule.answer, rule.confidence, evidence, rule.also, lambda facts: bool(words.search(facts.names)), words)


def _measured(rule: Measured) -> Rule:
    conditions = _conditions(rule.when)
    tests = [test for test, _ in conditions]
    evidence = f"{rule.id}: {', '.join(text for _, text in conditions)}"
    return Rule(rule.answer, rule.confidence, evidence, rule.also, lambda facts: all(test(facts) for test in tests))


def _conditions(when: When) -> list[tuple[Test, str]]:
    """A test of the facts and its wording for each condition that is set."""
    found = []
    for name in type(when).model_fields:
        wanted = getattr(when, name)
        if wanted is not None:
            title = name.replace("_", " ")
            found.append((_test(name, wanted), f"{title} {_wording(wanted)}".strip()))
    return found


def _test(name: str, wanted: object) -> Test:
    if isinstance(wanted, Words):
        return _has(name, wanted)
    if name in _TEXTS:
        pattern = re.compile(str(wanted))
        return lambda facts: bool(pattern.search(getattr(facts, name)))
    if isinstance(wanted, tuple) or (name in _NUMBERS and wanted in ("absent", "stated")):
        return _within(name, wanted)
    return lambda facts: bool(getattr(facts, name) == wanted)


def _has(name: str, wanted: Words) -> Test:
    some, every, never = wanted.any, wanted.all, wanted.none
    return lambda facts: (
        (not some or not some.isdisjoint(getattr(facts, name)))
        and every <= getattr(facts, name)
        and never.isdisjoint(getattr(facts, name))
    )


def _within(name: str, limits: Limits) -> Test:
    if isinstance(limits, str):
        return lambda facts: (getattr(facts, name) is None) == (limits == "absent")
    low, high = limits[0] if limits[0] is not None else float("-inf"), limits[1] if limits[1] is not None else _TOP
    return lambda facts: (number := getattr(facts, name)) is not None and low <= number <= high


_TOP = float("inf")
_TEXTS = frozenset({"sequence_name", "body_part", "names"})
_NUMBERS = frozenset(Facts.__dataclass_fields__) - _TEXTS - {"dimensions", "contrast_agent", "angio"}


def _wording(wanted: object) -> str:
    if isinstance(wanted, Words):
        kinds: tuple[tuple[Literal["any", "all", "none"], str], ...] = (("any", ""), ("all", "with "), ("none", "not "))
        return " ".join(before + _listed(getattr(wanted, kind)) for kind, before in kinds if getattr(wanted, kind))
    if isinstance(wanted, tuple):
        low, high = wanted
        if low is None or high is None:
            return f"up to {high:g}" if low is None else f"from {low:g}"
        return f"{low:g} to {high:g}"
    return str(wanted) if wanted in ("absent", "stated", "given", "none", "2D", "3D") else ""


def _listed(words: frozenset[str]) -> str:
    """Code words for a reader; of long lists the first ones."""
    shown = sorted(words)
    return "/".join(shown) if len(shown) <= _SHOWN else "/".join(shown[:_SHOWN]) + f" or {len(shown) - _SHOWN} more"


_SHOWN = 6
