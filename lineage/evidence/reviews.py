"""Reviews: who examined which entries of the ledger, what they found, and what their sign-off means.

Belongs here: recording a review, and saying of each one whether what was signed is still what is there. 45 CFR
164.308(a)(1)(ii)(D) asks for a regular review of records of activity and 164.312(b) for recording and examining it;
21 CFR 11.50 asks that a sign-off says who, when and with which meaning, and 11.70 that it is bound to what was signed.
A review says nothing in free text, which could quote a person: answers are kept elsewhere and named by a reference.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lake.zones import Lake
from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.ledger.merkle import leaf_hash
from lineage.principal import now, principal
from schemas.document import canonical_json
from schemas.tables import REVIEWS


class Meaning(StrEnum):
    """What a sign-off means; the first four are the examples of 21 CFR 11.50(a)(3)."""

    REVIEW = "review"
    APPROVAL = "approval"
    RESPONSIBILITY = "responsibility"
    AUTHORSHIP = "authorship"
    REJECTION = "rejection"


class Issue(StrEnum):
    """What an entry can need an answer for."""

    PRINCIPAL = "unexpected-principal"
    PURPOSE = "unexpected-purpose"
    TIME = "unexpected-time"
    COUNT = "unexplained-count"
    TERM = "term-in-doubt"
    MISSING = "missing-record"
    OTHER = "other"


class ReviewError(ValueError):
    """A review cannot be recorded as asked; the message says what was found and needed."""


@dataclass(frozen=True)
class Exceptional:
    """An entry that needs an answer, and why."""

    sequence: int
    issue: Issue

    @classmethod
    def parse(cls, text: str) -> "Exceptional":
        """An exception as `<sequence>:<issue>`.

        Raises:
            ReviewError: if it is none.
        """
        number, _, issue = text.partition(":")
        if not number.isascii() or not number.isdigit() or issue not in set(Issue):
            raise ReviewError(
                f"found an exception that is none, needed ENTRY:KIND with KIND one of {', '.join(Issue)}; for example "
                f"17:{Issue.PURPOSE}"
            )
        return cls(int(number), Issue(issue))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.sequence}:{self.issue}"


@dataclass(frozen=True)
class Reviewed:
    """A review as the report shows it.

    Attributes:
        row: its row of `audit/reviews`.
        recorded: whether the ledger holds a review with exactly this row.
        unchanged: whether the entries are still those that were examined.
    """

    row: dict[str, Any]
    recorded: bool
    unchanged: bool


def review(
    lake: Lake,
    meaning: Meaning | str,
    *,
    first: int | None = None,
    last: int | None = None,
    exceptions: Sequence[Exceptional] = (),
    reference: str | None = None,
    report: bytes | None = None,
) -> dict[str, Any]:
    """Record that somebody examined entries of the ledger; returns the row of `audit/reviews`.

    Args:
        lake: the lake.
        meaning: what the sign-off means.
        first: first entry that was examined; None: the one after the last that was examined with this meaning.
        last: last entry that was examined; None: the newest.
        exceptions: entries that need an answer.
        reference: where the answers are kept: a name, for example of a ticket.
        report: the report that was examined with them.

    Raises:
        ReviewError: if there are no such entries, an exception lies outside them, or a hash does not fit its entry.
        lineage.ledger.events.EventError: if the reference is more than a name.
    """
    past = Past.of(lake)
    record, kind = Record.of(past), Meaning(meaning)
    start = _following(past, kind) if first is None else first
    end = record.size - 1 if last is None else last
    _check(record, start, end, exceptions)
    row = {
        "time": now(),
        "principal": principal(lake),
        "first": start,
        "last": end,
        "meaning": str(kind),
        "exceptions": [str(found) for found in exceptions],
        "reference": reference,
        "content_sha256": content(record, start, end),
        "report_sha256": hashlib.sha256(report).hexdigest() if report is not None else None,
    }
    same = ("first", "last", "meaning", "reference", "content_sha256", "report_sha256")
    facts = {name: row[name] for name in same}
    counts = dict(Counter(str(found.issue) for found in exceptions)) or None
    said = {"exceptions": len(exceptions), "counts": counts, "digests": {"review": _digest(row)}}
    # the event comes first: a crash in between leaves a review without its row, never one without an event
    entry = append(lake, EventType.REVIEWED, facts | said)
    row["entry"] = entry
    table = lake.table(REVIEWS)
    table.append([table.write([row], {})])
    return row


def reviews(past: Past, record: Record) -> list[Reviewed]:
    """Reviews up to a moment, newest first, each compared with the ledger and with what was examined."""
    rows = sorted(past.table(REVIEWS).rows(), key=lambda row: int(row["entry"]), reverse=True)
    return [
        Reviewed(row, _recorded(record, row), content(record, row["first"], row["last"]) == row["content_sha256"])
        for row in rows
    ]


def content(record: Record, first: int, last: int) -> str:
    """SHA-256 of the events of some entries as lines: of `events.jsonl` in a bundle of the same entries."""
    lines = record.rows["event"].slice(first, last - first + 1).to_pylist()
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _following(past: Past, meaning: Meaning) -> int:
    done = [row["last"] for row in past.table(REVIEWS).rows(["meaning", "last"]) if row["meaning"] == meaning]
    return max(done, default=-1) + 1


def _check(record: Record, first: int, last: int, exceptions: Sequence[Exceptional]) -> None:
    if not 0 <= first <= last < record.size:
        raise ReviewError(
            f"found entries {first} to {last} to review, needed some of 0 to {record.size - 1}; everything before "
            "may have been reviewed already, see larmor report"
        )
    outside = [found.sequence for found in exceptions if not first <= found.sequence <= last]
    if outside:
        raise ReviewError(f"found exceptions at entries {outside}, needed entries of {first} to {last}")
    for text, leaf in zip(
        record.rows["event"].slice(first, last - first + 1).to_pylist(), record.leaves[first : last + 1], strict=True
    ):
        if leaf_hash(text.encode()) != leaf:
            raise ReviewError("found an entry that its hash does not fit, needed the ledger as written; larmor verify")


def _digest(row: dict[str, Any]) -> str:
    """Of everything that a row says but the entry, which is known only afterwards."""
    said = {name: value for name, value in row.items() if name != "entry"}
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def _recorded(record: Record, row: dict[str, Any]) -> bool:
    found = record.at([row["entry"]])
    return bool(found) and found[0].facts.get("digests") == {"review": _digest(row)}
