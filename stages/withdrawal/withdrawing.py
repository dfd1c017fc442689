"""Carrying out a withdrawal: the steps of a plan, in its order, each so that doing it again changes nothing.

Belongs here: the order, and what lies outside tables: landing, releases, models, pages, staged copies, the vault. Rows
and part files are `lake.tables.erasure`, the record is `lineage.withdrawal.withdrawals`, the proof is
`stages.withdrawal.absence`.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from deid.proof.residual import Scanner
from lake import releases
from lake.releases import Release
from lake.staging.stage import drop
from lake.stores.storage import Location
from lake.tables import upkeep
from lake.tables.erasure import Forget, erase
from lake.zones import Lake
from lineage.ledger import ledger, seals
from lineage.ledger.events import EventType
from lineage.withdrawal import withdrawals
from lineage.withdrawal.belonging import Kind, Scope, columns, inside
from lineage.withdrawal.holdings import Held, asked, held
from lineage.withdrawal.plan import Plan, landing_files, plan
from lineage.withdrawal.unfinished import is_record, unfinished
from lineage.withdrawal.withdrawals import Withdrawal, WithdrawalError, confirmation
from schemas.checkpoint import MANIFEST, RETIRED
from schemas.contract import Table, Zone
from schemas.release import SUPERSEDED
from schemas.tables import IDENTIFIERS, INSTANCES, RECEIVED, VOLUMES
from stages.identity import open_vault
from stages.second_look.surroundings import own_words
from stages.withdrawal.absence import absent

Report = Callable[[str], None]

_PAGES = "pages"
_OF_RETIRED = {RETIRED, "weights.safetensors", "config.yaml"}
_LISTS = (".csv", ".tsv", ".txt", "SHA256SUMS")
"""Endings of files of a delivery that speak of many persons, a line each."""


def carry_out(lake: Lake, scope: Scope, confirmed: str | None, report: Report = lambda _: None) -> Withdrawal:
    """Withdraw a subject, a delivery or a licence, or go on where an interrupted withdrawal of it stopped.

    No run, release or training may be going on meanwhile. What only a person can do is named by the plan's steps:
    telling those who received exports, backups, models without recorded exposures.

    Args:
        lake: the lake.
        scope: what is withdrawn.
        confirmed: what `lineage.withdrawal.withdrawals.confirmation` gave for the plan as it is now; not needed to go
            on.
        report: called with a line for every step.

    Returns:
        The finished withdrawal; `lineage.withdrawal.withdrawals.complete` says whether absence was proved.

    Raises:
        WithdrawalError: if the plan was not confirmed, is not the one that was confirmed, or there is nothing to do.
        deid.vault.VaultError: if the vault's key is not here.
    """
    found = held(lake, scope)
    made = plan(lake, scope, found=found)
    going_on = withdrawals.begun(lake, scope)
    begun = going_on or _begin(lake, scope, made, found, confirmed)
    scanner = _scanner(lake, begun)
    _note_nobodys_rows(lake, found, scanner)
    steps: dict[str, Callable[[], dict[str, int]]] = {
        "landing": lambda: _landing(lake, scope, found, scanner),
        "models": lambda: _models(lake, made) | _unfinished(lake, scope, found),
        "releases": lambda: _releases(lake, made),
        "tables": lambda: _tables(
            lake, scope, found, _named([*begun.pseudonyms, *_instances(lake, scope, found)], scanner)
        ),
        "pages": lambda: _pages(lake, begun.pseudonyms, made),
        "vault": lambda: _vault(lake, begun),
    }
    withdrawal = begun
    for name, step in steps.items():
        counted = step()
        withdrawal = withdrawal.with_done(lake, name, counted)
        report(f"{name}: " + ", ".join(f"{key} {value}" for key, value in counted.items()))
    proof = absent(lake, begun.pseudonyms, scanner)
    withdrawal = withdrawal.kept(lake, done=withdrawal.done | {"absence": asdict(proof)})
    report(f"absence: {proof.files} files searched, {sum(proof.found.values())} hits")
    finished, sha256 = withdrawal.certify(lake)
    ledger.append(lake, EventType.WITHDRAWN, _facts(finished, made, complete=True) | {"report_sha256": sha256})
    seals.seal(lake)
    return finished


def _begin(lake: Lake, scope: Scope, made: Plan, found: Held, confirmed: str | None) -> Withdrawal:
    if made.empty:
        raise WithdrawalError(f"found nothing of this {scope.kind}, needed something to withdraw; check the spelling")
    if confirmed != confirmation(made):
        raise WithdrawalError(
            f"found {'another confirmation than' if confirmed else 'no confirmation of'} the plan as it is now, needed "
            "the one that the plan prints; plan again, read it, then repeat it with --confirm"
        )
    only_here = sorted(found.subjects - found.elsewhere)
    vault = open_vault(lake)
    known = {subject.code: subject for subject in vault.subjects() if subject.code in only_here}
    withdrawal = withdrawals.begin(lake, scope, confirmed).kept(
        lake,
        subjects=tuple(only_here),
        commitments=tuple(known[code].commitment() for code in only_here if code in known),
        pseudonyms=tuple(sorted({*only_here, *_uids(lake, scope, found)})),
    )
    ledger.append(lake, EventType.WITHDRAWN, _facts(withdrawal, made, complete=False))
    return withdrawal


def _uids(lake: Lake, scope: Scope, found: Held) -> set[str]:
    """UIDs of the series and volumes that nothing outside the scope shares."""
    mine, others = _values(lake, VOLUMES, scope, found, ("series", "volume"))
    return mine.union(*found.keys.series.values()) - others


def _instances(lake: Lake, scope: Scope, found: Held) -> set[str]:
    """Pseudonymous UIDs of its instances and studies, which stand in no other table."""
    return _values(lake, INSTANCES, scope, found, ("study", "instance"))[0]


def _values(lake: Lake, table: Table, scope: Scope, found: Held, names: Sequence[str]) -> tuple[set[str], set[str]]:
    """Values of some columns: in rows that belong to a scope, and in all others."""
    opened = lake.table(table)
    if not opened.exists():
        return set(), set()
    rows = opened.read(list(dict.fromkeys([*columns(table), *names])))
    belongs = inside(rows, scope, found.keys)
    mine, others = rows.filter(belongs), rows.filter(pc.invert(belongs))
    mine_, others_ = ({value for name in names for value in of[name].unique().to_pylist()} for of in (mine, others))
    return mine_, others_


def _scanner(lake: Lake, withdrawal: Withdrawal) -> Scanner | None:
    """Knows the persons' identifying values, as long as they have not been deleted; what others share tells nobody."""
    mine, others = set[tuple[str, str]](), set[str]()
    for row in lake.table(IDENTIFIERS).rows(["subject", "kind", "value"]):
        if row["subject"] in withdrawal.subjects:
            mine.add((row["kind"], row["value"]))
        else:
            others.add(row["value"])
    values = {(kind, value) for kind, value in mine if value not in others}
    return Scanner.of_storage(values, own_words(lake)) if values else None


