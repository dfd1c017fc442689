"""Withdrawals: what holds a subject, a delivery or a licence, and what a person would have to do about it.

Belongs here: the plan; it changes no table and no file. Rows and files are counted by `lineage.withdrawal.holdings`,
the steps are carried out by `stages.withdrawal.withdrawing`. The vault is another room's: who plans passes a function
that counts its secrets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from lake.releases import MEMBERS, Release, names
from lake.tables.parquet import rows_of
from lake.zones import Lake
from lineage.exposures.exposures import saw
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.elsewhere import Elsewhere, elsewhere
from lineage.withdrawal.estimate import Estimate, estimate
from lineage.withdrawal.holdings import Held, Holding, held
from lineage.withdrawal.steps import Step, steps
from lineage.withdrawal.unfinished import unfinished
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Zone
from schemas.delivery import MANIFEST_NAME
from schemas.tables import RECEIVED, TABLES

_MANIFEST = "manifest.json"

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
        release_sha256: digest of its manifest.
        licences: licences that its volumes of it came under.
    """

    release: str
    splits: Mapping[str, int]
    subjects: int
    tables: Mapping[str, int]
    release_sha256: str
    licences: tuple[str, ...]


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
        unfinished: trainings that were not finished and saw it, or do not say what they saw.
        copies: exports, evaluations, backups and staged files that are recorded, and whom to tell.
        change_feed: tables of which the change feed still tells its rows, with the versions that do.
        estimate: what it takes.
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
    unfinished: int
    copies: Elsewhere
    change_feed: Mapping[str, int]
    estimate: Estimate
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
    manifests = _manifests(lake)
    recorded, unrecorded = _models(lake, scope, manifests)
    received = _received(lake, found)
    mine = received.filter(pc.equal(received[scope.kind], scope.value))
    licences = {*mine["licence"].unique().to_pylist(), *(each for release in releases for each in release.licences)}
    if scope.kind is Kind.LICENCE:
        licences.add(scope.value)
    stepless = Plan(
        scope=scope,
        subjects=len(found.subjects),
        subjects_only_here=len(only_here),
        holdings=found.holdings,
        log_commits=found.log_commits,
        unreadable_files=found.unreadable_files,
        releases=releases,
        models=recorded,
        unrecorded_models=unrecorded,
        unfinished=len(unfinished(lake, scope, found)),
        copies=elsewhere(
            lake,
            {release.release: release.splits for release in releases},
            [release.release_sha256 for release in releases],
            [model.model for model in recorded],
            licences - {None},
        ),
        change_feed=_change_feed(found.holdings),
        estimate=estimate(lake, found.holdings, [manifests[m.model] for m in recorded if m.in_place]),
        landing=_landing(lake, scope, found),
        secrets=secrets(only_here),
    )
    return Plan(**{**vars(stepless), "steps": steps(stepless)})


def _releases(lake: Lake, scope: Scope) -> list[InRelease]:
    answer = []
    columns = list(dict.fromkeys(["split", "subject", "licence", str(scope.kind)]))
    for name in names(lake):
        release = Release.open(lake, name)  # proves the list of members
        data = lake.location(Zone.CURATED, "releases", name).read_bytes(MEMBERS)
        # members are counted, nothing of the sealed set is read or shown
        rows = rows_of(data, columns)
        mine = rows.filter(pc.equal(rows[scope.kind], scope.value))
        if mine.num_rows:
            counted = mine.group_by("split").aggregate([([], "count_all")]).to_pydict()
            splits = dict(sorted(zip(counted["split"], counted["count_all"], strict=True)))
            licences = tuple(sorted(mine["licence"].unique().to_pylist()))
            subjects = len(mine["subject"].unique())
            answer.append(InRelease(name, splits, subjects, release.manifest.tables, release.sha256, licences))
    return answer


