"""The ledger: appending, proving and finding edits, at ten million entries.

Belongs here: events of invented deliveries, appended as stations append them, and a log that is written in bulk by the
ledger's own rules, because appending ten million events one batch after another would take minutes and measure nothing
new. The machine may be busy, so each figure says the processor's time beside the clock's.
"""

import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from lake.zones import Lake
from lineage.ledger import commits, ledger, proofs
from lineage.ledger.commits import Log, Tip
from lineage.ledger.events import Facts
from lineage.ledger.merkle import leaf_hash
from lineage.ledger.seals import seal
from lineage.ledger.verify import verify
from lineage.principal import now
from schemas.tables import LEDGER
from tests import forgeries

ENTRIES, BATCH = 10_000_000, 1_000
"""A log of 10,000 commits."""

APPENDED = 100_000
SINGLE = 1_000
SYNCS = 200
PROOFS = 200
EDITS = 1_000

_T = TypeVar("_T")


def run() -> str:
    """Measure, and give the tables."""
    return "\n\n".join([_appends(), _verifies(), _ten_million(), _edits()])


def _appends() -> str:
    lines = ["### Appending, durable when it returns", "| events a batch | events | a second | a second of CPU |"]
    lines.append("|---|---|---|---|")
    for size, events in ((1, SINGLE), (100, APPENDED // 10), (1_000, APPENDED), (10_000, APPENDED)):
        with tempfile.TemporaryDirectory() as folder:
            lake = Lake.open(folder)

            def append(lake: Lake = lake, size: int = size, events: int = events) -> None:
                for first in range(0, events, size):
                    ledger.append_many(lake, [_event(number) for number in range(first, first + size)])

            _, wall, cpu = _timed(append)
        lines.append(f"| {size:,} | {events:,} | {events / wall:,.0f} | {events / cpu:,.0f} |")
    return "\n".join([*lines, "", f"One small file written and synced to the same disk: {_synced():.1f} ms, median."])


def _synced() -> float:
    """Milliseconds until a small file is on the disk; an append waits for its part file, its commit and the head."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(SYNCS):
            start = time.perf_counter()
            with (Path(folder) / str(number)).open("wb") as file:
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
            spent.append(time.perf_counter() - start)
    return 1e3 * statistics.median(spent)


def _verifies() -> str:
    lines = ["### Full verification, on one core", "| log | entries a second | a second of CPU |", "|---|---|---|"]
    for size, events in ((1, SINGLE), (100, APPENDED // 10), (1_000, APPENDED)):
        with tempfile.TemporaryDirectory() as folder:
            lake = Lake.open(folder)
            grown(lake, events, size)
            verdict, wall, cpu = _timed(partial(verify, lake))
        assert verdict.ok
        lines.append(f"| {events:,} entries, {size:,} a commit | {events / wall:,.0f} | {events / cpu:,.0f} |")
    return "\n".join(lines)


def _ten_million() -> str:
    lines = [f"### A log of {ENTRIES:,} entries in {ENTRIES // BATCH:,} commits", "| | s | s of CPU |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(folder)
        grown(lake, ENTRIES // 2, BATCH)
        lines.append(_line("first seal, over half of it", lambda: seal(lake)))
        grown(lake, ENTRIES // 2, BATCH)
        lines.append(_line("second seal", lambda: seal(lake)))
        ledger.append_many(lake, [_event(number) for number in range(BATCH)])
        lines.append(_line("verify since the last seal", lambda: _holding(lake, since=True)))
        lines.append(_line("verify everything", lambda: _holding(lake, since=False)))
        draw = random.Random(8)  # noqa: S311  # the same places in every run, no secret
        places = [draw.randrange(ENTRIES) for _ in range(PROOFS)]
        lines.append("")
        lines += [f"### Proofs over {ENTRIES:,} entries", "| | ms, median (max) | ms of CPU, median |", "|---|---|---|"]
        lines.append(_proofs("an inclusion proof, made and checked", partial(proofs.inclusion, lake), places))
        lines.append(_proofs("a consistency proof", lambda _: proofs.consistency(lake, 1, 2), places))
        shutil.rmtree(Log.of(lake).tiles.path)
        lines += ["", "| | s | s of CPU |", "|---|---|---|"]
        lines.append(_line("an inclusion proof without tiles", partial(proofs.inclusion, lake, places[0])))
        audit = lake.settings.folder("audit")
        sizes = {name: _bytes(audit / name) for name in ("ledger", "tiles", "seals")}
        lines += ["", ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in sizes.items())]
    return "\n".join(lines)


def _edits() -> str:
    """Edits of the ledger, its Delta log and its seals, each on its own and each undone."""
    found: dict[str, list[bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        for number in range(20):
            ledger.append_many(lake, [_event(10 * number + place) for place in range(5)])
            if number % 6 == 5:
                seal(lake)
        assert verify(lake).ok
        for number in range(EDITS):
            draw = random.Random(number)  # noqa: S311  # the same edits in every run, no secret
            kind, holds = _edited(lake, Path(folder) / "kept", draw)
            found.setdefault(kind, []).append(not holds)
        assert verify(lake).ok
    lines = [f"### {EDITS:,} random edits", "| edit | tried | found |", "|---|---|---|"]
    lines += [f"| {kind} | {len(each)} | {sum(each)} |" for kind, each in sorted(found.items())]
    total = sum(map(sum, found.values()))
    return "\n".join([*lines, f"| all | {sum(map(len, found.values()))} | {total} |"])


def _edited(lake: Lake, kept: Path, draw: random.Random) -> tuple[str, bool]:
    """One edit, judged and undone; its kind, and whether the ledger was said to hold."""
    log, audit = Log.of(lake), lake.settings.folder("audit")
    part = draw.choice(["ledger", "Delta log", "seals", "row", "row, all digests made to fit"])
    if part.startswith("row"):
        return _edited_row(lake, kept, draw, part)
    folder = {"ledger": log.ledger, "Delta log": log.commits, "seals": log.seals}[part].path
    path = draw.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    whole = forgeries.flipped(path, draw)
    holds = verify(audit).ok
    path.write_bytes(whole)
    return f"one byte of {part}", holds


def _edited_row(lake: Lake, kept: Path, draw: random.Random, part: str) -> tuple[str, bool]:
    log, audit = Log.of(lake), lake.settings.folder("audit")
    shutil.copytree(audit, kept)
    batches = forgeries.batches(log)
    version = draw.randrange(18)  # under the last seal: after it, a careful rewriting is an honest log
    edit = draw.choice(sorted(forgeries.ROW_EDITS))
    forgeries.ROW_EDITS[edit](batches[version], draw.randrange(len(batches[version])))
    if part == "row":
        forgeries.rewritten_file(log, commits.parse(version + 1, log.read(version + 1)), batches[version])
    else:
        forgeries.rewritten_log(log, batches)
    holds = verify(audit).ok
    shutil.rmtree(audit)
    kept.rename(audit)
    return f"{part}: {edit}", holds


def grown(lake: Lake, entries: int, batch: int) -> None:
    """Add entries by the ledger's own rules, without waiting for the disk at each step."""
    ledger.append(lake, *_event(0))
    log, table = Log.of(lake), lake.table(LEDGER)
    tip = commits.tip(log)
    while entries > 1:
        rows = list(_rows(tip.frontier.size, min(batch, entries - 1)))
        part = table.write(rows, {})
        frontier = tip.frontier.extended(bytes.fromhex(str(row["leaf"])) for row in rows)
        said = commits.record(tip.sha256, part.sha256, tip.frontier.size, frontier)
        version = table.append([part], said, tip.version)
        commit = commits.parse(version, log.read(version))
        tip = Tip(version, commit.sha256, frontier, tip.head)
        entries -= len(rows)
    commits.confirm(log)


def _rows(first: int, many: int) -> Iterator[dict[str, object]]:
    when = now()
    for number in range(first, first + many):
        text = (
            f'{{"facts":{{"content_sha256":"{number * 7919:064x}","delivery":"delivery-{number // 1000}",'
            f'"duplicates":0,"kept":{number % 997},"quarantined":0,"rows":{number},"stage":"volumes",'
            f'"table":"curated/volumes"}},'
            f'"principal":"benchmark","time":"{when}","type":"materialized"}}'
        )
        leaf = leaf_hash(text.encode()).hex()
        yield {"sequence": number, "time": when, "type": "materialized", "event": text, "leaf": leaf}


def _event(number: int) -> tuple[str, Facts]:
    facts = {"table": "curated/volumes", "stage": "volumes", "delivery": f"delivery-{number // 1000}", "rows": number}
    counts = {"kept": number % 997, "duplicates": 0, "quarantined": 0}
    return "materialized", facts | counts | {"content_sha256": f"{number * 7919:064x}"}


def _holding(lake: Lake, *, since: bool) -> None:
    verdict = verify(lake, since_last_seal=since)
    assert verdict.ok, verdict.first


def _timed(action: Callable[[], _T]) -> tuple[_T, float, float]:
    """What an action gives, seconds by the clock, and seconds of this process's CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = action()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def _line(name: str, action: Callable[[], object]) -> str:
    _, wall, cpu = _timed(action)
    return f"| {name} | {wall:.1f} | {cpu:.1f} |"


def _proofs(name: str, prove: Callable[[int], object], places: list[int]) -> str:
    spent = [_timed(partial(prove, place))[1:] for place in places]
    walls, cpus = ([1e3 * each[i] for each in spent] for i in (0, 1))
    return f"| {name} | {statistics.median(walls):.1f} ({max(walls):.1f}) | {statistics.median(cpus):.1f} |"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
