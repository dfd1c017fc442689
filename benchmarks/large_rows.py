"""Large rows on both engines: a volume of 200 MB, and a series of 20,000 instances, each as one unit of work.

Belongs here: memory. Each engine runs in a process of its own; what is stated is the most memory that it held with all
processes below it, Java's included, as the kernel tells it every tenth of a second, and what it held before the work.
"""

import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lake.engines.engine import engine
from lake.tables.table import LakeTable
from lake.tables.written import Written
from lake.zones import Lake
from schemas.contract import Table
from schemas.tables import INSTANCES, LABELS

MIB = 2**20
VOLUME_BYTES = 200 * MIB
INSTANCES_EACH, INSTANCE_BYTES = 20_000, 10 * 1024


def run() -> str:
    """Measure, and give the table."""
    rows = ["| engine | what | rows | MiB | most memory, MiB | before the work, MiB |", "|---|---|---|---|---|---|"]
    for name in ("local", "spark"):
        for what in ("volume", "instances"):
            command = [sys.executable, "-m", "benchmarks.large_rows", name, what]
            told = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(f"| {name} | {what} | {told.stdout.strip()} |")
    return "\n".join(rows)


def once(name: str, what: str) -> None:
    """One engine, one kind of row, in this process; prints the cells of its line."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, engine=name, workers=2, spark_master="local[2]")
        running = engine(lake.settings)
        small = pa.RecordBatch.from_pylist([{"bytes": b"x"}])
        list(running.map(partial(passed), [small] * 4))  # workers are there
        unit, contract = (_volume(), LABELS) if what == "volume" else (_instances(), INSTANCES)
        before = _memory()
        peak = _Peak()
        # two units, as a pool of one runs in this process
        results = list(running.map(partial(written, table=lake.table(contract)), [unit, unit.slice(0, 1)]))
        most = peak.stop()
        parts = [part for batch in results for part in Written.of(batch).parts]
        version = lake.table(contract).replace({"delivery": "x"}, parts)
        assert lake.table(contract).read([contract.key[-1]], version=version).num_rows == unit.num_rows + 1
        print(f"{unit.num_rows} | {unit.nbytes // MIB} | {most // MIB} | {before // MIB}")


def passed(unit: pa.RecordBatch) -> pa.RecordBatch:
    """What was given."""
    return unit


def written(unit: pa.RecordBatch, table: LakeTable) -> pa.RecordBatch:
    """The rows as a part file of the table; columns that the unit lacks get a filling."""
    made = Written()
    made.parts.append(table.write(_filled(unit, table.contract), {"delivery": "x"}))
    return made.batch()


def _volume() -> pa.RecordBatch:
    voxels = np.random.default_rng(0).integers(0, 256, VOLUME_BYTES, np.uint8).tobytes()
    return pa.record_batch({"label": ["large"], "voxels": pa.array([voxels], pa.binary())})


def _instances() -> pa.RecordBatch:
    data = np.random.default_rng(0).integers(0, 256, INSTANCES_EACH * INSTANCE_BYTES, np.uint8).tobytes()
    files = [data[start : start + INSTANCE_BYTES] for start in range(0, len(data), INSTANCE_BYTES)]
    return pa.record_batch({"instance": list(map(str, range(len(files)))), "dicom": pa.array(files, pa.binary())})


def _filled(unit: pa.RecordBatch, contract: Table) -> pa.Table:
    rows = unit.num_rows
    there = set(unit.schema.names)
    return pa.table({f.name: unit[f.name] if f.name in there else _filling(f, rows) for f in contract.file_schema})


def _filling(field: pa.Field, rows: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(rows, field.type)
    value: Any = [] if pa.types.is_list(field.type) else "x" if pa.types.is_string(field.type) else 0
    return pa.array([value] * rows, field.type)


class _Peak:
    """The most memory that this process and those below it hold, from now on."""

    def __init__(self) -> None:
        self._most = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            self._most = max(self._most, _memory())


def _memory() -> int:
    """Resident bytes of this process and those below it; pages that they share count once (Pss)."""
    total = 0
    for pid in ["self", *_below("self")]:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def _below(pid: str) -> list[str]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *_below(child)]
    return found


if __name__ == "__main__":
    if len(sys.argv) == 3:
        once(*sys.argv[1:])
    else:
        print(run())
