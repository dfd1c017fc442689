"""A checkpoint as a folder: written at once and whole, read with its digests proved and nothing unpickled.

Belongs here: `models/<name>/` and what its files say. The resumable state of a running training is
`training.running.workspace`; its card is `training.card`.
"""

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lineage.terms.union import joined
from schemas.checkpoint import MANIFEST, RETIRED, RUNS, SHARING, CheckpointManifest
from schemas.release import ReleaseManifest
from schemas.union import Terms
from training import card
from training.errors import CheckpointError
from training.result import Result
from training.running.digests import code_digest, digest_of
from training.running.files import sync

WEIGHTS, CONFIG, METRICS, EXPOSURE, CARD = (
    "weights.safetensors",
    "config.yaml",
    "metrics.json",
    "exposure.json",
    "card.html",
)
CARD_TEXT = "card.md"
"""The card as Markdown."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        folder: where it lies.
        manifest: where it comes from and what covers it.
        config: content of `config.yaml`: kind, configuration, preprocessing, identity and, fine-tuned, classes.
        metrics: content of `metrics.json`.
        exposure: content of `exposure.json`; empty of a model that was shared, whose list stayed where it was trained.
        weights: name to tensor.
    """

    folder: Path
    manifest: CheckpointManifest
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    exposure: Mapping[str, Any]
    weights: Mapping[str, Tensor]

    def seen(self) -> set[str]:
        """Volumes that it or an ancestor was trained on.

        Raises:
            CheckpointError: if nobody here can know, because it is a model that was shared.
        """
        if not self.exposure:
            raise CheckpointError(
                f"{self.folder.name}: found a model that was shared without the list of what it was trained on, needed "
                "this list to keep people apart; do it where the model was trained"
            )
        ancestors = [volume for a in self.exposure["ancestors"] for volume in a["volumes"]]
        return {*self.exposure["volumes"], *ancestors}


@dataclass(frozen=True)
class Used:
    """What a training took.

    Attributes:
        hardware: processes and the device of each, in words; empty: not known.
        device_hours: hours of all devices together.
        cost: US dollars; None: no price was told.
    """

    hardware: str = ""
    device_hours: float = 0.0
    cost: float | None = None


@dataclass(frozen=True)
class Made:
    """What a training made, to be written.

    Attributes:
        kind: pretrained or finetuned.
        task: objective or task.
        weights: name to tensor.
        config: content of `config.yaml`.
        metrics: content of `metrics.json`, without floats that JSON lacks.
        volumes: volume to samples served.
        release: the release it was trained on.
        release_sha256: digest of its manifest file.
        parent: what it started from.
        steps: optimizer steps.
        world_size: processes.
        used: what it took.
        files: name to content of what else is to lie in the folder.
    """

    kind: str
    task: str
    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    volumes: Mapping[str, int]
    release: ReleaseManifest
    release_sha256: str
    parent: Checkpoint | None
    steps: int
    world_size: int
    used: Used = Used()
    files: Mapping[str, bytes] = field(default_factory=dict)


def write(out: Path, made: Made) -> CheckpointManifest:
    """Write a checkpoint to `out`, in place of one that is there; a crash leaves the old one or the new one.

    Args:
        out: the folder, named as the model.
        made: what to write.

    Raises:
        CheckpointError: if there is no room for it; the old one, and what the training can be resumed from, stay.
    """
    building = out.parent / RUNS / out.name / "building"
    shutil.rmtree(building, ignore_errors=True)
    try:
        manifest = _build(building, out.name, made)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(building, ignore_errors=True)
        raise CheckpointError(
            f"found no way to write the model to {building} ({error}), needed room and permission to write; free some "
            "space and run the same job again, it goes on from the last saved step"
        ) from error
    _swap(building, out)
    return manifest


