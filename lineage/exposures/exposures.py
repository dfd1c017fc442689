"""Exposures: which checkpoint was trained on which volume of which subject, its ancestors' included.

Belongs here: recording what a training served, and asking in both directions. What was served is counted by `training`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from schemas.checkpoint import CheckpointManifest
from schemas.document import canonical_json
from schemas.tables import EXPOSURES

_KEYS = ("subject", "series", "volume", "delivery", "licence")


class ExposureError(ValueError):
    """What a model saw cannot be recorded or asked for exactly; the message says why."""


class Member(Protocol):
    """What must be known of a volume of a release (`lake.releases.Member`)."""

    @property
    def delivery(self) -> str: ...  # noqa: D102
    @property
    def licence(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def series(self) -> str: ...  # noqa: D102
    @property
    def volume(self) -> str: ...  # noqa: D102


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


def digest(served: Mapping[str, int]) -> str:
    """SHA-256 of which volumes were served and how often, the same for every order and number of ranks."""
    return hashlib.sha256(canonical_json(dict(served)).encode()).hexdigest()


def record(lake: Lake, manifest: CheckpointManifest, served: Mapping[str, int], members: Iterable[Member]) -> Exposed:
    """Record what a checkpoint was trained on, in place of what was recorded for a model of this name.

    Args:
        lake: the lake.
        manifest: the checkpoint's; it names model, weights, release and parent.
        served: volume to number of samples of this training, ancestors left out.
        members: volumes of the release; those that were served must be among them.

    Raises:
        ExposureError: if a served volume is none of the release's, or nothing is recorded for the parent's weights.
    """
    there = {member.volume: member for member in members}
    if strangers := served.keys() - there.keys():
        raise ExposureError(
            f"model {manifest.name}: found {len(strangers)} served volumes that release {manifest.release} does not "
            "have, needed volumes of the release"
        )
    own = [_row(manifest, there[volume], samples) for volume, samples in sorted(served.items()) if samples > 0]
    rows = pa.Table.from_pylist(own, schema=EXPOSURES.arrow_schema)
    inherited = _inherited(lake, manifest)
    table = lake.table(EXPOSURES)
    part = table.write(pa.concat_tables([rows, inherited]), {"model": manifest.name})
    # the event comes first: a crash in between repeats it, and never leaves an exposure without one
    exposed = _count(rows, inherited)
    append(lake, EventType.EXPOSED, _facts(manifest, exposed))
    table.replace({"model": manifest.name}, [part], {"exposure_sha256": manifest.exposure_sha256})
    return exposed


def exposures(lake: Lake, model: str) -> list[dict[str, Any]]:
    """Every volume that a model was trained on, itself or through an ancestor; columns as in `schemas.tables`."""
    return lake.table(EXPOSURES).rows(partition={"model": model})


def who_saw(lake: Lake, **of: str) -> list[dict[str, Any]]:
    """Checkpoints that were trained on something, itself or through an ancestor.

    Args:
        lake: the lake.
        of: one of `subject`, `series`, `volume`, `delivery`, `licence`, and its value.

    Returns:
        One row for each checkpoint and way: model, checkpoint, release, via, and the number of volumes and samples.

    Raises:
        ExposureError: if it is not asked for exactly one of these.
    """
    if len(of) != 1 or not of.keys() <= set(_KEYS):
        raise ExposureError(f"found {sorted(of)} to look for, needed one of {', '.join(_KEYS)}")
    table = lake.table(EXPOSURES)
    if not table.exists():
        return []
    ((column, value),) = of.items()
    names = list(dict.fromkeys(("model", "checkpoint", "release", "via", "volume", "samples", column)))
    rows = table.read(names)
    grouped = rows.filter(pc.equal(rows[column], pa.scalar(value))).group_by(["model", "checkpoint", "release", "via"])
    counted = grouped.aggregate([("volume", "count_distinct"), ("samples", "sum")])
    answer = counted.rename_columns({"volume_count_distinct": "volumes", "samples_sum": "samples"}).to_pylist()
    return sorted(answer, key=lambda row: (row["model"], row["via"]))


def _row(manifest: CheckpointManifest, member: Member, samples: int) -> dict[str, object]:
    return {
        "model": manifest.name,
        "checkpoint": manifest.weights_sha256,
        "release": manifest.release,
        "via": manifest.name,
        "delivery": member.delivery,
        "licence": member.licence,
        "subject": member.subject,
        "series": member.series,
        "volume": member.volume,
        "samples": samples,
    }


def _inherited(lake: Lake, manifest: CheckpointManifest) -> pa.Table:
    """Rows of the parent, whose own ancestors are among them, as rows of this model."""
    if manifest.parent is None:
        return EXPOSURES.arrow_schema.empty_table()
    table = lake.table(EXPOSURES)
    seen = table.read(partition={"model": manifest.parent}) if table.exists() else EXPOSURES.arrow_schema.empty_table()
    if seen.num_rows == 0 or seen["checkpoint"].unique().to_pylist() != [manifest.parent_weights_sha256]:
        raise ExposureError(
            f"model {manifest.name}: found no exposures recorded for the weights of its parent {manifest.parent}, "
            "needed them, because a model has seen what its parent saw; materialize the parent again, then this model"
        )
    for name, value in (("model", manifest.name), ("checkpoint", manifest.weights_sha256)):
        field = seen.schema.field(name)
        seen = seen.set_column(seen.schema.get_field_index(name), field, pa.array([value] * seen.num_rows, field.type))
    return seen


def _count(rows: pa.Table, inherited: pa.Table) -> Exposed:
    both = pa.concat_tables([rows, inherited])
    return Exposed(
        subjects=len(both["subject"].unique()),
        volumes=len(both["volume"].unique()),
        samples=pc.sum(rows["samples"]).as_py() or 0,
        inherited=len(inherited["volume"].unique()),
    )


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
