"""What one more delivery costs in a lake of ten deliveries and in one of ten thousand, station by station.

Belongs here: a lake crowded with copies of a delivery that went through every station, and the stations of a new one
on top. The copies are real part files (linked, not written again), a commit each in every log, a checkpoint where the
lake would have made it, subjects in the vault and events on the ledger.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from deltalake import DeltaTable

from imaging.phantom import BodyPart, PhantomConfig, generate
from lake.tables import log
from lake.zones import Lake
from lineage.ledger import commits, ledger
from lineage.ledger.events import EventType
from lineage.ledger.merkle import leaf_hash
from schemas.tables import TABLES
from stages.identity import open_vault

SIZES = (10, 10_000)
TEMPLATE, ROUNDS = "phantom-template", 3
_LINKS = 30_000
"""Links to one file; file systems have a limit, of ext4 it is 65,000."""
_EVENTS_EACH = 9
"""Events that a delivery leaves on the ledger."""


Spent = tuple[float, float]
"""Seconds by the clock, and seconds of a processor, which other work on the machine blurs less."""


def run() -> str:
    """Measure, and give the table."""
    spent = {size: measured(size) for size in SIZES}
    names = list(spent[SIZES[0]])
    rows = [
        "### Seconds of a small delivery's stations, by deliveries in the lake, medians; in brackets of a processor",
        f"| station | {' | '.join(f'{size}' for size in SIZES)} | times |",
        "|---|---|---|---|",
    ]
    for name in [*names, "all"]:
        (few, few_cpu), (many, many_cpu) = (_all(spent[size]) if name == "all" else spent[size][name] for size in SIZES)
        rows.append(
            f"| {name} | {few:.2f} ({few_cpu:.2f}) | {many:.2f} ({many_cpu:.2f}) "
            f"| {many / few:.2f} ({many_cpu / few_cpu:.2f}) |"
        )
    return "\n".join(rows)


def measured(size: int) -> dict[str, Spent]:
    """Median seconds of each station of a new delivery in a lake of so many."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder, workers=1)
        landed(lake, [TEMPLATE])
        work_of = stations()
        for work in work_of.values():
            work(lake, TEMPLATE)
        crowd(lake, TEMPLATE, size)
        time.sleep(1)  # what was there before a delivery landed is older than it, also for a file system's clock
        landed(lake, [f"phantom-new{number}" for number in range(ROUNDS + 1)], first=1)
        rounds = []
        for number in range(ROUNDS + 1):
            spent = {}
            for name, work in work_of.items():
                start, used = time.perf_counter(), time.process_time()
                work(lake, f"phantom-new{number}")
                spent[name] = time.perf_counter() - start, time.process_time() - used
            rounds.append(spent)
        # the first one pays for what is made once after a lake was copied
        return {name: _median([spent[name] for spent in rounds[1:]]) for name in work_of}


def _median(spent: Sequence[Spent]) -> Spent:
    return statistics.median(clock for clock, _ in spent), statistics.median(used for _, used in spent)


def _all(spent: Mapping[str, Spent]) -> Spent:
    return sum(clock for clock, _ in spent.values()), sum(used for _, used in spent.values())


def crowd(lake: Lake, template: str, deliveries: int) -> None:
    """Copies of a delivery under other names, as if each had been run."""
    names = [f"copy-{number:06}" for number in range(deliveries)]
    for contract in TABLES:
        table = lake.table(contract)
        files = table.live({"delivery": template}) if "delivery" in contract.partition_by and table.exists() else {}
        if files:
            _copies(table.location.path, table.version(), template, names)
    vault = open_vault(lake)
    with patch("os.fsync"):  # it would take minutes, and nothing here must outlast a crash
        for name in names:
            vault.subject("crowd", name)
    _events(lake, deliveries * _EVENTS_EACH)


