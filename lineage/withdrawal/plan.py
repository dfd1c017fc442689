"""Withdrawals: what holds a subject, a delivery or a licence, and what a person would have to do about it.

Belongs here: the plan; it changes no table and no file. Rows and files are counted by `lineage.withdrawal.holdings`,
the steps are carried out by `stages.withdrawing`. The vault is another room's: who plans passes a function that counts
its secrets.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lake.releases import SPLITS, Release, names
from lake.zones import Lake
from lineage.evidence import gathered
from lineage.ledger import ledger
from lineage.ledger.events import EventType
from lineage.withdrawal.holdings import Held, Holding, Kind, Scope, held
from lineage.withdrawal.steps import Step, steps
from schemas.checkpoint import CheckpointManifest
from schemas.delivery import MANIFEST_NAME
from schemas.tables import EXPOSURES, RECEIVED

Secrets = Callable[[frozenset[str]], int | None]
"""How many of these subjects have a secret in the vault; None where the vault cannot be opened."""


@dataclass(frozen=True)
class InRelease:
    """What a frozen release holds of it.

    Attributes:
        release: the release.
        splits: volumes in each split that has any.
        subjects: persons.
        tables: table to the version that the release is pinned to.
    """

    release: str
    splits: Mapping[str, int]
    subjects: int
    tables: Mapping[str, int]


@dataclass(frozen=True)
class InModel:
    """A checkpoint that was trained on it.

    Attributes:
        model: name of the model.
        checkpoint: SHA-256 of the weights that saw it.
        direct: whether its own training was served it; otherwise an ancestor's was.
        via: models whose training was served it.
        volumes: volumes of it.
        samples: how often they were served.
        in_place: whether these weights still stand under that name.
        clean_ancestor: the nearest ancestor whose exposures are recorded and hold nothing of it; None: there is none,
            and training starts from scratch.
    """

    model: str
    checkpoint: str
    direct: bool
    via: tuple[str, ...]
    volumes: int
    samples: int
    in_place: bool
    clean_ancestor: str | None


@dataclass(frozen=True)
class Landing:
    """Files as they were delivered; PHI, so that only counts are told.

    Attributes:
        files: files of it.
        bytes: their size.
        unattributed: files of the same deliveries that name no person, which somebody must look at.
    """

    files: int
    bytes: int
    unattributed: int


@dataclass(frozen=True)
class Plan:
    """What holds it and what would have to be done.

    Attributes:
        scope: what is to be withdrawn.
        subjects: persons in it.
        subjects_only_here: persons with no row outside it.
        holdings: rows and files of each table and partition.
        log_commits: commits of Delta logs whose statistics name the subject, by table.
        unreadable_files: part files that were cut off in writing, of any table.
        releases: releases that hold it.
        models: checkpoints that were trained on it.
        unrecorded_models: models in place without recorded exposures; nobody can say what they saw.
        exports: recorded exports of releases that hold it.
        evaluations: recorded evaluations on a split of a release that holds it; their pages show pictures.
        landing: files as delivered.
        secrets: secrets in the vault of persons with no row outside it; None: the vault could not be asked.
        steps: what a person would do, in order.
    """

    scope: Scope
    subjects: int
    subjects_only_here: int
    holdings: list[Holding]
    log_commits: Mapping[str, int]
    unreadable_files: int
    releases: list[InRelease]
    models: list[InModel]
    unrecorded_models: list[str]
    exports: int
    evaluations: int
    landing: Landing
    secrets: int | None
    steps: list[Step] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing holds it any more but the evidence of the audit zone, as far as tables and manifests tell."""
        data = [holding for holding in self.holdings if not holding.evidence]
        return not (data or self.releases or self.landing.files or any(model.in_place for model in self.models))

    @property
    def evidence_rows(self) -> int:
        """Rows of the audit zone about it."""
        return sum(holding.rows for holding in self.holdings if holding.evidence)


def plan(lake: Lake, scope: Scope, secrets: Secrets = lambda _: None, found: Held | None = None) -> Plan:
    """What holds a scope and the steps of its withdrawal; nothing is changed.

    Args:
        lake: the lake.
        scope: what is to be withdrawn.
        secrets: asks the vault.
        found: what tables hold of it, where that was looked for already.

    Raises:
        lake.releases.ReleaseError: if a release was changed after it was frozen, so that nobody can say what it holds.
    """
    found = found or held(lake, scope)
    only_here = frozenset(found.subjects - found.elsewhere)
    releases = _releases(lake, scope)
    recorded, unrecorded = _models(lake, scope)
    exports, evaluations = _handed_out(lake, releases)
    unfinished = Plan(
        scope=scope,
        subjects=len(found.subjects),
        subjects_only_here=len(only_here),
        holdings=found.holdings,
        log_commits=found.log_commits,
        unreadable_files=found.unreadable_files,
        releases=releases,
        models=recorded,
        unrecorded_models=unrecorded,
        exports=exports,
        evaluations=evaluations,
        landing=_landing(lake, scope, found),
        secrets=secrets(only_here),
    )
    return Plan(**{**vars(unfinished), "steps": steps(unfinished)})


