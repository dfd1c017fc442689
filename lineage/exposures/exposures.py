"""Exposures: which checkpoint was trained on which volume of which subject, its ancestors' included.

Belongs here: recording what a training served, and asking in both directions. What was served is counted by `training`,
which knows it whatever the number of processes, interruptions and their order; sets are `lineage.exposures.sets`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from lake.zones import Lake
from lineage.exposures import kept, register, sets
from lineage.exposures.plain import integers, text
from lineage.exposures.records import Records
from lineage.exposures.register import Member
from lineage.exposures.sets import Pass, counted, members, packed, passes, passes_of, seen
from lineage.exposures.training import Checkpoint, Training
from lineage.exposures.uncollected import uncollected
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from schemas.checkpoint import CheckpointManifest
from schemas.document import canonical_json
from schemas.tables import EXPOSED_CHECKPOINTS, EXPOSURE_SETS, EXPOSURES

_ASKED = "subject, series, volume, delivery, licence"


class ExposureError(ValueError):
    """What a model saw cannot be recorded or asked for exactly; the message says why."""


@dataclass(frozen=True)
class Exposed:
    """What a model saw, counted.

    Attributes:
        subjects: persons, ancestors' included.
        volumes: volumes, ancestors' included.
        samples: volumes served by this model's own training, each as often as it was.
        inherited: volumes that ancestors saw.
    """

    subjects: int
    volumes: int
    samples: int
    inherited: int


@dataclass(frozen=True)
class Saw:
    """A checkpoint that was trained on something, itself or through an ancestor.

    Attributes:
        model: name of the model.
        checkpoint: digest of its weights.
        via: models whose training was served it.
        volumes: volumes of it.
        samples: how often they were served.
    """

    model: str
    checkpoint: str
    via: tuple[str, ...]
    volumes: int
    samples: int


@dataclass(frozen=True)
class _Hit:
    """What one training was served of what is asked for.

    Attributes:
        order: place of its checkpoint in the record.
        training: the training.
        parts: of each of its sets that holds some of it, that part, with the epochs in which it was served.
    """

    order: int
    training: Training
    parts: Sequence[Pass]

    @property
    def volumes(self) -> BitMap:
        """Volumes of it that were served."""
        return seen(self.parts)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many volumes of it were served, and how often."""
        first, *others = self.parts
        sizes = [len(part.volumes) for part in self.parts]
        # mostly the first set, of the full epochs, holds all others
        inside = all(part.volumes.issubset(first.volumes) for part in others)
        samples = sum(part.times * size for part, size in zip(self.parts, sizes, strict=True))
        return sizes[0] if inside else len(self.volumes), samples


def digest(served: Mapping[str, int]) -> str:
    """SHA-256 of which volumes were served and how often, the same for every order and number of ranks."""
    return hashlib.sha256(canonical_json(dict(served)).encode()).hexdigest()


def record(
    lake: Lake,
    manifest: CheckpointManifest,
    served: Mapping[str, int],
    members: Iterable[Member],
    *,
    epochs: Sequence[Collection[str]] | None = None,
    teachers: Sequence[str] = (),
) -> Exposed:
    """Record what a checkpoint was trained on. What was recorded for other weights of the same name stays.

    Args:
        lake: the lake.
        manifest: the checkpoint's; it names model, weights, release and parent.
        served: volume to number of samples of this training, ancestors left out.
        members: volumes of the release; those that were served must be among them.
        epochs: which volumes each epoch served, for an order that does not serve every volume once an epoch; None: it
            does, and the counts say which.
        teachers: digests of the weights of other checkpoints that it learned from; it has seen what they saw.

    Raises:
        ExposureError: if a served volume is none of the release's, nothing is recorded for the weights of a parent or a
            teacher, or the epochs do not add up to what was served.
    """
    there = {member.volume: member for member in members}
    if strangers := served.keys() - there.keys():
        raise ExposureError(
            f"model {manifest.name}: found {len(strangers)} served volumes that release {manifest.release} does not "
            "have, needed volumes of the release"
        )
    counts = {volume: samples for volume, samples in served.items() if samples > 0}
    parents = _parents(manifest, teachers)
    records = _of_parents(lake, manifest, parents)
    numbers = register.numbered(lake, [there[volume] for volume in counts])
    own = _passes(manifest, {numbers[volume]: samples for volume, samples in counts.items()}, numbers, epochs)
    inherited = _inherited(records, parents)
    found = _count(register.volumes(lake, ("subject",)), seen(own), inherited, sum(counts.values()))
    stored = [packed(each.volumes) for each in own]
    _keep_sets(lake, dict(stored))
    # the event comes before the row: a crash in between repeats it, and never leaves an exposure without one
    append(lake, EventType.EXPOSED, _facts(manifest, found) | {"content_sha256": digest(counts)})
    row = {
        "model": manifest.name,
        "checkpoint": manifest.weights_sha256,
        "release": manifest.release,
        "parents": parents,
        "times": [each.times for each in own],
        "sets": [name for name, _ in stored],
        "served_sha256": digest(counts),
        "own": len(seen(own)),
        **vars(found),
    }
    table = lake.table(EXPOSED_CHECKPOINTS)
    kept.add(table, lambda: [row | {"sequence": kept.read(table, ["sequence"]).num_rows}])
    return found


