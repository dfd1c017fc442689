"""Rows of `audit/decisions`: what de-identification decided, counted by series, element and rule.

Belongs here: from decisions of files to rows of a table, with the reason of the rule, the standard's own action, and a
digest that ties a row to the files it speaks of. What is decided is `deid`'s business; no value comes here.
"""

import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from deid.headers import standard
from deid.headers.treatment import UNNAMED, Decision
from deid.vault import Subject
from schemas.policy import Policy

_DIGEST_HEX = 32
_TAG = re.compile(r"\(([0-9A-F]{4}),([0-9A-Fx]{4})")
_BUILT_IN = {
    UNNAMED: "no rule of the policy names it, so it does not leave",
    "pseudonym": "replaced by the subject's random code, which is derived from nothing (45 CFR 164.514(c))",
    "pixel-data": "the image itself; bytes after its end do not leave",
    "unused-bits": "bits that hold no part of a pixel may hold an overlay, so they are cleared",
    "burned-in-text": "text in pixels may name a person, so it is looked for and blanked",
    "face": "a head that shows a face is comparable to a photograph (45 CFR 164.514(b)(2)(i)(Q)), so it is removed",
    "face-exempt": "series of this kind do not show a face that can be recognized, so none is looked for",
    "face-unjudged": "the image is in no volume that can be made, so nothing can say whether a face is shown",
}
"""Reasons of what is done whatever the policy says."""

_Key = tuple[str, str, str, str, str | None]


@dataclass
class _Count:
    number: int = 0
    score: float | None = None
    files: list[str] = field(default_factory=list)


@dataclass
class Tally:
    """Decisions of many files, counted by series."""

    _counts: dict[str, dict[_Key, _Count]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(_Count)))
    _subjects: dict[str, Subject] = field(default_factory=dict)

    def add(self, series: str, subject: Subject, sha256: str, decisions: Mapping[Decision, int]) -> None:
        """Count the decisions about one file.

        Args:
            series: the file's pseudonymous series.
            subject: whose it is; the digests are keyed with the secret.
            sha256: of the file as it was received.
            decisions: how often each was made.
        """
        self._subjects[series] = subject
        counts = self._counts[series]
        for (element, rule, action, kind, detector, score), number in decisions.items():
            count = counts[element, rule, action, kind, detector]
            count.number += number
            count.files.append(sha256)
            if score is not None and (count.score is None or score > count.score):
                count.score = score

    def rows(self, policy: Policy) -> list[dict[str, Any]]:
        """Rows of `schemas.tables.DECISIONS`, in the order of their key."""
        reasons, digest = rule_reasons(policy), policy.digest
        return [
            {
                "series": series,
                **dict(zip(("element", "rule", "action", "kind", "detector"), key, strict=True)),
                "reason": reasons.get(key[1], "a step of the software, not a rule of the policy"),
                "standard": basic_action(key[0]),
                "score": count.score,
                "count": count.number,
                "digest": _digest(self._subjects[series], key, count),
                "policy": digest,
            }
            for series, counts in sorted(self._counts.items())
            for key, count in sorted(counts.items(), key=lambda item: tuple(map(str, item[0])))
        ]


def rule_reasons(policy: Policy) -> dict[str, str]:
    """Why each rule is there, by its id; rules that hold under every policy included."""
    named: dict[str, str] = {}
    for value in (getattr(policy, name) for name in type(policy).model_fields):
        if isinstance(value, list):
            named |= {rule.id: rule.reason for rule in value if hasattr(rule, "reason")}
    return _BUILT_IN | named


@cache
def basic_action(element: str) -> str | None:
    """What PS3.15 Table E.1-1 says of an element in the Basic Application Level Confidentiality Profile.

    Args:
        element: path as decisions write it; the innermost element counts.

    Returns:
        The action, for example `X`, `Z/D` or `U`; None where the table does not list the element.
    """
    match = _TAG.match(element.rsplit(">", maxsplit=1)[-1])
    if match is None:
        return None
    # a private element is written without its block; the table has one row for all of them
    row = standard.table().row(int(match[1] + match[2].replace("xx", "10"), 16))
    return row.basic if row else None


@lru_cache(maxsize=64)
def _together(files: tuple[str, ...]) -> str:
    """One digest of many; nearly all rows of a series were counted in the same files."""
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()


def _digest(subject: Subject, key: _Key, count: _Count) -> str | None:
    """A digest of what was acted on; None for what left as it came.

    It is keyed, so it cannot be compared with guesses, and it is over the files that the row was counted in, each a
    digest of all its values: whoever has the vault and the files can show that the row speaks of these and no others.
    """
    if key[2] == "K":
        return None
    said = "\0".join([*map(str, key), str(count.number), _together(tuple(count.files))])
    return hmac.digest(subject.secret, b"decision\0" + said.encode(), "sha256").hex()[:_DIGEST_HEX]
