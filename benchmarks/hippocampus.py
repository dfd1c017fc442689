"""Few labels: Dice of the convolutional preset, pre-trained, against MONAI's DynUNet from scratch.

T1 crops around the hippocampus with two labelled parts. Cases whose number leaves 1 when divided by 3 are trained on,
those that leave 2 are judged; pre-training, one model for all seeds, and what semi-supervised training sees without
labels are images of the former only. The seed chooses the subjects that are labelled, the same for both networks.
Recipes were chosen with `LARMOR_BENCH_JUDGE=validation`: every third training case is then judged, only the others are
trained on.

`LARMOR_BENCH_SEEDS` (0,1,2), `LARMOR_BENCH_ROWS` (those of `ROWS`) and `LARMOR_BENCH_FOLDER` choose what is run and
where models are kept: those that are finished there are not trained again. `LARMOR_BENCH_CORES` (2) trainings run side
by side, one core each: while the baselines train, ours is pre-trained.
"""

import json
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.nifti import nifti
from imaging.volumes.statistics import statistics as numbers_of
from schemas.release import ReleaseManifest, ReleaseSpec
from training.config.finetune import FinetuneConfig
from training.config.presets import configured

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "hippocampus"
SCHEME = {0: "background", 1: "anterior", 2: "posterior"}
CROP = (32.0, 48.0, 32.0)
"""mm, which are voxels here: about 60 of 100 voxels of an image."""

SHARED: dict[str, Any] = {
    "crop_mm": CROP, "batch_size": 2, "steps": 450, "warmup_steps": 10, "learning_rate": 2e-3, "precision": "bf16",
    "window_mm": CROP, "save_every": 1000, "report_every": 50, "tensorboard": False,
}  # fmt: skip
"""What both networks are trained with. Both predict in windows as large as those of training: on the validation cases
that is better for either than the whole image at once."""

BASELINE = SHARED | {"network": "dynunet", "scratch": True}
OURS = SHARED | {"deform": 1.0, "learning_rate": 4e-3}
PRETRAIN: dict[str, Any] = {
    "crop_mm": CROP, "batch_size": 2, "steps": 800, "warmup_steps": 40, "learning_rate": 2e-3, "precision": "bf16",
    "save_every": 250, "report_every": 100, "probe_every": 0, "tensorboard": False,
}  # fmt: skip
SHORT: dict[str, Any] = {"steps": 90, "warmup_steps": 5, "learning_rate": 8e-3, "deform": 0.5}
SEMI: dict[str, Any] = {"task": "semi", "batch_size": 4, "options": {"unlabelled": 2}}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        title: what is compared.
        goal: what is to be reached.
        labels: labelled subjects, 0 for all.
        base: what differs from `BASELINE`, or from `OURS` where the comparison is with ourselves.
        ours: what differs from `OURS`.
        itself: whether `base` is ours too.
    """

    title: str
    goal: str
    labels: int
    base: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    itself: bool = False


ROWS = {
    "4": Row("4 labels, 450 steps", "+0.04", 4),
    "8": Row("8 labels, 450 steps", "+0.03", 8),
    "all": Row("all labels, 700 steps", "+0.01", 0, {"steps": 700}, {"steps": 700}),
    "steps": Row("4 labels, 450 steps against 90", "at least as good", 4, {}, SHORT),
    "semi": Row("4 labels, supervised against semi-supervised", "+0.02", 4, {}, SEMI, itself=True),
    "long": Row("all labels, 700 steps against 3000", "0.87 in all", 0, {"steps": 700}, {"steps": 3000}),
}


@dataclass(frozen=True)
class Member:
    """A case as a member of a release."""

    subject: str
    split: str

    @property
    def volume(self) -> str:
        """Id of its image."""
        return f"image-{self.subject}"

    @property
    def label(self) -> str:
        """Id of its label map."""
        return f"label-{self.subject}"


@dataclass(frozen=True)
class Arrays:
    """Images or label maps in memory, with their rows."""

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    voxels: dict[str, NDArray[Any]] = field(default_factory=dict)

    def row(self, volume: str) -> Mapping[str, Any]:
        """The row without voxels."""
        return self.facts[volume]

    def rows(self, volumes: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The rows of many volumes."""
        return [self.facts[volume] for volume in volumes]

    def array(self, volume: str) -> NDArray[Any]:
        """All stored voxels."""
        return self.voxels[volume]

    def crop(self, volume: str, start: Sequence[int], shape: Sequence[int]) -> NDArray[Any]:
        """A window of the stored voxels."""
        return self.voxels[volume][tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))]