def _releases(lake: Lake, scope: Scope) -> list[InRelease]:
    answer = []
    for name in names(lake):
        release = Release.open(lake, name)
        # members are counted, nothing of the sealed set is read or shown
        members = {split: release.members(split, sealed_ok=True) for split in SPLITS}
        inside = {s: [m for m in ms if getattr(m, scope.kind) == scope.value] for s, ms in members.items()}
        splits = {split: len(found) for split, found in inside.items() if found}
        if splits:
            subjects = {member.subject for found in inside.values() for member in found}
            answer.append(InRelease(name, splits, len(subjects), release.manifest.tables))
    return answer


def _models(lake: Lake, scope: Scope) -> tuple[list[InModel], list[str]]:
    columns = ["model", "checkpoint", "via", "volume", "samples", str(scope.kind)]
    rows = lake.table(EXPOSURES).rows(list(dict.fromkeys(columns)))
    recorded = {(row["model"], row["checkpoint"]) for row in rows}
    seen: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row[scope.kind] == scope.value:
            seen[row["model"], row["checkpoint"]].append(row)
    manifests: dict[str, CheckpointManifest] = {
        row["name"]: row["manifest"] for row in gathered.models(lake) if row["manifest"]
    }
    in_place = {(name, manifest.weights_sha256) for name, manifest in manifests.items()}
    models = [
        InModel(
            model=model,
            checkpoint=checkpoint,
            direct=any(row["via"] == model for row in found),
            via=tuple(sorted({row["via"] for row in found})),
            volumes=len({row["volume"] for row in found}),
            samples=sum(row["samples"] for row in found),
            in_place=(model, checkpoint) in in_place,
            clean_ancestor=_clean(model, checkpoint, manifests, recorded - seen.keys()),
        )
        for (model, checkpoint), found in sorted(seen.items())
    ]
    return models, sorted(name for name, weights in in_place - recorded)


def _clean(
    model: str, checkpoint: str, manifests: Mapping[str, CheckpointManifest], clean: set[tuple[str, str]]
) -> str | None:
    """The nearest ancestor, by weights, among the checkpoints that are known to be clean."""
    current = manifests.get(model)
    if current is None or current.weights_sha256 != checkpoint:
        return None
    while current.parent:
        parent = manifests.get(current.parent)
        if parent is None or parent.weights_sha256 != current.parent_weights_sha256:
            return None  # the parent was trained again or is gone: what stands there is no ancestor
        if (parent.name, parent.weights_sha256) in clean:
            return parent.name
        current = parent
    return None


def _handed_out(lake: Lake, releases: Iterable[InRelease]) -> tuple[int, int]:
    """Recorded exports of the releases, and recorded evaluations on a split of them that holds it."""
    splits = {release.release: set(release.splits) for release in releases}
    exports = evaluations = 0
    for entry in ledger.entries(lake) if splits else []:
        if entry["type"] not in (EventType.EXPORTED, EventType.EVALUATED):
            continue
        facts = json.loads(entry["event"])["facts"]
        there = splits.get(facts.get("release"), set())
        exports += entry["type"] == EventType.EXPORTED and bool(there)
        evaluations += entry["type"] == EventType.EVALUATED and facts["split"] in there
    return exports, evaluations


def landing_files(lake: Lake, scope: Scope, found: Held) -> dict[tuple[str, str], int]:
    """Files in landing that belong to a scope, as delivery and path, with their sizes."""
    return _delivered(lake, scope, found)[0]


def _landing(lake: Lake, scope: Scope, found: Held) -> Landing:
    files, unattributed = _delivered(lake, scope, found)
    return Landing(len(files), sum(files.values()), unattributed)


def _delivered(lake: Lake, scope: Scope, found: Held) -> tuple[dict[tuple[str, str], int], int]:
    """Files as delivered, with their sizes, and how many others name no person."""
    if scope.kind is Kind.DELIVERY:
        return {(scope.value, file.name): file.bytes for file in lake.landed(scope.value).files()}, 0
    rows = lake.table(RECEIVED).rows(["delivery", "path", "subject", "licence"])
    inside = [row for row in rows if row[scope.kind] == scope.value]
    deliveries = {row["delivery"] for row in inside} | {h.partition.get("delivery") for h in found.holdings}
    places = [(str(row["delivery"]), row["path"]) for row in inside]
    unattributed = 0
    if scope.kind is Kind.SUBJECT:
        unattributed = sum(row["subject"] is None and row["delivery"] in deliveries for row in rows)
    else:
        places += [(str(delivery), MANIFEST_NAME) for delivery in deliveries]
    # one listing a delivery: on S3 each file by itself would be a request
    sizes = {delivery: {f.name: f.bytes for f in lake.landed(delivery).files()} for delivery, _ in places}
    there = {(d, name): sizes[d][name] for d, name in places if name in sizes[d]}
    return there, unattributed
