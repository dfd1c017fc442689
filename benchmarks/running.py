"""Trainings as they are run: what they wait for data, and what a kill costs them.

A cohort of unlike volumes is written to a lake in a temporary folder. The tiny preset is trained on it with two loader
processes; then in two processes that are killed (SIGKILL) in the middle, resumed in two, and, from a copy of what the
kill left, in one. On a GPU the base and large presets are trained for some steps too.
"""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cohort import Scan, cohort
from lake.voxels import payload
from lake.zones import Lake
from schemas.contract import Zone
from schemas.release import ReleaseManifest, ReleaseSpec
from schemas.tables import VOLUMES
from training.launch import command, environment, launch_local
from training.result import Result
from training.running.hardware import described
from training.running.workspace import Workspace

GOAL = 0.02
"""Share of the time that may be spent waiting for data."""
STEPS, WARM = 40, 10
"""Steps of the first training, and those of them in which loaders start."""
KILLED = {"steps": 24, "warmup_steps": 2, "save_every": 8, "report_every": 1, "batch_size": 4}
AT = 13
"""Step after whose report the processes are killed."""

LEVELS = (0, 1, 5, 25, 50, 75, 95, 99, 100)
"""Percentiles that a row of a volume states."""

Losses = dict[int, float]


def run() -> str:
    """Measure, and give the tables."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _fill(Lake.open(root), cohort())
        parts = [described(), waiting(root, "tiny", {"workers": 2}), resuming(root)]
        if torch.cuda.is_available():
            few = {"steps": STEPS, "warmup_steps": 2, "batch_size": 32, "workers": 8, "model.compile_blocks": True}
            parts += [waiting(root, name, few) for name in ("base", "large")]
    return "\n\n".join(parts)


def waiting(root: Path, preset: str, config: Mapping[str, Any]) -> str:
    """What a preset's training waits for data, and what it makes of the device."""
    found: list[Mapping[str, Any]] = []
    told = {"steps": STEPS, "warmup_steps": 2, "report_every": 5, "save_every": STEPS, **config}
    launch_local(_job(root, f"wait-{preset}", preset, told), 1, found.append)
    steps = [event for event in found if event["event"] == "step" and event["step"] > WARM]
    seconds = sum(event["seconds"] for event in steps)

    def mean(name: str) -> float:
        return float(sum(event[name] * event["seconds"] for event in steps) / seconds)

    return "\n".join(
        [
            f"### {preset}, {config['workers']} loader processes, steps {WARM + 1} to {STEPS}",
            "| samples/s | tokens/s | waiting for data | padding | model FLOP utilisation | memory, GiB |",
            "|---|---|---|---|---|---|",
            (
                f"| {mean('samples_per_s'):.1f} | {mean('tokens_per_s'):.0f} | {mean('data_wait'):.2%} (goal: under "
                f"{GOAL:.0%}) | {mean('padding'):.2%} | {mean('mfu'):.1%} | {mean('memory_gib'):.1f} |"
            ),
        ]
    )


def resuming(root: Path) -> str:
    """Whether losses after a kill are those that would have been."""
    through = _losses(root, "through", 2)[0]
    before = _killed(root, "killed")
    shutil.copytree(Workspace.beside(root / "models" / "killed").folder, root / "models" / ".runs" / "one")
    two, made = _losses(root, "killed", 2)
    one, alone = _losses(root, "one", 1)
    last = KILLED["steps"]
    same = sum(through[step] == {**before, **two}[step] for step in through)
    again = sorted(before.keys() & two.keys())
    apart = max(abs(one[step] / through[step] - 1) for step in one)
    return "\n".join(
        [
            f"### Killed after step {AT} of {last}, saved every {KILLED['save_every']}",
            "| resumed in | at step | equal to a training that was not killed |",
            "|---|---|---|",
            (
                f"| two processes | {made.resumed_from} | {same} of {last} losses bit for bit, of "
                f"which {len(again)} were computed twice |"
            ),
            (
                f"| one process | {alone.resumed_from} | the same samples "
                f"({'yes' if alone.exposure == made.exposure else 'NO'}), losses within {apart:.1e} |"
            ),
        ]
    )