def exposures(lake: Lake, checkpoint: str) -> list[dict[str, Any]]:
    """Rows of `exposed`, as dictionaries."""
    return exposed(lake, checkpoint).to_pylist()


@uncollected()
def exposed(lake: Lake, checkpoint: str, epoch: int | None = None) -> pa.Table:
    """Every volume that a checkpoint was trained on, itself or through an ancestor.

    Args:
        lake: the lake.
        checkpoint: name of the model, of which the newest checkpoint is meant, or the beginning of the digest of its
            weights, eight digits or more.
        epoch: only what its own training served in this epoch, counted from 1; None: all.

    Returns:
        A row for each volume and training that served it, columns as in `schemas.tables.EXPOSURES`; none where nothing
        is recorded.
    """
    records = Records.read(lake)
    asked = records.newest.get(checkpoint) or _by_digest(records, checkpoint)
    if asked is None:
        return EXPOSURES.arrow_schema.empty_table()
    family = records.family(asked) if epoch is None else [asked]
    trainings = list(dict.fromkeys(training for each in family for training in each.trainings))
    if epoch is not None:
        trainings = [training for training in trainings if training.via == asked.model]
    tables = [
        _rows(records.volumes, asked, training, served if epoch is None else _epoch(served, epoch))
        for training, served in zip(trainings, records.passes(trainings), strict=True)
    ]
    return pa.concat_tables(tables) if tables else EXPOSURES.arrow_schema.empty_table()


@uncollected()
def who_saw(lake: Lake, **of: str) -> list[dict[str, Any]]:
    """Checkpoints that were trained on something, itself or through an ancestor; those that were replaced, too.

    Args:
        lake: the lake.
        of: one of `subject`, `series`, `volume`, `delivery`, `licence`, and its value.

    Returns:
        One row for each checkpoint and way: model, checkpoint, release, via, and the number of volumes and samples.

    Raises:
        ExposureError: if it is not asked for exactly one of these.
    """
    found = [
        {
            "model": checkpoint.model,
            "checkpoint": checkpoint.weights,
            "release": hit.training.release,
            "via": hit.training.via,
            "volumes": hit.counts[0],
            "samples": hit.counts[1],
        }
        for checkpoint, hits in _hits(Records.read(lake, _column(of)), of)
        for hit in (hits if len(hits) == 1 else sorted(hits, key=lambda hit: (hit.training.via, hit.order)))
    ]
    return sorted(found, key=lambda row: str(row["model"]))


@uncollected()
def saw(lake: Lake, **of: str) -> tuple[list[Saw], set[tuple[str, str]]]:
    """Checkpoints that were trained on something, and all that are recorded, as model and digest of weights.

    Args:
        lake: the lake.
        of: as `who_saw`.
    """
    records = Records.read(lake, _column(of))
    found = [
        Saw(
            checkpoint.model,
            checkpoint.weights,
            tuple(sorted({hit.training.via for hit in hits})),
            hits[0].counts[0] if len(hits) == 1 else len(BitMap.union(*(hit.volumes for hit in hits))),
            sum(hit.counts[1] for hit in hits),
        )
        for checkpoint, hits in _hits(records, of)
    ]
    return found, {each.name for each in records.checkpoints}


def _column(of: Mapping[str, str]) -> tuple[str, ...]:
    if len(of) != 1 or not of.keys() <= set(register.KEYS):
        raise ExposureError(f"found {sorted(of)} to look for, needed one of {_ASKED}")
    return tuple(of)


def _hits(records: Records, of: Mapping[str, str]) -> list[tuple[Checkpoint, list[_Hit]]]:
    """Checkpoints that saw something, in the order of their record, each with the trainings through which it did."""
    ((column, value),) = of.items()
    asked = BitMap(register.find(records.volumes, column, value))
    if not asked:
        return []
    # sets are large and shared by many trainings, what is asked for is a small part of them
    inside = {name: part for name, volumes in records.sets() if (part := volumes & asked)}
    found: dict[Checkpoint, dict[Training, _Hit]] = defaultdict(dict)
    for order, checkpoint in enumerate(records.checkpoints):
        for training in checkpoint.trainings:
            if hit := _hit(order, training, inside):
                for descendant in records.descendants(checkpoint):
                    found[descendant][training] = hit
    return [(each, list(found[each].values())) for each in records.checkpoints if each in found]


