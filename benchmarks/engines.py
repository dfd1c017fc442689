"""Spark on two workers beside the local engine on two cores: the same delivery, the same stations.

Belongs here: paired rounds of both engines over the same phantom delivery. The session and its first jobs, which a run
pays once, are not in the rounds; they are stated beside them. A claim is the median of ratios of neighbours.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.settings import EngineName
from lake.zones import Lake
from lineage.terms import terms
from orchestration.demo import licence
from stages.instances import deidentify
from stages.received import receive
from stages.volumes import normalize

ROUNDS = 3
NAME = "phantom-bench"
WORKERS = 2


def run() -> str:
    """Measure, and give the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _generated(root)
        lakes = {engine: _landed(root, engine) for engine in EngineName}
        start = time.perf_counter()
        _all(lakes[EngineName.SPARK])
        first = time.perf_counter() - start
        _all(lakes[EngineName.LOCAL])
        rows = [f"| {name} | {_ratio(lakes, stations):.2f} |" for name, stations in _STATIONS.items()]
    return "\n".join(
        [
            f"Spark on {WORKERS} cores against local on {WORKERS} cores, throughput, median of {ROUNDS} paired rounds",
            "",
            "| stations | Spark / local |",
            "|---|---|",
            *rows,
            "",
            f"Once a run beside it: the session and its first jobs, {first:.0f} s with the work itself.",
        ]
    )


_STATIONS: dict[str, Callable[[Lake], object]] = {
    "received": lambda lake: receive(lake, NAME),
    "instances": lambda lake: deidentify(lake, NAME),
    "volumes": lambda lake: normalize(lake, NAME),
}


def _all(lake: Lake) -> None:
    for station in _STATIONS.values():
        station(lake)


def _ratio(lakes: dict[EngineName, Lake], station: Callable[[Lake], object]) -> float:
    """Throughput of Spark in that of the local engine."""
    ratios = []
    for number in range(ROUNDS):
        order = list(EngineName) if number % 2 else list(reversed(EngineName))
        spent = {engine: _timed(lakes[engine], station) for engine in order}
        ratios.append(spent[EngineName.LOCAL] / spent[EngineName.SPARK])
    return statistics.median(ratios)


def _timed(lake: Lake, station: Callable[[Lake], object]) -> float:
    start = time.perf_counter()
    station(lake)
    return time.perf_counter() - start


def _generated(root: Path) -> None:
    config = PhantomConfig(
        NAME, seed=5, subjects=6, matrix=128, slices=32, labelled=0.0, body_parts=(BodyPart.HEAD,), checksums=True
    )
    generate(root / NAME, root / "answers", config)


def _landed(root: Path, engine: EngineName) -> Lake:
    lake = Lake.open(root / engine, engine=engine, workers=WORKERS, spark_master=f"local[{WORKERS}]")
    shutil.copytree(root / NAME, lake.landing / NAME)
    lake.licences.mkdir(parents=True)
    licence().write(lake.licences / "phantom-licence.yaml")
    terms.install(lake, "phantom-licence")
    return lake


if __name__ == "__main__":
    print(run())
    sys.exit(0)