@dataclass(frozen=True)
class Release:
    """The files as a frozen release: the statistics of its rows are those that the lake keeps."""

    cases: list[Member]
    images: Arrays
    maps: Arrays
    sha256: str

    @property
    def manifest(self) -> ReleaseManifest:
        """What was frozen."""
        return ReleaseManifest.model_validate(
            {
                "name": "hippocampus", "spec": ReleaseSpec(name="hippocampus"), "created": "2026-01-01T00:00:00Z",
                "tables": {}, "members_sha256": self.sha256, "counts": {}, "licences": {"CC-BY-SA-4.0": "0" * 64},
                "policies": [], "train_models": True, "share_models": False, "export": False,
            }
        )  # fmt: skip

    def members(self, split: str, *, sealed_ok: bool = False) -> list[Member]:
        """Cases of a split."""
        return [member for member in self.cases if member.split == split]

    def volumes(self) -> Arrays:
        """The images."""
        return self.images

    def labels(self) -> Arrays:
        """The label maps."""
        return self.maps

    def texts(self, volumes: Sequence[str]) -> Mapping[str, str]:
        """No reports come with them."""
        return {}

    def described(self, volumes: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Nothing is known of how they were acquired."""
        return {}


def release(judge: str) -> Release:
    """The shared cases, those to be judged in the split `judge`.

    Args:
        judge: `test`, or `validation` to choose recipes on a third of the training cases.
    """
    found = Release([], Arrays(), Arrays(), {"test": "1" * 64, "validation": "2" * 64}[judge])
    training = 0
    for path in sorted((DATA / "images").glob("*.nii.gz")):
        case = path.name.removesuffix(".nii.gz")
        rest = int(case.rsplit("_", 1)[1]) % 3
        split = {1: "train", 2: "test"}.get(rest, "left out")
        if split == "train":
            split = "validation" if judge == "validation" and training % 3 == 0 else "train"
            training += 1
        if split in ("train", judge):
            _add(found, Member(case, split), path)
    return found


def _add(found: Release, member: Member, path: Path) -> None:
    image, labels = nifti.read(path), nifti.read(DATA / "labels" / path.name)
    stated = numbers_of(image)
    found.cases.append(member)
    found.images.voxels[member.volume], found.maps.voxels[member.label] = image.array, labels.array.astype(np.uint8)
    found.images.facts[member.volume] = {
        "volume": member.volume, "shape": list(image.array.shape), "slope": image.slope, "intercept": image.intercept,
        "spacing": [float(v) for v in np.linalg.norm(image.affine[:3, :3], axis=0)], "occupancy": stated.occupancy,
        "percentiles": list(stated.percentiles), "missing_slices": [], "missing_axis": 2,
        "affine": image.affine.ravel().tolist(),
    }  # fmt: skip
    found.maps.facts[member.label] = {"scheme": json.dumps(SCHEME)}


Side = tuple[str, dict[str, Any]]
"""A preset and what differs from it."""


class Bench:
    """Trains what rows ask for, once, and judges it."""

    def __init__(self, judge: str, folder: Path) -> None:
        """Read the cases.

        Args:
            judge: split to judge on.
            folder: where models are kept.
        """
        self._judge, self._folder, self._release = judge, folder / judge, release(judge)

    def dice(self, side: Side, seed: int) -> tuple[float, float]:
        """Mean Dice of a model over cases and parts, and the minutes that its fine-tuning took."""
        from training.evaluation.inference import open_model, predict
        from training.finetune import finetune

        config = _settled(side, seed)
        parent = None if config.scratch else self.parent()
        out = self._folder / f"model-{config.digest[:16]}"
        result = finetune(config, self._release, out, _silent, parent=parent)
        model, scores = open_model(out), []
        for member in self._release.members(self._judge):
            row, stored = self._release.images.row(member.volume), self._release.images.array(member.volume)
            scores.append(_dice(predict(model, stored, row), self._release.maps.array(member.label)))
        return statistics.mean(scores), result.metrics["seconds"] / 60

    def parent(self) -> Path:
        """The model that was pre-trained on the training images, without a label: one for all that grow from it."""
        from training.pretrain import pretrain

        config = configured("convnet", "pretrain", PRETRAIN)
        out = self._folder / f"pretrained-{config.digest[:16]}"
        pretrain(config, self._release, out, _silent)
        return out


def _settled(side: Side, seed: int) -> FinetuneConfig:
    preset, config = side
    return configured(preset, "finetune", {**config, "seed": seed})


def _silent(_event: Mapping[str, Any]) -> None:
    pass


def _dice(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Mean over the two parts, which every case has."""
    parts = [
        ((predicted == v) & (truth == v)).sum() * 2 / ((predicted == v).sum() + (truth == v).sum()) for v in (1, 2)
    ]
    return float(np.mean(parts))


def run() -> str:
    """The table as Markdown."""
    if not DATA.is_dir():
        return f"needs {DATA.relative_to(Path(__file__).parent.parent.parent)} beside the project"
    judge = os.environ.get("LARMOR_BENCH_JUDGE", "test")
    seeds = [int(seed) for seed in os.environ.get("LARMOR_BENCH_SEEDS", "0,1,2").split(",")]
    rows = [ROWS[name] for name in os.environ.get("LARMOR_BENCH_ROWS", ",".join(ROWS)).split(",")]
    kept, cores = os.environ.get("LARMOR_BENCH_FOLDER"), int(os.environ.get("LARMOR_BENCH_CORES", "2"))
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that are started below
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as made, ProcessPoolExecutor(cores, spawn) as pool:
        found = _judged(pool, judge, Path(kept or made), [side for row in rows for side in _sides(row)], seeds)
        lines = [
            f"Mean Dice of both parts on the {judge} cases; seeds {', '.join(map(str, seeds))}.",
            "| what | base | base, each seed | ours | ours, each seed | gain | to reach | minutes base / ours |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in rows:
            lines.append(
                _line(row, *([found[_settled(side, seed).digest].result() for seed in seeds] for side in _sides(row)))
            )
            print(lines[-1], flush=True)
    return "\n".join(lines)


def _sides(row: Row) -> tuple[Side, Side]:
    """The base and ours."""
    labels = {"labels": row.labels}
    base = ("convnet", OURS | row.base | labels) if row.itself else ("tiny", BASELINE | row.base | labels)
    return base, ("convnet", OURS | row.ours | labels)


def _judged(
    pool: Executor, judge: str, folder: Path, sides: Iterable[Side], seeds: Sequence[int]
) -> dict[str, "Future[tuple[float, float]]"]:
    """Digest of a configuration to its model's Dice and minutes; what several rows ask for is asked for once."""
    found: dict[str, Future[tuple[float, float]]] = {}
    parent = pool.submit(_pretrained, judge, folder)
    waiting = [(side, seed) for side in sides for seed in seeds]
    # those from scratch first: they do not wait for the pre-trained model
    for side, seed in sorted(waiting, key=lambda job: not _settled(*job).scratch):
        if not (config := _settled(side, seed)).scratch:
            parent.result()
        if config.digest not in found:
            found[config.digest] = pool.submit(_dice_of, judge, folder, side, seed)
    return found


def _pretrained(judge: str, folder: Path) -> None:
    Bench(judge, folder).parent()


def _dice_of(judge: str, folder: Path, side: Side, seed: int) -> tuple[float, float]:
    return Bench(judge, folder).dice(side, seed)


def _line(row: Row, *sides: Sequence[tuple[float, float]]) -> str:
    cells = []
    for side in sides:
        scores = [score for score, _ in side]
        cells += [f"{statistics.mean(scores):.3f}", ", ".join(f"{score:.3f}" for score in scores)]
    gain = statistics.mean(a - b for (a, _), (b, _) in zip(sides[1], sides[0], strict=True))
    minutes = " / ".join(f"{statistics.mean(m for _, m in side):.1f}" for side in sides)
    return f"| {row.title} | {' | '.join(cells)} | {gain:+.3f} | {row.goal} | {minutes} |"