def _job(root: Path, name: str, preset: str, config: Mapping[str, Any]) -> dict[str, Any]:
    job = {"kind": "pretrain", "release": "bench", "name": name, "root": str(root), "preset": preset}
    return job | {"out": str(root / "models" / name), "config": dict(config)}


def _losses(root: Path, name: str, ranks: int) -> tuple[Losses, Result]:
    found: Losses = {}

    def report(event: Mapping[str, Any]) -> None:
        if event["event"] == "step":
            found[event["step"]] = event["loss"]

    result = launch_local(_job(root, name, "tiny", KILLED), ranks, report)
    return found, result


def _killed(root: Path, name: str) -> Losses:
    """Losses that a training told of before it was killed."""
    path = root / f"{name}.json"
    path.write_text(json.dumps(_job(root, name, "tiny", KILLED)), encoding="utf-8")  # JSON is YAML
    variables = {**os.environ, **environment(2, len(os.sched_getaffinity(0)))}
    found: Losses = {}
    with subprocess.Popen(command(path, 2), env=variables, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None, "started with a pipe"
        for line in running.stdout:
            if line.startswith(b"{") and (event := json.loads(line)).get("event") == "step":
                found[event["step"]] = event["loss"]
                if event["step"] == AT:
                    running.send_signal(signal.SIGKILL)
    return found


def _fill(lake: Lake, scans: list[Scan]) -> None:
    """Write volumes and a release of them: the first of every five to validate on, the others to train on."""
    rows = [_row(number, scan) for number, scan in enumerate(scans)]
    partition = {"delivery": "bench"}
    lake.table(VOLUMES).replace(partition, [lake.table(VOLUMES).write(rows, partition)])
    names = ("delivery", "subject", "study", "series", "volume", "licence", "pixel_digest")
    members = [
        {**{name: row[name] for name in names}, "split": "train" if number % 5 else "validation", "label": None}
        for number, row in enumerate(rows)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(members), buffer)
    facts = {
        "name": "bench", "spec": ReleaseSpec(name="bench"), "created": "2026-01-01T00:00:00Z",
        "tables": {VOLUMES.path: lake.table(VOLUMES).version()}, "counts": {}, "licences": {}, "policies": [],
        "members_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(), "train_models": True, "share_models": False,
        "export": False,
    }  # fmt: skip
    place = lake.location(Zone.CURATED, "releases", "bench")
    place.write_bytes("members.parquet", buffer.getvalue())
    place.write_bytes("manifest.json", ReleaseManifest.model_validate(facts).model_dump_json().encode())


def _row(number: int, scan: Scan) -> dict[str, Any]:
    """A row of `curated/volumes`; what nothing here reads is made up."""
    stored = (scan.values * 1000).clip(0, 32767).astype(np.int16)
    frame = payload.encode(stored)
    blocks = [-(-n // 8) for n in stored.shape]
    padded = np.pad(scan.tissue, [(0, b * 8 - n) for b, n in zip(blocks, stored.shape, strict=True)])
    occupied = padded.reshape(blocks[0], 8, blocks[1], 8, blocks[2], 8).any((1, 3, 5))
    tissue = stored[scan.tissue]
    facts: dict[str, Any] = {column.name: None if column.nullable else "bench" for column in VOLUMES.columns}
    return facts | {
        "delivery": "bench", "subject": f"s{number:03d}", "study": f"t{number:03d}", "series": f"e{number:03d}",
        "volume": f"v{number:03d}", "instances": 0, "sources": [], "shape": list(stored.shape),
        "affine": np.diag([*scan.spacing, 1.0]).ravel().tolist(), "spacing": list(scan.spacing), "dtype": "int16",
        "slope": 1.0, "intercept": 0.0, "percentiles": np.percentile(tissue, LEVELS).tolist(),
        "mean": float(tissue.mean()), "std": float(tissue.std()), "occupancy": np.packbits(occupied.ravel()).tobytes(),
        "missing_slices": [], "missing_axis": 2, "preview": None, "voxels_bytes": len(frame), "voxels": frame,
    }  # fmt: skip
