"""What a series is: body part, plane, contrast and part of the complex image, each with evidence, or "unknown".

Belongs here: putting the answers together. The contrast rules are a table in `imaging.rules`, which a user can read
and extend; the numbers they look at are `imaging.facts`. Evidence names elements and rules; it never quotes free text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.facts import Facts, gather, normal_of
from imaging.header import Header
from imaging.parts import UNKNOWN, common_part
from imaging.rules import NAME_RULES, PHYSICS_RULES, NameRule, Rule

MIN_CONFIDENCE = 0.5
"""Answers less sure than this are not given."""

AGREEMENT, CONFLICT = 0.08, 0.25
"""What a name that says the same adds to a rule's confidence, and what one that contradicts takes away."""

OBLIQUE_COSINE = np.cos(np.radians(30.0))
"""A normal farther than 30 degrees from all three axes is oblique."""

BODY_PARTS = {
    "brain": r"brain|cerebr",
    "head": r"head|skull|iac|orbit|sella|pituitary",
    "neck": r"neck|larynx|thyroid|carotid",
    "cervical spine": r"c.?spine|cervical",
    "thoracic spine": r"t.?spine|thoracic spine",
    "lumbar spine": r"l.?spine|lumbar",
    "spine": r"spine",
    "chest": r"chest|thorax|lung",
    "breast": r"breast|mamma",
    "heart": r"heart|cardiac",
    "liver": r"liver|hepat|mrcp",
    "abdomen": r"abdomen|abdominal|kidney|pancreas",
    "prostate": r"prostat",
    "pelvis": r"pelvis|pelvic|uterus|rectum|bladder",
    "hip": r"hips?\b",
    "knee": r"knee",
    "ankle": r"ankle",
    "foot": r"foot|feet",
    "shoulder": r"shoulder",
    "elbow": r"elbow",
    "wrist": r"wrist",
    "hand": r"hand\b|finger",
    "leg": r"leg\b|thigh|calf|femur|tibia",
    "arm": r"arm\b|humerus",
}
"""Answer, and the words of Body Part Examined or of a name that give it; the first that matches wins."""


@dataclass(frozen=True)
class Classification:
    """What a series is.

    Attributes:
        body_part: one of `BODY_PARTS`, or unknown.
        plane: axial, coronal, sagittal, oblique, or unknown where slices differ or say nothing.
        contrast: T1, T2, PD, FLAIR, DWI, ADC, BOLD, SWI, MRA, perfusion, fieldmap, localizer, or unknown.
        part: magnitude, phase, real, imaginary, or unknown.
        evidence: what each answer rests on: elements and rules, no values of free text.
        confidence: in the contrast, 0 to 1; 0 where it is unknown.
    """

    body_part: str
    plane: str
    contrast: str
    part: str
    evidence: str
    confidence: float


def classify(
    headers: Sequence[Header],
    physics: Sequence[Rule] = PHYSICS_RULES,
    names: Sequence[NameRule] = NAME_RULES,
) -> Classification:
    """Say what a series is, from physics first and names second.

    Args:
        headers: the headers of one series.
        physics: rules over measured facts, first match wins.
        names: rules over descriptions, first match wins; alone they give less confidence.

    Raises:
        ValueError: if there is no header.
    """
    if not headers:
        raise ValueError("found no header, needed at least one of the series")
    facts = gather(headers)
    contrast, confidence, why = contrast_of(facts, physics, names)
    body_part, body_why = _body_part(headers, facts)
    plane, plane_why = _plane(headers)
    part = common_part(headers)
    part_why = "Image Type or Complex Image Component" if part != UNKNOWN else "nothing states it, or slices differ"
    evidence = f"contrast: {why}; body part: {body_why}; plane: {plane_why}; part: {part_why}"
    return Classification(body_part, plane, contrast, part, evidence, round(confidence, 2))


def contrast_of(
    facts: Facts, physics: Sequence[Rule] = PHYSICS_RULES, names: Sequence[NameRule] = NAME_RULES
) -> tuple[str, float, str]:
    """Contrast, confidence and evidence; ("unknown", 0, why) where nothing is sure enough."""
    rule = next((rule for rule in physics if rule.holds(facts)), None)
    name = next((name for name in names if re.search(name.pattern, facts.names)), None)
    if rule is None and name is None:
        return UNKNOWN, 0.0, "no rule answered"
    if rule is None or name is None:
        answer = rule or name
        assert answer is not None  # one of the two is there, see above
        contrast, confidence, why = answer.contrast, answer.confidence, answer.evidence
    elif rule.contrast == name.contrast:
        contrast, confidence = rule.contrast, min(0.99, rule.confidence + AGREEMENT)
        why = f"{rule.evidence}; {name.evidence} agrees"
    elif rule.confidence - CONFLICT >= name.confidence:
        contrast, confidence = rule.contrast, rule.confidence - CONFLICT
        why = f"{rule.evidence}; {name.evidence} contradicts"
    else:
        contrast, confidence = UNKNOWN, 0.0
        why = f"{rule.evidence} says {rule.contrast}, {name.evidence} contradicts"
    if confidence < MIN_CONFIDENCE:
        return UNKNOWN, 0.0, f"{why}; not sure enough"
    return contrast, confidence, why


def _body_part(headers: Sequence[Header], facts: Facts) -> tuple[str, str]:
    stated = {header.body_part.lower() for header in headers} - {""}
    for text, why in ((" ".join(stated), "Body Part Examined"), (facts.names, "description")):
        for part, pattern in BODY_PARTS.items():
            if text and re.search(pattern, text):
                return part, why
    return UNKNOWN, "nothing states it"


def _plane(headers: Sequence[Header]) -> tuple[str, str]:
    normals = [normal_of(orientation) for orientation in {header.orientation for header in headers}]
    planes = {_plane_of(normal) for normal in normals if normal is not None}
    if len(planes) == 1:
        return planes.pop(), "Image Orientation"
    return UNKNOWN, "slices lie in several planes" if planes else "no usable orientation"


def _plane_of(normal: NDArray[np.float64]) -> str:
    steepness = np.abs(normal)
    axis = int(steepness.argmax())
    return ("sagittal", "coronal", "axial")[axis] if steepness[axis] >= OBLIQUE_COSINE else "oblique"
