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


def changed(lake: Lake, entries: Entries) -> list[str]:
    """Files that are not what the newest entry that names them says, terms and accesses that no entry tells of."""
    found = [
        f"{file.what}: {file.name} has SHA-256 {now}, entry {file.entry} of the ledger says {file.sha256}: changed"
        for file in _files(lake, entries)
        if (now := _digest(file.place, file.name)) not in (None, file.sha256)
    ]
    return found + list(_terms(lake, entries)) + list(_accesses(lake, entries))


def gone(lake: Lake, entries: Entries) -> list[str]:
    """What entries name and is not there: deleted by hand, because withdrawals leave a note in the place of each."""
    missing = {
        f"{file.what}: entry {file.entry} of the ledger tells of it, but it is not there"
        for file in _files(lake, entries)
        if _digest(file.place, file.name) is None
    }
    missing |= {
        f"{LICENCES.path}: the wording of {name} with SHA-256 {digest} that the ledger tells of is not there"
        for name, digest in _told_terms(entries) - {(row["licence"], row["digest"]) for row in _kept_terms(lake)}
    }
    lost = _told_accesses(entries) - _kept_accesses(lake)
    if lost:
        missing.add(
            f"{ACCESS.path}: {lost.total()} accesses that the ledger tells of are not there: removed, or a process was "
            "killed between the two records"
        )
    return sorted(missing)


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


def _terms(lake: Lake, entries: Entries) -> Iterator[str]:
    told = _told_terms(entries)
    for row in _kept_terms(lake):
        name, digest = row["licence"], row["digest"]
        if (name, digest) not in told:
            yield f"{LICENCES.path}: a wording of {name} with SHA-256 {digest}, of which no entry of the ledger tells"
        if hashlib.sha256(row["document"].encode()).hexdigest() != digest:
            yield f"{LICENCES.path}: the text of {name} is not the one of its SHA-256 {digest}: changed"


def _told_terms(entries: Entries) -> set[tuple[str, str]]:
    told = (_facts(entry) for entry in entries if entry["type"] == EventType.TERM_KNOWN)
    return {(facts["licence"], facts["licence_sha256"]) for facts in told}


def _kept_terms(lake: Lake) -> list[dict[str, Any]]:
    table = lake.table(LICENCES)
    return table.rows(["licence", "digest", "document"]) if table.exists() else []


def _accesses(lake: Lake, entries: Entries) -> Iterator[str]:
    more = _kept_accesses(lake) - _told_accesses(entries)
    if more:
        yield f"{ACCESS.path}: {more.total()} accesses of which no entry of the ledger tells: added, or changed"


def _told_accesses(entries: Entries) -> Counter[tuple[object, ...]]:
    said = (json.loads(entry["event"]) for entry in entries if entry["type"] == EventType.ACCESSED)
    return Counter(
        (event["principal"], *(event["facts"][name] for name in ("action", "target", "rows", "purpose")))
        for event in said
        if event["facts"]["action"] in set(Access)  # evaluations open a split without a row
    )


def _kept_accesses(lake: Lake) -> Counter[tuple[object, ...]]:
    table = lake.table(ACCESS)
    names = ["principal", "action", "subject_of_access", "rows", "purpose"]
    rows: Iterable[Mapping[str, object]] = table.rows(names) if table.exists() else ()
    return Counter(tuple(row[name] for name in names) for row in rows)


def _facts(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = json.loads(entry["event"])["facts"]
    return facts


def _digest(place: Location, name: str) -> str | None:
    """SHA-256 of a file as it is now; None where it is gone."""
    try:
        if not place.local:
            return hashlib.sha256(place.read_bytes(name)).hexdigest()
        with (place.path / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