def _models(lake: Lake, scope: Scope, manifests: Mapping[str, CheckpointManifest]) -> tuple[list[InModel], list[str]]:
    seen, recorded = saw(lake, **{scope.kind: scope.value})
    in_place = {(name, manifest.weights_sha256) for name, manifest in manifests.items()}
    clean = recorded - {(each.model, each.checkpoint) for each in seen}
    models = []
    for each in sorted(seen, key=lambda each: (each.model, each.checkpoint)):
        there = manifests.get(each.model) if (each.model, each.checkpoint) in in_place else None
        model = InModel(
            model=each.model,
            checkpoint=each.checkpoint,
            direct=each.model in each.via,
            via=each.via,
            volumes=each.volumes,
            samples=each.samples,
            in_place=there is not None,
            clean_ancestor=_clean(there, manifests, clean) if there else None,
        )
        models.append(model)
    return models, sorted(name for name, weights in in_place - recorded)


def _manifests(lake: Lake) -> dict[str, CheckpointManifest]:
    """Manifests of the checkpoints that stand in the models zone; one that cannot be read tells nothing."""
    location = lake.location(Zone.MODELS)
    found = {}
    for name in location.list():
        if name.startswith(".") or not location.exists(f"{name}/{_MANIFEST}"):
            continue
        try:
            found[name] = CheckpointManifest.model_validate_json(location.read_bytes(f"{name}/{_MANIFEST}"))
        except ValidationError:
            continue
    return found


def _clean(
    current: CheckpointManifest, manifests: Mapping[str, CheckpointManifest], clean: set[tuple[str, str]]
) -> str | None:
    """The nearest ancestor, by weights, among the checkpoints that are known to be clean."""
    while current.parent:
        parent = manifests.get(current.parent)
        if parent is None or parent.weights_sha256 != current.parent_weights_sha256:
            return None  # the parent was trained again or is gone: what stands there is no ancestor
        if (parent.name, parent.weights_sha256) in clean:
            return parent.name
        current = parent
    return None


def _change_feed(holdings: list[Holding]) -> dict[str, int]:
    """Versions of each table that tells its changes and hold rows of it; the feed reads them from the same files."""
    sealed = {table.path for table in TABLES if table.sealed}
    versions: dict[str, set[int]] = {}
    for holding in holdings:
        if holding.table not in sealed and not holding.evidence:
            versions.setdefault(holding.table, set()).update(holding.versions)
    return {table: len(of) for table, of in sorted(versions.items()) if of}


def _received(lake: Lake, found: Held) -> pa.Table:
    """What was received in the deliveries that hold something of a scope."""
    table, columns = lake.table(RECEIVED), ["delivery", "path", "subject", "licence"]
    schema = pa.schema([RECEIVED.arrow_schema.field(name) for name in columns])
    deliveries = sorted(_deliveries(found)) if table.exists() else []
    return pa.concat_tables([schema.empty_table(), *(table.read(columns, {"delivery": name}) for name in deliveries)])


def _deliveries(found: Held) -> set[str]:
    return {holding.partition["delivery"] for holding in found.holdings if "delivery" in holding.partition}


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
    rows = _received(lake, found)
    inside = rows.filter(pc.equal(rows[scope.kind], scope.value))
    places = list(zip(inside["delivery"].to_pylist(), inside["path"].to_pylist(), strict=True))
    deliveries = _deliveries(found)
    unattributed = 0
    if scope.kind is Kind.SUBJECT:
        nobody = rows.filter(pc.is_null(rows["subject"]))["delivery"]
        unattributed = pc.sum(pc.is_in(nobody, pa.array(sorted(deliveries), pa.string()))).as_py() or 0
    else:
        places += [(delivery, MANIFEST_NAME) for delivery in deliveries]
    # one listing a delivery: on S3 each file by itself would be a request
    sizes = {delivery: {f.name: f.bytes for f in lake.landed(delivery).files()} for delivery in deliveries}
    there = {(d, name): sizes[d][name] for d, name in places if name in sizes[d]}
    return there, unattributed
