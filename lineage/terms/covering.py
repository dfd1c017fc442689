"""What covered a series on a day, as known on a day; which documents are in force.

Belongs here: questions about the past and the present, which change nothing. Decisions are `lineage.terms.decisions`;
what has to go when a document ends is `lineage.withdrawal.due`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lake.zones import Lake
from lineage.terms.answers import binding, uncovered
from lineage.terms.questions import Piece
from lineage.terms.terms import Entry, Known, history, instant
from schemas.agreement import AnyDocument
from schemas.contract import Table
from schemas.tables import COPIES, SERIES


class NotFound(LookupError):
    """There is nothing of that name to ask about."""


@dataclass(frozen=True)
class Cover:
    """A document, as one moment knew it and as it stood on one day.

    Attributes:
        term: its id; of a required document that was not known, what was required.
        kind: what it is; empty: it was not known.
        why: what made it count: `licence`, `requires of <id>` or `consent`; empty: it was listed, not asked for.
        state: `in force`, `not yet`, `over`, `revoked`, `missing`, or `does not cover` with the field that says so.
        valid_from: first day in force, ISO date.
        valid_until: last day in force, ISO date; None: no end.
        known_from: when this wording was learned, UTC, RFC 3339.
        known_until: when another wording was learned, UTC, RFC 3339; None: it is what is known now.
        digest: SHA-256 of the wording.
    """

    term: str
    kind: str
    why: str
    state: str
    valid_from: str | None
    valid_until: str | None
    known_from: str | None
    known_until: str | None
    digest: str | None


def covering(lake: Lake, series: str, on: dt.date, known: dt.datetime | None = None) -> list[Cover]:
    """What covered a series on a day, as known at a moment: its licences, what they require, and consents.

    Args:
        lake: the lake.
        series: its pseudonymous UID.
        on: the day, in valid time.
        known: the moment, in known time; None: now.

    Raises:
        NotFound: if the lake holds no such series.
    """
    pieces = _pieces(lake, series)
    entries = {entry.document.id: entry for entry in _known(lake, known)}
    asked = Known({id_: entry.document for id_, entry in entries.items()})
    found: dict[tuple[str, str], Cover] = {}
    for piece in pieces:
        for why, wanted, alternatives in binding(piece, asked):
            for document in alternatives:
                refusal = uncovered(document, piece)
                state = f"does not cover ({refusal.term})" if refusal else _state(document, on)
                found[why, document.id] = _cover(entries[document.id], why, state)
            if not alternatives:
                found[why, wanted] = Cover(wanted, "", why, "missing", None, None, None, None, None)
    return list(found.values())


def standing(lake: Lake, on: dt.date, known: dt.datetime | None = None) -> list[Cover]:
    """Every document that was known at a moment, by id, with its state on a day."""
    return [_cover(entry, "", _state(entry.document, on)) for entry in _known(lake, known)]


def _known(lake: Lake, known: dt.datetime | None) -> list[Entry]:
    moment = instant(known) if known else None
    return [e for e in history(lake) if (e.known_at(moment) if moment else e.known_until is None)]


def _pieces(lake: Lake, series: str) -> list[Piece]:
    rows = list(_rows(lake, SERIES, ["delivery", "subject", "licence", "body_part"], series))
    if not rows:
        raise NotFound(
            "found no such series, needed the pseudonymous UID of one in curated/series; larmor look shows them"
        )
    own = {Piece(row["licence"], row["delivery"], row["subject"], row["body_part"]) for row in rows}
    subject, part = rows[0]["subject"], rows[0]["body_part"]
    copies = {Piece(row["licence"], "", subject, part) for row in _rows(lake, COPIES, ["licence"], series)}
    there = {piece.licence for piece in own}
    return sorted(own | {copy for copy in copies if copy.licence not in there}, key=str)


def _rows(lake: Lake, contract: Table, columns: Iterable[str], series: str) -> Iterator[dict[str, str]]:
    table = lake.table(contract)
    if table.exists():
        rows: pa.Table = table.read([*columns, "series"])
        yield from rows.filter(pc.equal(rows["series"], series)).to_pylist()


def _state(document: AnyDocument, day: dt.date) -> str:
    if document.revoked is not None and day >= document.revoked:
        return "revoked"
    if day < document.valid_from:
        return "not yet"
    return "over" if document.over(day) else "in force"


def _cover(entry: Entry, why: str, state: str) -> Cover:
    document = entry.document
    return Cover(
        document.id,
        str(document.kind),
        why,
        state,
        str(document.valid_from),
        str(document.valid_until) if document.valid_until else None,
        entry.known_from,
        entry.known_until,
        entry.digest,
    )
