"""The first crop after opening a table of 100,000 volumes, in processes that have opened nothing before."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from lake.voxels import payload
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS

FILES, ROWS, DELIVERIES = 200, 500, 10
"""100,000 small label maps, in files of the size that a station writes."""
PROCESSES = 5


def run() -> str:
    """Measure, and give the table."""
    with tempfile.TemporaryDirectory() as folder:
        _build(Path(folder))
        command = [sys.executable, "-m", "benchmarks.opening", folder]
        seconds = [
            float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(PROCESSES)
        ]
    return "\n".join(
        [
            f"### Opening a table of {FILES * ROWS} volumes in {FILES} files, and its first crop",
            "| | s, median (min to max) |",
            "|---|---|",
            f"| Delta table | {statistics.median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f}) |",
        ]
    )


def first_crop(root: str) -> float:
    """Seconds from nothing opened to the first crop."""
    start = time.perf_counter()
    volumes = Volumes(Lake.open(root), LABELS)
    volumes.crop(volumes.ids[len(volumes) // 2], (0, 0, 0), (4, 4, 4))
    return time.perf_counter() - start


def _build(root: Path) -> None:
    table = Lake.open(root).table(LABELS)
    frame = payload.encode(np.arange(512, dtype=np.uint16).reshape(8, 8, 8))
    plain = [field.name for field in LABELS.file_schema if field.type == pa.string() and not field.nullable]
    facts = dict.fromkeys(plain, "x") | {"affine": np.eye(4).ravel().tolist(), "shape": [8, 8, 8]}
    row = LABELS.conform([facts | {"voxels_bytes": len(frame), "voxels": frame}])
    rows, key = pa.concat_tables([row] * ROWS).combine_chunks(), row.column_names.index("label")
    for delivery in range(DELIVERIES):
        partition = {"delivery": f"d{delivery}"}
        parts = []
        for file in range(delivery, FILES, DELIVERIES):
            ids = pa.array([f"{number:020}" for number in range(file * ROWS, (file + 1) * ROWS)])
            parts.append(table.write(rows.set_column(key, rows.schema.field(key), ids), partition))
        table.replace(partition, parts)


if __name__ == "__main__":
    print(first_crop(sys.argv[1]))