def _landing(lake: Lake, scope: Scope, found: Held, scanner: Scanner | None) -> dict[str, int]:
    """Delete its files, and what names the persons in files that name no other: lists lose the lines about them."""
    files = landing_files(lake, scope, found)
    for delivery, name in files:
        lake.landed(delivery).delete(name)
    deleted, lines = len(files), 0
    for delivery, name in _nobodys(lake, found) if scanner else ():
        place = lake.landed(delivery)
        if scanner is None or not place.exists(name):
            continue
        data = place.read_bytes(name)
        if name.endswith(_LISTS) and not scanner.scan_storage(name.encode(), ""):
            kept = [line for line in data.splitlines(keepends=True) if not scanner.scan_storage(line, "")]
            lines += len(data.splitlines()) - len(kept)
            place.write_bytes(name, b"".join(kept))
        elif scanner.scan_storage(name.encode() + b"\n" + data, ""):
            place.delete(name)
            deleted += 1
    for delivery in {delivery for delivery, _ in files}:
        _prune(lake.landed(delivery))
    return {"files": deleted, "lines": lines}


def _prune(place: Location) -> None:
    """Remove the folders that nothing is left in: their names may be a person's."""
    for folder, _, _ in os.walk(place.path, topdown=False) if place.local else ():
        with contextlib.suppress(OSError):  # it is not empty
            Path(folder).rmdir()