def _build(building: Path, name: str, made: Made) -> CheckpointManifest:
    building.mkdir(parents=True)
    save_file(
        {name: tensor.detach().cpu().contiguous().clone() for name, tensor in made.weights.items()}, building / WEIGHTS
    )
    (building / CONFIG).write_text(yaml.safe_dump(dict(made.config), sort_keys=False), encoding="utf-8")
    _write_json(building / METRICS, made.metrics)
    _write_json(building / EXPOSURE, _exposure(made))
    for other, content in made.files.items():
        (building / other).write_bytes(content)
    manifest = _manifest(name, building, made)
    said = (manifest, made.config, made.metrics, made.volumes)
    (building / CARD).write_text(card.render(*said), encoding="utf-8")
    figure = next((name for name in made.files if name.endswith(".png")), None)
    (building / CARD_TEXT).write_text(card.markdown(*said, figure), encoding="utf-8")
    (building / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    for file in building.iterdir():
        sync(file)
    sync(building)
    return manifest


def _swap(building: Path, out: Path) -> None:
    old = building.with_name("replaced")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    building.rename(out)
    sync(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def _exposure(made: Made) -> dict[str, Any]:
    ancestors: list[dict[str, Any]] = []
    if made.parent:
        manifest, seen = made.parent.manifest, made.parent.exposure
        own = {"model": manifest.name, "weights_sha256": manifest.weights_sha256, "release": manifest.release}
        ancestors = [{**own, "volumes": seen["volumes"]}, *seen["ancestors"]]
    return {
        "release": made.release.name,
        "release_sha256": made.release_sha256,
        "volumes": dict(sorted(made.volumes.items())),
        "ancestors": ancestors,
    }


def _manifest(name: str, folder: Path, made: Made) -> CheckpointManifest:
    parent = made.parent.manifest if made.parent else None
    licences = dict(made.release.licences)
    for licence, digest in (parent.licences if parent else {}).items():
        # the same licence in another wording covers the parent's data: both count
        licences.setdefault(licence if licences.get(licence, digest) == digest else f"{licence}@{digest[:12]}", digest)
    return CheckpointManifest.model_validate(
        {
            "name": name,
            "kind": made.kind,
            "task": made.task,
            "weights_sha256": digest_of(folder / WEIGHTS),
            "config_sha256": digest_of(folder / CONFIG),
            "release": made.release.name,
            "release_sha256": made.release_sha256,
            "parent": parent.name if parent else None,
            "parent_weights_sha256": parent.weights_sha256 if parent else None,
            "licences": licences,
            "share_models": made.release.share_models and (parent is None or parent.share_models),
            "terms": _terms(made.release, parent),
            "exposure_sha256": digest_of(folder / EXPOSURE),
            "steps": made.steps,
            "world_size": made.world_size,
            "code_version": version("larmor"),
            "code_sha256": code_digest(),
            "hardware": made.used.hardware or None,
            "device_hours": made.used.device_hours,
            "cost_usd": made.used.cost,
            "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
    )


def _terms(release: ReleaseManifest, parent: CheckpointManifest | None) -> Terms | None:
    """The most restrictive of what covers the release and the parent; None where one of them carries none."""
    carried = [release.terms, *([parent.terms] if parent else [])]
    known = [terms for terms in carried if terms is not None]
    return joined(known) if len(known) == len(carried) else None


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint; its digests are proved first, and no file of it is executed or unpickled.

    Raises:
        CheckpointError: if a file is missing, cut short or changed since it was written.
    """
    manifest = read_manifest(folder)
    shared = (folder / SHARING).is_file() and not (folder / EXPOSURE).exists()
    for name, digest in (
        (WEIGHTS, manifest.weights_sha256),
        (CONFIG, manifest.config_sha256),
        *([] if shared else [(EXPOSURE, manifest.exposure_sha256)]),
    ):
        if not (folder / name).is_file() or digest_of(folder / name) != digest:
            raise CheckpointError(
                f"{folder / name}: found no file with the digest of the manifest, needed the one that was written; "
                "copy the whole folder again or train again"
            )
    return Checkpoint(
        folder,
        manifest,
        yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8")),
        _read_json(folder / METRICS),
        {} if shared else _read_json(folder / EXPOSURE),
        load_file(folder / WEIGHTS),
    )


def read_manifest(folder: Path) -> CheckpointManifest:
    """The manifest of a checkpoint.

    Raises:
        CheckpointError: if it is missing or not a manifest.
    """
    path = folder / MANIFEST
    if (folder / RETIRED).is_file() and not path.is_file():
        raise CheckpointError(
            f"{folder.name}: found a model that a withdrawal took out of use, needed one that never saw what was "
            "withdrawn; train it again on a release without it"
        )
    if not path.is_file():
        there = sorted(p.parent.name for p in folder.parent.glob(f"*/{MANIFEST}"))
        raise CheckpointError(
            f"found no checkpoint at {folder}, needed a folder with {MANIFEST}; beside it: {', '.join(there) or 'none'}"
        )
    try:
        return CheckpointManifest.model_validate_json(path.read_bytes())
    except ValidationError:
        raise CheckpointError(
            f"{path}: found no valid manifest, needed the one that was written; train again"
        ) from None


def finished(out: Path, identity: str, *, replace: bool) -> Result | None:
    """The result of a training that is already finished at `out`, or None if it is to be done.

    Args:
        out: the model's folder.
        identity: identity of the training.
        replace: do it although a model of another identity is there.

    Raises:
        CheckpointError: if there is a model of another identity and it is not to be replaced.
    """
    if not (out / MANIFEST).exists():
        return None
    there = load(out)
    if there.config.get("identity") == identity:
        return Result(out.name, out, there.manifest, there.metrics, there.exposure["volumes"], there.manifest.steps)
    if replace:
        return None
    raise CheckpointError(
        f"found a finished model of another configuration, release or parent at {out}, needed a new name, or "
        "replace: true (larmor train --replace) to train it anew in its place"
    )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CheckpointError(f"found no file {path}, needed the whole folder; copy it again or train again")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
