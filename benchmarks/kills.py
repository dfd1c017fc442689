"""Processes killed at random moments of a delivery's run: what the lake holds after the command was given again.

Belongs here: many moments, and their count. How a process is killed and judged is `tests.kills`.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.kills import Kill, Nursery, Whole, faults, landed, moments, undisturbed

MOMENTS = "200"
"""Kills; `LARMOR_BENCH_KILLS` sets another number."""

_OF_WORKERS, _WITH_DAGSTER, _TWICE, _FRESH, _BATCHES = 16, 2, 6, 7, 10
"""One trial in so many: of workers (slow, each start imports everything), of the whole command and not the stations
alone, of the run after it too, of a new vault, of the step process of a run of waiting deliveries."""


@dataclass
class _Lakes:
    """Lakes whose run nobody disturbed, with one worker and with two."""

    nursery: Nursery
    place: Path
    seed: int
    made: dict[tuple[int, bool, bool], tuple[Whole, Iterator[Kill]]] = field(default_factory=dict)

    def of(self, workers: int, bare: bool, batch: bool) -> tuple[Whole, Iterator[Kill]]:
        way = workers, bare, batch
        if way not in self.made:
            source, first = self.place / "source", self.place / "first"
            if not first.exists():
                undisturbed(self.nursery, landed(source), first)
            root = self.place / f"whole-{workers}-{bare}-{batch}"
            whole = undisturbed(self.nursery, source, root, workers, vault=first, bare=bare, batch=batch)
            self.made[way] = whole, moments(self.seed, whole)
        return self.made[way]


def run() -> str:
    """Kill, run again, compare."""
    number = int(os.environ.get("LARMOR_BENCH_KILLS", MOMENTS))
    seed = int(os.environ.get("LARMOR_BENCH_SEED", "1"))
    with tempfile.TemporaryDirectory(prefix="larmor-kills-") as folder, Nursery(Path(folder) / "scratch") as nursery:
        counted, found = _killed(_Lakes(nursery, Path(folder), seed), number)
    lines = ["| what | number |", "|---|---|", *(f"| {name} | {counted[name]} |" for name in sorted(counted))]
    return "\n".join([*lines, "", *found])


def _killed(lakes: _Lakes, number: int) -> tuple[Counter[str], list[str]]:
    counted, found, trial = Counter[str](), list[str](), 0
    while counted["moments"] < number:
        workers = 2 if trial % _OF_WORKERS == _OF_WORKERS - 1 else 1
        bare = trial % _WITH_DAGSTER == 1 and workers == 1
        batch = trial % _BATCHES == 4 and workers == 1
        whole, ways = lakes.of(workers, bare, batch)
        kills = [next(ways) for _ in range(2 if trial % _TWICE == 2 and workers == 1 else 1)]
        fresh = trial % _FRESH == 1
        wrong = faults(lakes.nursery, whole, lakes.place / "trial", kills, fresh)
        shutil.rmtree(lakes.place / "trial")
        counted.update(["moments"] * len(kills), lakes=1)
        counted.update({"new vaults": fresh, "without Dagster": bare, "runs of waiting deliveries": batch})
        counted.update("of a worker" if k.worker else "at a step" if k.step else "at a time" for k in kills)
        counted["lakes that differ"] += bool(wrong)
        found += [f"trial {trial} {kills}: {line}" for line in wrong]
        print(f"{trial}: {'; '.join(wrong) or 'equal'} after {kills}", flush=True)
        trial += 1
    return counted, found
