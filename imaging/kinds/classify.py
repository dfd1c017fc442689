"""What a series is, question by question, each answer with its evidence and a confidence, or "unknown".

Belongs here: weighing what was measured against what names say. The rules are a table that a user can read and extend
(`imaging.kinds.rules`); the numbers they look at are `imaging.kinds.facts`. Evidence names rules and elements; it never
quotes free text.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.headers.header import Header
from imaging.headers.parts import UNKNOWN
from imaging.kinds.facts import Facts, gather, normal_of
from imaging.kinds.rules import Rule, RuleBook, load_rules
from schemas.classification import QUESTIONS

MIN_CONFIDENCE = 0.5
"""Answers less sure than this are not given."""

AGREEMENT, CONFLICT = 0.08, 0.25
"""What a name that says the same adds to a rule's confidence, and what one that contradicts takes away."""
MOST = 0.99
"""Nothing is certain."""

STATED = 0.9
"""Confidence in Body Part Examined: protocols are copied from one part to another."""

OBLIQUE_COSINE = np.cos(np.radians(30.0))
"""A normal farther than 30 degrees from all three axes is oblique."""


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes:
        value: the answer, or unknown.
        confidence: in it, 0 to 1; 0 where it is unknown.
        evidence: what it rests on: rules and elements, no values of free text.
    """

    value: str
    confidence: float
    evidence: str


@dataclass(frozen=True)
class Classification:
    """What a series is.

    Attributes:
        body_part: brain, knee and so on; which there are is said by the rules.
        plane: axial, coronal, sagittal, oblique; unknown where slices differ or say nothing.
        contrast: T1, T2, T2*, PD, FLAIR, DWI, ADC, BOLD (functional), SWI, MRA, perfusion, fieldmap, localizer or
            derived, and what a user's rules add.
        contrast_agent: given or none.
        fat_suppression: suppressed or none.
        dimensions: 2D or 3D.
        part: magnitude, phase, real, imaginary.
    """

    body_part: Answer
    plane: Answer
    contrast: Answer
    contrast_agent: Answer
    fat_suppression: Answer
    dimensions: Answer
    part: Answer

    @property
    def values(self) -> dict[str, str]:
        """Question to answer."""
        return {name: getattr(self, name).value for name in QUESTIONS}

    @property
    def evidence(self) -> str:
        """Answers with confidence and evidence as a JSON object of question to object."""
        return json.dumps({name: vars(getattr(self, name)) for name in QUESTIONS})

    def sure(self, question: str, least: float) -> str:
        """The answer to a question if its confidence is at least `least`, else unknown."""
        answer: Answer = getattr(self, question)
        return answer.value if answer.confidence >= least else UNKNOWN


def stated(values: Mapping[str, str], by: str) -> Classification:
    """Answers that come from somebody who knows; questions that are left out are unknown.

    Args:
        values: question to answer.
        by: who or what states them, for the evidence.
    """
    known = {name: values.get(name, UNKNOWN) for name in QUESTIONS}
    answers = {n: Answer(v, float(v != UNKNOWN), by if v != UNKNOWN else "not stated") for n, v in known.items()}
    return Classification(**answers)


def classify(headers: Sequence[Header], rules: RuleBook | None = None) -> Classification:
    """Say what a series is, from physics first and names second.

    Args:
        headers: the headers of one series.
        rules: the rules; those that ship if none are given.

    Raises:
        ValueError: if there is no header.
    """
    if not headers:
        raise ValueError("found no header, needed at least one of the series")
    return judge(gather(headers), planes_of(headers), rules or load_rules())


def judge(facts: Facts, planes: frozenset[str], rules: RuleBook) -> Classification:
    """Answer all questions from the facts of a series and the planes its slices lie in."""
    found = {
        "body_part": _stated_part(facts, rules),
        "plane": _geometry(planes),
        "part": _stated_component(facts),
    }
    answers = {name: _answer(name, facts, rules, found.get(name)) for name in QUESTIONS}
    if len(planes) > 1:
        answers["plane"] = Answer(UNKNOWN, 0.0, "slices lie in several planes")
    return Classification(**answers)


def planes_of(headers: Sequence[Header]) -> frozenset[str]:
    """The planes that slices lie in; empty where no orientation is usable."""
    orientations = {frame.orientation for header in headers for frame in header.planes or (header,)}
    normals = [normal_of(orientation) for orientation in orientations]
    return frozenset(_plane_of(normal) for normal in normals if normal is not None)


def body_part_of(text: str) -> str:
    """The body part that a text names, by the rules that ship; unknown where it names none."""
    words = text.lower().replace("_", " ").replace("-", " ").strip()
    rules = load_rules().named["body_part"]
    exact = next((rule.answer for rule in rules if rule.answer == words), None)
    return exact or next((r.answer for r in rules if r.words and words and r.words.search(words)), UNKNOWN)


def _answer(question: str, facts: Facts, rules: RuleBook, found: Rule | None) -> Answer:
    measured = next((rule for rule in rules.measured[question] if rule.holds(facts)), found)
    names = [rule for rule in rules.named[question] if rule.holds(facts)]
    if measured is None and not names:
        return Answer(UNKNOWN, 0.0, "no rule answered")
    if measured is not None and measured.answer == UNKNOWN:
        return Answer(UNKNOWN, 0.0, measured.evidence)
    if measured is None:
        return _given(names[0].answer, names[0].confidence, names[0].evidence)
    return _weighed(measured, names) if names else _given(measured.answer, measured.confidence, measured.evidence)


def _weighed(measured: Rule, names: list[Rule]) -> Answer:
    """What was measured, in the light of what names say; the first name is the one that counts alone."""
    agreeing = next((name for name in names if measured.answer in {name.answer, *name.also}), None)
    if agreeing is not None:
        return _given(
            measured.answer, measured.confidence + AGREEMENT, f"{measured.evidence}; {agreeing.evidence} agrees"
        )
    chosen = next((name for name in names if name.answer in measured.also), None)
    if chosen is not None:
        return _given(
            chosen.answer,
            chosen.confidence + AGREEMENT,
            f"{measured.evidence}; allows {chosen.answer}, which {chosen.evidence} says",
        )
    against = names[0]
    if measured.confidence - CONFLICT >= against.confidence:
        return _given(
            measured.answer, measured.confidence - CONFLICT, f"{measured.evidence}; {against.evidence} contradicts"
        )
    why = f"{measured.evidence} says {measured.answer}, {against.evidence} says {against.answer}"
    return Answer(UNKNOWN, 0.0, why)


def _given(value: str, confidence: float, evidence: str) -> Answer:
    if confidence < MIN_CONFIDENCE:
        return Answer(UNKNOWN, 0.0, f"{evidence}; not sure enough")
    return Answer(value, round(min(confidence, MOST), 2), evidence)


def _finding(answer: str, confidence: float, evidence: str, also: frozenset[str] = frozenset()) -> Rule:
    return Rule(answer, confidence, evidence, also, lambda _: True)


def _stated_part(facts: Facts, rules: RuleBook) -> Rule | None:
    for rule in rules.named["body_part"]:
        if rule.words and facts.body_part and rule.words.search(facts.body_part):
            return _finding(rule.answer, STATED, "Body Part Examined or Anatomic Region", rule.also)
    return None


def _stated_component(facts: Facts) -> Rule | None:
    if len(facts.part) != 1:
        return None
    return _finding(next(iter(facts.part)), 0.97, "Image Type or Complex Image Component")


def _geometry(planes: frozenset[str]) -> Rule | None:
    if len(planes) != 1:
        return None
    plane = next(iter(planes))
    if plane == "oblique":  # names of oblique series say the nearest plane
        return _finding(plane, 0.9, "Image Orientation", frozenset())
    return _finding(plane, 0.97, "Image Orientation")


def _plane_of(normal: NDArray[np.float64]) -> str:
    steepness = np.abs(normal)
    axis = int(steepness.argmax())
    return ("sagittal", "coronal", "axial")[axis] if steepness[axis] >= OBLIQUE_COSINE else "oblique"
