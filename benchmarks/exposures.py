"""Who saw whom: 10,000 checkpoints over 200,000 volumes, asked in both directions, in new processes too.

Belongs here: an invented record under the real contracts: releases that share deliveries, trainings that stop inside an
epoch, so that no two saw the same, and fine-tunings of fine-tunings. What a withdrawal's plan costs is
`benchmarks.withdrawal`.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyroaring import BitMap

from lake.zones import Lake
from lineage.exposures import exposures
from lineage.exposures.sets import packed
from schemas.contract import Table
from schemas.tables import EXPOSED_CHECKPOINTS, EXPOSED_VOLUMES, EXPOSURE_SETS

CHECKPOINTS, RELEASES = 10_000, 300
DELIVERIES, SUBJECTS_EACH, VOLUMES_EACH = 400, 125, 4
"""200,000 volumes of 50,000 subjects."""

FINE_TUNED = 0.7
"""Share of checkpoints that start from one that is there, whose family may be long."""

ROUNDS = 5


def run() -> str:
    """Build the record, ask, and give the table."""
    with tempfile.TemporaryDirectory() as folder:
        build(Lake.open(folder))
        return measured(folder)


def measured(folder: str) -> str:
    """Answers from a record that was built."""
    questions: dict[str, tuple[Callable[[], int], list[str]]] = {
        f"who saw a {by}": (partial(_who_saw, folder, by), ["who-saw", value, "--by", by])
        for by, value in ASKED.items()
    }
    for name in (_model(0), _model(CHECKPOINTS - 1)):
        questions[f"what {name} saw"] = (partial(_exposed, folder, name), ["exposures", name])
    lines = [f"### {CHECKPOINTS:,} checkpoints over {DELIVERIES * SUBJECTS_EACH * VOLUMES_EACH:,} volumes"]
    lines += ["| question | rows | s, median (max) | s of CPU, median | s, `larmor` from its start, median (max) |"]
    lines += ["|---|---|---|---|---|"]
    return "\n".join(lines + [_line(folder, question, *ways) for question, ways in questions.items()])


ASKED = {"subject": "S000123", "series": "2.25.123", "delivery": "d0007", "licence": "licence-3"}
"""A value of each kind that is asked for."""


def _who_saw(folder: str, by: str) -> int:
    return len(exposures.who_saw(Lake.open(folder), **{by: ASKED[by]}))


def _exposed(folder: str, model: str) -> int:
    return int(exposures.exposed(Lake.open(folder), model).num_rows)


def build(lake: Lake) -> None:
    """The three tables of exposures, a file each, as they are once their small files were put together."""
    random = np.random.default_rng(0)
    _put(lake, EXPOSED_VOLUMES, _volumes())
    sets: dict[str, bytes] = {}
    releases = [
        np.sort(random.choice(DELIVERIES, random.integers(20, DELIVERIES), replace=False)) for _ in range(RELEASES)
    ]
    trained = [_train(random, chosen) for chosen in releases]
    whole = [packed(BitMap(volumes.astype(np.uint32))) for volumes in trained]
    sets.update(whole)
    rows = [_checkpoint(random, number, trained, whole, sets) for number in range(CHECKPOINTS)]
    _put(lake, EXPOSED_CHECKPOINTS, pa.Table.from_pylist(rows, schema=EXPOSED_CHECKPOINTS.arrow_schema))
    digests, bitmaps = list(sets), list(sets.values())
    schema = EXPOSURE_SETS.arrow_schema
    _put(lake, EXPOSURE_SETS, pa.Table.from_arrays([pa.array(digests), pa.array(bitmaps, pa.binary())], schema=schema))


def _volumes() -> pa.Table:
    number = np.arange(DELIVERIES * SUBJECTS_EACH * VOLUMES_EACH)
    delivery = number // (SUBJECTS_EACH * VOLUMES_EACH)
    columns = {
        "number": number,
        "delivery": [f"d{each:04}" for each in delivery],
        "licence": [f"licence-{each % 7}" for each in delivery],
        "subject": [f"S{each:06}" for each in number // VOLUMES_EACH],
        "series": [f"2.25.{each}" for each in number],
        "volume": [f"v{each:06}" for each in number],
    }
    return pa.table(columns, schema=EXPOSED_VOLUMES.arrow_schema)


def _train(random: np.random.Generator, deliveries: NDArray[np.int64]) -> NDArray[np.int64]:
    """Volumes of a release to train on: of four in five subjects of its deliveries."""
    subjects = (deliveries[:, None] * SUBJECTS_EACH + np.arange(SUBJECTS_EACH)).ravel()
    chosen = subjects[random.random(len(subjects)) < 0.8]
    return (chosen[:, None] * VOLUMES_EACH + np.arange(VOLUMES_EACH)).ravel()


def _checkpoint(
    random: np.random.Generator,
    number: int,
    trained: list[NDArray[np.int64]],
    whole: list[tuple[str, bytes]],
    sets: dict[str, bytes],
) -> dict[str, object]:
    release = int(random.integers(RELEASES))
    volumes = trained[release]
    last = volumes[random.random(len(volumes)) < random.random()]
    digest, data = packed(BitMap(last.astype(np.uint32)))
    sets[digest] = data
    epochs = int(random.integers(1, 50))
    parents = [_weights(int(random.integers(number)))] if number and random.random() < FINE_TUNED else []
    samples = epochs * len(volumes) + len(last)
    return {
        "sequence": number,
        "model": _model(number),
        "checkpoint": _weights(number),
        "release": f"release-{release}",
        "parents": parents,
        "times": [epochs, 1],
        "sets": [whole[release][0], digest],
        "served_sha256": _weights(number),
        # counts that no question asks for
        **dict.fromkeys(("subjects", "volumes", "inherited"), 0),
        "own": len(volumes),
        "samples": samples,
    }


def _model(number: int) -> str:
    return f"model-{number:05}"


def _weights(number: int) -> str:
    return f"{number:064x}"


def _put(lake: Lake, table: Table, rows: pa.Table) -> None:
    opened = lake.table(table)
    opened.append([opened.write(rows, {})])


def _line(folder: str, question: str, ask: Callable[[], int], verb: list[str]) -> str:
    inside, cpu, outside, rows = [], [], [], 0
    for _ in range(ROUNDS):
        start, spent = time.perf_counter(), time.process_time()
        rows = ask()
        inside.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
        start = time.perf_counter()
        command = [sys.executable, "-m", "orchestration.cli", "--root", folder, *verb]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # our own command
        outside.append(time.perf_counter() - start)
    return f"| {question} | {rows:,} | {_told(inside)} | {statistics.median(cpu):.2f} | {_told(outside)} |"


def _told(spent: list[float]) -> str:
    return f"{statistics.median(spent):.2f} ({max(spent):.2f})"
