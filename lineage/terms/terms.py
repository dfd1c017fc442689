"""Documents of terms over time: what this lake learned, when, and what it knew at any moment.

Belongs here: finding, learning and remembering documents. The documents are `schemas.licence`, `schemas.agreement` and
`schemas.determination`; what they allow is `lineage.terms.decisions`.

The table `audit/licences` keeps every kind of document, one row for each time that a document was learned, and no row
ever changes. Time has two axes. *Valid* time is in the document: the first and the last day in force. *Known* time is
in the row: `known_from`, until the next row of the same document. Knowledge of a document only moves forward: a row
that would have been known before the newest one is refused, so that what was known then stays what it was.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from lake.tables.parts import Part
from lake.tables.table import Conflict
from lake.zones import Lake
from lineage.ledger.events import EventType, Facts
from lineage.ledger.ledger import append
from lineage.principal import now
from lineage.terms.refusal import Refusal
from schemas.agreement import AnyDocument, AnyTerm, Consent, parsed
from schemas.determination import Determination
from schemas.document import DocumentError, canonical_json
from schemas.licence import Licence
from schemas.tables import LICENCES
from schemas.term import Kind

_SUFFIXES = (".yaml", ".yml")
_TRIES = 50


@dataclass(frozen=True)
class Entry:
    """A document as it was known for a time.

    Attributes:
        document: the document.
        digest: its digest when it was learned.
        known_from: when the lake learned it, UTC, RFC 3339.
        known_until: when the lake learned another wording, UTC, RFC 3339; None: known until now.
    """

    document: AnyDocument
    digest: str
    known_from: str
    known_until: str | None

    def known_at(self, moment: str) -> bool:
        """Whether this is what was known at a moment, UTC, RFC 3339 with microseconds."""
        return self.known_from <= moment and (self.known_until is None or moment < self.known_until)


@dataclass(frozen=True)
class Known:
    """What was known of every document at one moment.

    Attributes:
        documents: id to document.
    """

    documents: Mapping[str, AnyDocument]

    @classmethod
    def of(cls, lake: Lake, at: dt.datetime | None = None) -> "Known":
        """What a lake knew at a moment; None: what it knows now."""
        moment = instant(at) if at else None
        entries = history(lake)
        kept = [e for e in entries if (e.known_at(moment) if moment else e.known_until is None)]
        return cls({entry.document.id: entry.document for entry in kept})

    def term(self, id_: str) -> AnyTerm | None:
        """The document of this id that says what may be done; None: there is none."""
        found = self.documents.get(id_)
        return None if isinstance(found, Determination) else found

    def candidates(self, kind: str, subject: str) -> list[AnyTerm]:
        """Documents of a kind that may cover a subject, in the order of their ids; those of other subjects left out."""
        if kind == Kind.CONSENT:
            of_all = [document for document in self._of_kind.get(kind, ()) if not document.subjects]
            return [*self.consents.get(subject, ()), *of_all]
        return self._of_kind.get(kind, [])

    @cached_property
    def determinations(self) -> list[Determination]:
        """Expert determinations, in the order of their ids."""
        return [d for _, d in sorted(self.documents.items()) if isinstance(d, Determination)]

    @cached_property
    def consents(self) -> Mapping[str, list[Consent]]:
        """Subject to the consents that name them, given or taken back."""
        found: dict[str, list[Consent]] = {}
        for document in self._of_kind.get(Kind.CONSENT, ()):
            assert isinstance(document, Consent), "chosen by kind"
            for subject in (*document.subjects, *document.withdrawn):
                found.setdefault(subject, []).append(document)
        return found

    @cached_property
    def _of_kind(self) -> Mapping[str, list[AnyTerm]]:
        found: dict[str, list[AnyTerm]] = {}
        for _, document in sorted(self.documents.items()):
            if not isinstance(document, Determination):
                found.setdefault(document.kind, []).append(document)
        return found

    def having(self, documents: Iterable[AnyDocument]) -> "Known":
        """The same, and these documents in their wording."""
        return Known({**self.documents, **{document.id: document for document in documents}})


def find(folder: Path, id_or_file: str | Path) -> Licence:
    """The licence document of this id in the folder of licences, or in a file of its own.

    Raises:
        Refusal: if there is none; without a licence nothing may be done.
        schemas.document.DocumentError: if the document does not say what it must.
    """
    path = Path(id_or_file)
    if path.suffix in _SUFFIXES and path.is_file():
        return Licence.read(path)
    name = str(id_or_file)
    for suffix in _SUFFIXES:
        if "/" not in name and (folder / f"{name}{suffix}").is_file():
            licence = Licence.read(folder / f"{name}{suffix}")
            if licence.id == name:
                return licence
    for candidate in sorted(folder.glob("*.y*ml")) if folder.is_dir() else []:
        licence_there = _readable(candidate)
        if licence_there and licence_there.id == name:
            return licence_there
    raise _unknown(path.name, f"a document of that id in {folder.name}/, or the path of one (--licence ID_OR_FILE)")


def install(lake: Lake, id_or_file: str | Path) -> Licence:
    """Find a licence, learn it, and keep its document among the lake's licences.

    Raises:
        Refusal: if there is none.
        schemas.document.DocumentError: if the document does not say what it must.
    """
    licence = find(lake.licences, id_or_file)
    learn(lake, licence)
    kept = lake.licences / f"{licence.id}.yaml"
    if not kept.is_file() or (_readable(kept) != licence):
        kept.parent.mkdir(parents=True, exist_ok=True)
        licence.write(kept)
    return licence


def learn(lake: Lake, document: AnyDocument, at: dt.datetime | None = None) -> bool:
    """Record that this lake knows a document; returns whether that was news.

    What was known before stays: a correction is a further row, known from a later time.

    Args:
        lake: the lake.
        document: the document, of any kind.
        at: when it became known; None: now.

    Raises:
        ValueError: if a wording of the document is known from that time or a later one, which this would contradict.
        Refusal: if a document of another kind has the id.
    """
    table = lake.table(LICENCES)
    known_from = instant(at) if at else now()
    part: Part | None = None
    for _ in range(_TRIES):
        version = table.version()
        newest = _newest(_entries(lake, version), document)
        if newest and newest.digest == document.digest:
            return False
        if newest and newest.known_from >= known_from:
            known_from, part = _after(newest, at), None
        if part is None:
            # the event comes before the row: a crash in between repeats the event, and never loses it
            append(lake, EventType.TERM_KNOWN, _told(document))
            part = table.write([_row(document, known_from)], {})
        try:
            table.append([part], expected_version=version)
        except Conflict:
            continue
        return True
    raise Conflict(f"licences: found {_TRIES} commits by others in a row, needed one try without; try again")


def known(lake: Lake, licence: str, on: dt.datetime | None = None) -> Licence:
    """The document of a licence as it was known at a time.

    Args:
        lake: the lake.
        licence: its id.
        on: the time of knowing; None: now.

    Raises:
        Refusal: if the lake did not know it then.
    """
    found = Known.of(lake, on).documents.get(licence)
    if not isinstance(found, Licence):
        raise _unknown(licence, "one that this lake knows" + (" at that time" if on else ""))
    return found


def history(lake: Lake) -> list[Entry]:
    """Every wording of every document that was ever known, by id and by time of knowledge."""
    return _entries(lake, None)


def instant(at: dt.datetime) -> str:
    """A moment as this table writes it: UTC, RFC 3339 with microseconds, so that texts sort as times do."""
    return at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _entries(lake: Lake, version: int | None) -> list[Entry]:
    if version == -1:
        return []
    rows = lake.table(LICENCES).rows(version=version)
    rows.sort(key=lambda row: (row["licence"], row["known_from"]))
    return [
        Entry(
            parsed(json.loads(row["document"]), row["licence"]),
            row["digest"],
            row["known_from"],
            after["known_from"] if after and after["licence"] == row["licence"] else None,
        )
        for row, after in pairwise([*rows, None])
        if row is not None
    ]


def _newest(entries: Iterable[Entry], document: AnyDocument) -> Entry | None:
    """What is known of the document now.

    Raises:
        Refusal: if what has its id is of another kind.
    """
    for entry in entries:
        if entry.document.id == document.id and entry.known_until is None:
            if entry.document.kind != document.kind:
                raise Refusal(
                    document.id, "kind", f"a {document.kind}", f"a {entry.document.kind}, as this id is known",
                    "give the new document an id of its own", kind=document.kind,
                )  # fmt: skip
            return entry
    return None


def _after(newest: Entry, at: dt.datetime | None) -> str:
    """A moment after the newest knowledge: clocks of two machines may differ, the past may not change."""
    if at is not None:
        raise ValueError(
            f"found a time of knowledge before {newest.known_from}, when a wording of {newest.document.id} was learned "
            "that it would contradict, needed a later one"
        )
    return instant(dt.datetime.fromisoformat(newest.known_from) + dt.timedelta(microseconds=1))


def _unknown(name: str, needed: str) -> Refusal:
    return Refusal(name, "licence", "no such licence", needed, "put the document of the licence there")


def _readable(path: Path) -> Licence | None:
    try:
        return Licence.read(path)
    except DocumentError:
        return None  # a broken document of another licence is no reason to refuse this one


def _row(document: AnyDocument, known_from: str) -> dict[str, str | None]:
    return {
        "licence": document.id,
        "digest": document.digest,
        "document": canonical_json(document.model_dump(mode="json")),
        "valid_from": str(document.valid_from),
        "valid_until": str(document.valid_until) if document.valid_until else None,
        "known_from": known_from,
    }


def _told(document: AnyDocument) -> Facts:
    rights = ("train_models", "share_models", "export")
    said: dict[str, object] = {name: getattr(document, name, None) for name in rights}
    return said | {
        "licence": document.id,
        "licence_sha256": document.digest,
        "kind": str(document.kind),
        "valid_from": str(document.valid_from),
        "valid_until": str(document.valid_until) if document.valid_until else None,
        "policy_sha256": getattr(document, "policy_sha256", None),
    }
