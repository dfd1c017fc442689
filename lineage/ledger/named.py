"""What entries of the ledger name by its digest, against what lies in the lake: releases, models, policies, terms.

Belongs here: files and rows that no Delta commit binds, measured by the newest entry that tells of each. Commits of
tables are `lineage.ledger.reconcile`. Somebody who edits a file and the manifest beside it to match is found here,
because the ledger cannot be edited with them. What differs is told; what is not there is a note, because a person may
have deleted it, or a process was killed between two records.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.access import Access
from lineage.ledger.events import EventType
from schemas.checkpoint import RETIRED
from schemas.contract import Zone
from schemas.release import SUPERSEDED
from schemas.tables import ACCESS, LICENCES

_MEMBERS, _WEIGHTS, _CONFIG, _MANIFEST = "members.parquet", "weights.safetensors", "config.yaml", "manifest.json"
Entries = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _File:
    """A file that an entry names: what it is for a person, where it is, and what it was."""

    what: str
    place: Location
    name: str
    sha256: str
    entry: int


@dataclass(frozen=True)
class Kept:
    """Rows that entries tell of, read before the entries are: an event comes first, so that a row without one is wrong.

    Attributes:
        terms: wordings of documents.
        accesses: how often each access is there.
    """

    terms: Sequence[Mapping[str, Any]]
    accesses: Counter[tuple[object, ...]]

    @classmethod
    def of(cls, lake: Lake) -> "Kept":
        """Those of a lake."""
        terms, accesses = lake.table(LICENCES), lake.table(ACCESS)
        names = ["principal", "action", "subject_of_access", "rows", "purpose"]
        rows: Iterable[Mapping[str, object]] = accesses.rows(names) if accesses.exists() else ()
        return cls(
            terms.rows(["licence", "digest", "document"]) if terms.exists() else [],
            Counter(tuple(row[name] for name in names) for row in rows),
        )


def compared(lake: Lake, kept: Kept, entries: Entries) -> tuple[list[str], list[str]]:
    """Compare what entries name with what is there; each file is read once.

    Args:
        lake: the lake.
        kept: its rows, read before the entries.
        entries: of the ledger.

    Returns:
        What differs: files that are not what the newest entry that names them says, terms and accesses that no entry
        tells of. And what is not there: deleted by hand, because withdrawals leave a note in the place of each.
    """
    changed, gone = list[str](), set[str]()
    for file in _files(lake, entries):
        now = file.place.sha256(file.name)
        told = f"entry {file.entry} of the ledger"
        if now is None:
            gone.add(f"{file.what}: {told} tells of it, but it is not there")
        elif now != file.sha256:
            changed.append(f"{file.what}: {file.name} has SHA-256 {now}, {told} says {file.sha256}: changed")
    for differ, missing in (_terms(kept, entries), _accesses(kept, entries)):
        changed += differ
        gone.update(missing)
    return changed, sorted(gone)


def _files(lake: Lake, entries: Entries) -> Iterator[_File]:
    for (kind, name), entry in _newest(entries).items():
        facts, number = _facts(entry), int(entry["sequence"])
        if kind == EventType.RELEASED:
            place = lake.location(Zone.CURATED, "releases", name)
            if not place.exists(SUPERSEDED):
                yield _File(f"release {name}", place, _MANIFEST, facts["release_sha256"], number)
                yield _File(f"release {name}", place, _MEMBERS, facts["members_sha256"], number)
        elif kind == EventType.TRAINED:
            place = lake.location(Zone.MODELS, name)
            if not place.exists(RETIRED):
                yield _File(f"model {name}", place, _WEIGHTS, facts["weights_sha256"], number)
                if "config_sha256" in facts:
                    yield _File(f"model {name}", place, _CONFIG, facts["config_sha256"], number)
        else:
            place = lake.location(Zone.AUDIT, "policies")
            yield _File("policy that was used", place, f"{name}.json", name, number)


_BY = {EventType.RELEASED: "release", EventType.TRAINED: "model", EventType.POLICY_CHANGED: "policy_sha256"}


def _newest(entries: Entries) -> dict[tuple[EventType, str], Mapping[str, Any]]:
    """The last entry about each release, model and policy: a name may have been given again."""
    kinds = ((EventType(entry["type"]), entry) for entry in entries)
    return {(kind, _facts(entry)[_BY[kind]]): entry for kind, entry in kinds if kind in _BY}


def _terms(kept: Kept, entries: Entries) -> tuple[list[str], list[str]]:
    told, changed, there = _told_terms(entries), list[str](), set[tuple[str, str]]()
    for row in kept.terms:
        name, digest = row["licence"], row["digest"]
        there.add((name, digest))
        if (name, digest) not in told:
            changed.append(
                f"{LICENCES.path}: a wording of {name} with SHA-256 {digest}, of which no entry of the ledger tells"
            )
        if hashlib.sha256(row["document"].encode()).hexdigest() != digest:
            changed.append(f"{LICENCES.path}: the text of {name} is not the one of its SHA-256 {digest}: changed")
    return changed, [
        f"{LICENCES.path}: the wording of {name} with SHA-256 {digest} that the ledger tells of is not there"
        for name, digest in told - there
    ]


def _told_terms(entries: Entries) -> set[tuple[str, str]]:
    told = (_facts(entry) for entry in entries if entry["type"] == EventType.TERM_KNOWN)
    return {(facts["licence"], facts["licence_sha256"]) for facts in told}


def _accesses(kept: Kept, entries: Entries) -> tuple[list[str], list[str]]:
    told = _told_accesses(entries)
    more, lost = (kept.accesses - told).total(), (told - kept.accesses).total()
    added = f"{ACCESS.path}: {more} accesses of which no entry of the ledger tells: added, or changed"
    removed = (
        f"{ACCESS.path}: {lost} accesses that the ledger tells of are not there: removed, or a process was killed "
        "between the two records"
    )
    return [added] * bool(more), [removed] * bool(lost)


def _told_accesses(entries: Entries) -> Counter[tuple[object, ...]]:
    said = (json.loads(entry["event"]) for entry in entries if entry["type"] == EventType.ACCESSED)
    return Counter(
        (event["principal"], *(event["facts"][name] for name in ("action", "target", "rows", "purpose")))
        for event in said
        if event["facts"]["action"] in set(Access)  # evaluations open a split without a row
    )


def _facts(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = json.loads(entry["event"])["facts"]
    return facts