def _note_nobodys_rows(lake: Lake, found: Held, scanner: Scanner | None) -> None:
    """Rows of files that reception gave to nobody are of the persons too where the file's path names them."""
    if scanner is None:
        return
    for row in lake.table(RECEIVED).rows(["delivery", "path", "subject"]):
        if row["subject"] is None and scanner.scan_storage(row["path"].encode(), ""):
            found.keys.places.setdefault(row["delivery"], set()).add(row["path"])


def _named(pseudonyms: Sequence[str], scanner: Scanner | None) -> Forget:
    """Whether a value holds one of the pseudonyms, or names a person."""

    def named(value: str) -> bool:
        return any(name in value for name in pseudonyms) or (
            scanner is not None and bool(scanner.scan_storage(value.encode(), ""))
        )

    return named


def _nobodys(lake: Lake, found: Held) -> list[tuple[str, str]]:
    """Files in landing, of the deliveries that hold something of it, that reception gave to nobody, lists included."""
    deliveries = {str(holding.partition["delivery"]) for holding in found.holdings if "delivery" in holding.partition}
    others = {
        (row["delivery"], row["path"])
        for row in lake.table(RECEIVED).rows(["delivery", "path", "subject"])
        if row["subject"] is not None
    }
    there = [(delivery, file.name) for delivery in sorted(deliveries) for file in lake.landed(delivery).files()]
    return [place for place in there if place not in others]


def _models(lake: Lake, made: Plan) -> dict[str, int]:
    """Retire the checkpoints that saw it: their manifest gets another name, so that nothing opens them any more.

    Of the other files the weights and the configuration stay; which volumes a model saw is in `audit/exposures`. Where
    the zone is on S3, the copies that this machine made or fetched go too.
    """
    names = {model.model for model in made.models if model.in_place}
    for name in names:
        location = lake.location(Zone.MODELS, name)
        location.write_bytes(RETIRED, location.read_bytes(MANIFEST))
        location.delete(MANIFEST)
    models = lake.location(Zone.MODELS)
    for name in models.list():
        if models.exists(f"{name}/{RETIRED}") and not models.exists(f"{name}/{MANIFEST}"):
            for file in set(models.join(name).walk()) - _OF_RETIRED:
                models.delete(f"{name}/{file}")
            if not models.local:
                shutil.rmtree(lake.desk / name, ignore_errors=True)
    return {"retired": len(names)}


def _unfinished(lake: Lake, scope: Scope, found: Held) -> dict[str, int]:
    """Drop unfinished trainings that saw it; what says so goes last, so that a kill in between is made good."""
    dropped = unfinished(lake, scope, found)
    for place in dropped:
        for name in sorted(place.walk(), key=is_record):
            place.delete(name)
    return {"unfinished": len(dropped)}


def _releases(lake: Lake, made: Plan) -> dict[str, int]:
    """Supersede the releases that hold it: a note takes the manifest's place, whose digest is on the ledger.

    Staged copies go of all releases: they are of whole part files, in which others' rows stand beside its own.
    """
    for name in releases.names(lake):
        drop(lake.settings, Release.open(lake, name).sha256)
    for found in made.releases:
        sha256 = Release.open(lake, found.release).sha256
        location = lake.location(Zone.CURATED, "releases", found.release)
        location.write_bytes(SUPERSEDED, json.dumps({"release": found.release, "release_sha256": sha256}).encode())
        # what makes it a release goes first: a kill in between leaves files that the next try removes
        location.delete(releases.MANIFEST)
    removed = 0
    for location in _superseded(lake):
        for name in set(location.walk()) - {SUPERSEDED}:
            location.delete(name)
            removed += 1
    return {"superseded": len(made.releases), "files": removed}


def _superseded(lake: Lake) -> Iterable[Location]:
    parent = lake.location(Zone.CURATED, "releases")
    for name in parent.list():
        if parent.exists(f"{name}/{SUPERSEDED}") and not parent.exists(f"{name}/{releases.MANIFEST}"):
            yield parent.join(name)