def _copies(root: Path, version: int, template: str, names: list[str]) -> None:
    """A commit for each copy, adding links to the template's part files."""
    folder = root / log.FOLDER
    texts = [(folder / log.name(number)).read_text() for number in range(version + 1)]
    adding = next(text for text in reversed(texts) if f"delivery={template}/" in text and '"add"' in text)
    for path in list(root.glob(f"delivery={template}/**/*.parquet")):
        for name in names:
            target = Path(str(path).replace(f"delivery={template}", f"delivery={name}"))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    for number, name in enumerate(names, version + 1):
        (folder / log.name(number)).write_text(adding.replace(template, name))
    DeltaTable(str(root), version=version + len(names) - len(names) % 100).create_checkpoint()


def _events(lake: Lake, number: int) -> None:
    """Events of earlier deliveries, chained as the ledger chains them; their part files are links to one."""
    facts = {"table": "curated/series", "stage": "series", "kept": 1, "duplicates": 0, "quarantined": 0, "version": 1}
    ledger.append(lake, EventType.MATERIALIZED, facts | {"delivery": "copy-000000"})
    where = commits.Log.of(lake)
    tip = commits.tip(where)
    part = next(where.ledger.path.glob("*.parquet"))
    newest = json.loads(where.read(tip.version).decode().splitlines()[1])
    frontier, sha256 = tip.frontier, tip.sha256
    for version in range(tip.version + 1, tip.version + 1 + number):
        name = f"part-{version:032x}.parquet"
        if number > _LINKS and version % _LINKS == 0:
            part = Path(shutil.copy(part, where.ledger.path / name))
        else:
            os.link(part, where.ledger.path / name)
        first, frontier = frontier.size, frontier.extended([leaf_hash(str(version).encode())])
        info = {"timestamp": 0, **commits.record(sha256, "0" * 64, first, frontier)}
        add = newest["add"] | {"path": name}
        text = json.dumps({"commitInfo": info}) + "\n" + json.dumps({"add": add}) + "\n"
        (where.commits.path / commits.commit_name(version)).write_text(text)
        sha256 = commits.parse(version, text.encode()).sha256
    done = commits.Tip(tip.version + number, sha256, frontier, tip.head)
    where.seals.write_bytes(commits.HEAD, done.as_head.data)


def landed(lake: Lake, names: list[str], first: int = 0) -> None:
    """Small deliveries of phantoms in landing, and their licence."""
    from orchestration.demo import licence

    for seed, name in enumerate(names, first):
        config = PhantomConfig(name, seed=seed, subjects=1, matrix=48, slices=12, body_parts=(BodyPart.KNEE,))
        generate(lake.landing / name, lake.settings.root / f"{name}.answers", config)
        shutil.rmtree(lake.settings.root / f"{name}.answers", ignore_errors=True)
    lake.licences.mkdir(parents=True, exist_ok=True)
    licence().write(lake.licences / "phantom-licence.yaml")


def stations() -> Mapping[str, Callable[[Lake, str], Any]]:
    """Everything that materializing a delivery does, checks included."""
    from stages.certificates import certify_series
    from stages.diagnoses import map_diagnoses
    from stages.instances import deidentify
    from stages.labels import map_labels
    from stages.received import receive
    from stages.reports import write_reports
    from stages.second_look.residual import keep, scan, scan_reports
    from stages.second_look.surroundings import scan_around
    from stages.series import describe
    from stages.upkeep.reconcile import balance, label_balance, volume_balance
    from stages.volumes import normalize

    return {
        "received": receive,
        "instances": deidentify,
        "no residue": lambda lake, name: keep(
            lake, name, scan(lake, name) + scan_around(lake, name, into_others=False)
        ),
        "certificates": certify_series,
        "volumes": normalize,
        "series": describe,
        "reports": lambda lake, name: (write_reports(lake, name), scan_reports(lake, name), scan_around(lake, name)),
        "labels": map_labels,
        "diagnoses": map_diagnoses,
        "reconciled": lambda lake, name: (balance(lake, name), volume_balance(lake, name), label_balance(lake, name)),
    }