def _hit(order: int, training: Training, inside: Mapping[str, BitMap]) -> _Hit | None:
    both = zip(training.times, training.sets, strict=True)
    parts = [Pass(times, inside[name]) for times, name in both if name in inside]
    return _Hit(order, training, parts) if parts else None


def _parents(manifest: CheckpointManifest, teachers: Sequence[str]) -> list[str]:
    parent = [manifest.parent_weights_sha256] if manifest.parent_weights_sha256 else []
    return list(dict.fromkeys([*parent, *teachers]))


def _of_parents(lake: Lake, manifest: CheckpointManifest, parents: Sequence[str]) -> Records:
    records = Records.read(lake)
    if missing := [weights for weights in parents if weights not in records.by_weights]:
        which = manifest.parent if manifest.parent_weights_sha256 in missing else "a teacher"
        raise ExposureError(
            f"model {manifest.name}: found no exposures recorded for the weights of its parent {which}, needed them, "
            "because a model has seen what its parent saw; materialize the parent again, then this model"
        )
    return records


def _passes(
    manifest: CheckpointManifest,
    counts: Mapping[int, int],
    numbers: Mapping[str, int],
    epochs: Sequence[Collection[str]] | None,
) -> list[Pass]:
    if epochs is None:
        return passes(counts)
    strangers = {volume for epoch in epochs for volume in epoch} - numbers.keys()
    own = [] if strangers else passes_of([[numbers[volume] for volume in epoch] for epoch in epochs])
    if dict(zip(*(values.tolist() for values in counted(own)), strict=True)) != dict(counts):
        raise ExposureError(
            f"model {manifest.name}: found epochs that do not add up to the samples that were served, needed every "
            "volume in as many epochs as it was served"
        )
    return own


def _inherited(records: Records, parents: Sequence[str]) -> BitMap:
    ancestors = [
        each for weights in parents for parent in records.by_weights[weights] for each in records.family(parent)
    ]
    trainings = list(dict.fromkeys(training for each in ancestors for training in each.trainings))
    return BitMap.union(BitMap(), *(seen(served) for served in records.passes(trainings)))


def _count(volumes: pa.Table, own: BitMap, inherited: BitMap, samples: int) -> Exposed:
    both = own | inherited
    mask = pc.is_in(volumes["number"], integers(members(both)))
    return Exposed(len(volumes.filter(mask)["subject"].unique()), len(both), samples, len(inherited))


def _keep_sets(lake: Lake, stored: Mapping[str, bytes]) -> None:
    table = lake.table(EXPOSURE_SETS)

    def missing() -> list[dict[str, object]]:
        there = set(kept.read(table, ["digest"])["digest"].to_pylist())
        return [{"digest": name, "bitmap": data} for name, data in stored.items() if name not in there]

    kept.add(table, missing)


def _by_digest(records: Records, beginning: str) -> Checkpoint | None:
    if len(beginning) < 8:
        return None
    return next((each for each in records.checkpoints if each.weights.startswith(beginning)), None)


def _epoch(served: Sequence[Pass], number: int) -> list[Pass]:
    return [Pass(1, sets.epoch(served, number))]


def _rows(volumes: pa.Table, checkpoint: Checkpoint, training: Training, served: Sequence[Pass]) -> pa.Table:
    numbers, samples = counted(served)
    about = {"model": checkpoint.model, "checkpoint": checkpoint.weights, "release": training.release}
    same = {name: pa.repeat(text(value), len(numbers)) for name, value in (about | {"via": training.via}).items()}
    found = register.described(volumes, integers(numbers))
    columns = {**same, **{name: found[name] for name in register.KEYS}, "samples": integers(samples)}
    names = EXPOSURES.arrow_schema.names
    return pa.Table.from_arrays([columns[name] for name in names], names=names).cast(EXPOSURES.arrow_schema)


def _facts(manifest: CheckpointManifest, exposed: Exposed) -> dict[str, object]:
    return {
        "model": manifest.name,
        "weights_sha256": manifest.weights_sha256,
        "release": manifest.release,
        "release_sha256": manifest.release_sha256,
        "exposure_sha256": manifest.exposure_sha256,
        "parent": manifest.parent,
        "parent_weights_sha256": manifest.parent_weights_sha256,
        "subjects": exposed.subjects,
        "volumes": exposed.volumes,
        "samples": exposed.samples,
    }