def _tables(lake: Lake, scope: Scope, found: Held, forget: Forget) -> dict[str, int]:
    """Erase its rows; tables that are found through others go first, so that what leads to them outlasts them."""

    def matched(rows: pa.Table) -> pa.Array | pa.ChunkedArray:
        return inside(rows, scope, found.keys)

    pinned = upkeep.pinned(lake)
    counted = dict.fromkeys(("rows", "files", "bytes", "in_writing", "commits"), 0)
    tables = [table for table in asked(scope) if table.zone != Zone.AUDIT]
    touched = set[str]()
    for table in sorted(tables, key=_leads):
        done = erase(lake.table(table), columns(table), matched, pinned.get(table.path, ()), forget)
        counted = {name: counted[name] + getattr(done, name) for name in counted}
        touched |= {table.path} if done.commits else set()
    _placed_anew(lake, touched)
    return counted | {"deliveries_to_run_again": len(found.keys.made_of)}


def _leads(table: Table) -> int:
    """Tables that say what belongs together come last: reception, then the values that the search needs."""
    last = {RECEIVED.path: 2, IDENTIFIERS.path: 3}
    return last.get(table.path, 1 if {"subject", "series"} <= set(columns(table)) else 0)


def _placed_anew(lake: Lake, touched: set[str]) -> None:
    """Releases that stay know where their volumes lie; where files were replaced, they are told anew."""
    for name in releases.names(lake):
        release = Release.open(lake, name)
        if touched & release.manifest.tables.keys():
            members = [vars(m) for split in releases.SPLITS for m in release.members(split, sealed_ok=True)]
            releases.keep_places(lake, name, release.manifest.tables, members)


def _pages(lake: Lake, pseudonyms: Iterable[str], made: Plan) -> dict[str, int]:
    """Delete pages that show it: galleries that name it, and evaluations on a release that held it."""
    gone = {found.release.encode() for found in made.releases}
    named = [name.encode() for name in pseudonyms]
    removed = 0
    for location, words in (
        (Location(lake.settings.root / _PAGES), named),
        *((place, [*named, *(b'"' + name + b'"' for name in gone)]) for place in _made(lake)),
    ):
        for name in [n for n in location.walk() if n.endswith(".html")]:
            folder, _, _ = name.rpartition("/")
            said = location.read_bytes(name)
            metrics = f"{folder}/metrics.json"
            if folder and not location.exists(f"{folder}/{MANIFEST}") and location.exists(metrics):
                said += location.read_bytes(metrics)
            if any(word in said for word in words):
                location.delete(name)
                removed += 1
    return {"deleted": removed}


def _made(lake: Lake) -> list[Location]:
    """Where models and evaluations lie: their zone, and the desk where that is on S3."""
    zone = lake.location(Zone.MODELS)
    return [zone] if zone.local else [zone, Location(lake.desk)]


def _vault(lake: Lake, withdrawal: Withdrawal) -> dict[str, int]:
    """Shred the secrets of persons with nothing left; a withdrawn person who comes again is refused at reception."""
    vault = open_vault(lake)
    refuse = withdrawal.scope.kind is Kind.SUBJECT
    return {"shredded": sum(vault.shred(code, refuse_again=refuse) for code in withdrawal.subjects)}


def _facts(withdrawal: Withdrawal, made: Plan, *, complete: bool) -> dict[str, object]:
    done, scope = withdrawal.done, withdrawal.scope
    named = {Kind.DELIVERY: "delivery", Kind.LICENCE: "licence"}.get(scope.kind)
    return {
        "scope": str(scope.kind),
        "complete": complete and withdrawals.complete(withdrawal),
        "commitment": withdrawal.commitments[0] if len(withdrawal.commitments) == 1 else None,
        "subjects": len(withdrawal.subjects),
        "models": sorted({model.model for model in made.models}) or None,
        "findings": sum(done["absence"]["found"].values()) if "absence" in done else None,
        "rows": done["tables"]["rows"] if "tables" in done else None,
        "files": done["tables"]["files"] if "tables" in done else None,
    } | ({named: scope.value} if named else {})
