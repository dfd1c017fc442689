"""Processes that die in the middle of a delivery, by the hundred: a nursery of warm children, and what they leave.

Belongs here: starting `larmor run` in a child, ending it at a chosen or random moment, and judging the lake after the
command was given again. Children are forked from a process that has imported everything and done nothing, so that a run
takes seconds; the process that asks (a test, `benchmarks.kills`) may have threads and is never forked.
"""

import contextlib
import datetime as dt
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
DELIVERY = "phantom-k"
FULL = "found no space left on the disk, needed more; free some and run the same command again"
TIMED = ("audit/ledger", "audit/licences", "audit/access")
"""Tables whose rows state when; ledger and accesses of a lake in which a run was repeated say so, too."""


@dataclass(frozen=True)
class Kill:
    """When a child dies.

    Attributes:
        step: after this many steps that change something on disk (files opened to be written, renamed, linked, removed
            and synced below the lake; each Delta commit before and after); 0: when it has run `after_s`.
        after_s: and so much later, so that what Python does not see (a commit's own files) is met too.
        worker: only a worker process dies, not the whole group; it is chosen at random.
        error: instead of dying, the step fails with this number of an operating system's error.
    """

    step: int = 0
    after_s: float = 0.0
    worker: bool = False
    error: int = 0


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: exit code; negative: the signal that ended it.
        steps: steps that it took, where it came to its end.
        told: what it said on standard error.
        answer: what it answered, where it was asked something.
    """

    code: int
    steps: int
    told: str
    answer: Any

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.code == -signal.SIGKILL


class Nursery:
    """A process that forks warm children, one at a time."""

    def __init__(self, scratch: Path) -> None:
        """Start it; children tell what they have to tell in files of `scratch`."""
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = scratch
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(scratch / "nursery.err").open("wb"), cwd=PROJECT,
        )  # fmt: skip

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def run(
        self, root: Path, kill: Kill | None = None, workers: int = 1, *, bare: bool = False, batch: bool = False
    ) -> Ended:
        """`larmor run` of the delivery up to its volumes, in a process group of its own.

        Args:
            root: of the lake.
            kill: when it dies; None: it does not.
            workers: processes of its engine.
            bare: the stations alone, without Dagster.
            batch: instead, the step process of a run of waiting deliveries, all assets, as the daemon has it started.
        """
        do = "batch" if batch else "run"
        asked = {"do": do, "root": str(root), "kill": vars(kill) if kill else None, "bare": bare}
        return self._ask(asked, {"LARMOR_WORKERS": str(workers)})

    def together(self, root: Path, *, bare: bool = False) -> list[dict[str, Any]]:
        """Two such runs at once: `code` and `told` of each."""
        asked = {"do": "together", "root": str(root), "kill": None, "bare": bare}
        ended = self._ask(asked, {"LARMOR_WORKERS": "1"})
        assert ended.code == 0, ended.told
        return ended.answer

    def judged(self, root: Path) -> dict[str, Any]:
        """What a lake holds, see `judge`."""
        ended = self._ask({"do": "judge", "root": str(root)}, {})
        assert ended.code == 0, ended.told
        return ended.answer

    def _ask(self, asked: dict[str, Any], environment: Mapping[str, str]) -> Ended:
        told, answer = self._scratch / "told.txt", self._scratch / "answer.json"
        for path in (told, answer):
            path.unlink(missing_ok=True)
        asked |= {"environment": dict(environment), "told": str(told), "answer": str(answer)}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, (self._scratch / "nursery.err").read_text()
        found = json.loads(answer.read_text()) if answer.exists() else {"steps": 0}
        return Ended(json.loads(line), found.get("steps", 0), told.read_text(errors="replace"), found.get("answer"))


def landed(root: Path) -> Path:
    """A lake in which a small delivery waits: two knees, so that nobody looks for faces, with every fault planted."""
    from imaging.phantom import BodyPart, PhantomConfig, generate
    from orchestration.demo import licence

    config = PhantomConfig(DELIVERY, seed=7, subjects=2, matrix=24, slices=8, labelled=0, body_parts=(BodyPart.KNEE,))
    generate(root / "landing" / DELIVERY, root.parent / "answers", config)
    (root / "licences").mkdir(parents=True)
    licence().write(root / "licences" / "phantom-licence.yaml")
    return root


def delivered_to(root: Path) -> Path:
    """That lake after the stations up to `volumes`, run in this process, which no process that forks may do."""
    from unittest.mock import patch

    from lake.zones import Lake
    from stages.instances import deidentify
    from stages.received import receive
    from stages.volumes import normalize

    lake = Lake.open(landed(root), workers=1)
    with patch("deid.pixels.burned_in._look", lambda *_: iter(())):
        for station in (receive, deidentify, normalize):
            station(lake, DELIVERY)
    return root


def copied(source: Path, target: Path, *, vault: Path | None = None, link: bool = True) -> Path:
    """Another lake with the same delivery; with the vault of a third one its pseudonyms are the same as there."""
    shutil.copytree(source / "landing", target / "landing", copy_function=os.link if link else shutil.copy2)
    shutil.copytree(source / "licences", target / "licences")
    if vault:
        shutil.copytree(vault / "restricted" / "vault", target / "restricted" / "vault")
        (target / "restricted").chmod(0o700)
    return target


def judge(root: Path) -> dict[str, Any]:
    """What a lake holds and whether it adds up.

    Returns:
        `tables`: of each table its rows, a digest of them, digests of its part files, keys that are there twice;
        `ledger`: whether it verifies; `balanced`: whether nothing was lost; `loose`: files that neither a commit nor a
        clean-up accounts for (seals, the vault, ...); `temporary`: files on their way to another name.
    """
    from lake.zones import Lake
    from lineage.ledger.verify import verify
    from schemas.tables import TABLES
    from stages.upkeep.reconcile import balance, volume_balance

    lake = Lake.open(root)
    tables = {table.path: _table(lake.table(table)) for table in TABLES if lake.table(table).exists()}
    verdict = verify(lake)
    loose, temporary = _loose(lake)
    balanced = balance(lake, DELIVERY).balanced and volume_balance(lake, DELIVERY).balanced
    return {
        "tables": tables, "ledger": verdict.ok, "finding": str(verdict.first), "balanced": balanced, "loose": loose,
        "temporary": temporary, "subjects": len(list((root / "restricted" / "vault" / "subjects").glob("[!.]*"))),
    }  # fmt: skip


def _table(table: Any) -> dict[str, Any]:
    import hashlib

    from lake.tables.files import data_files

    rows = table.read([column.name for column in table.contract.columns]).to_pylist()
    keys = [tuple(str(row[name]) for name in table.contract.key) for row in rows]
    texts = sorted(repr(sorted(row.items())) for row in rows)
    newest = [file.path for file in data_files(table) if file.newest]
    files = [hashlib.sha256(table.location.read_bytes(path)).hexdigest() for path in newest]
    return {
        "rows": len(rows), "digest": hashlib.sha256("\n".join(texts).encode()).hexdigest(), "files": sorted(files),
        "twice": len(keys) - len(set(keys)),
    }  # fmt: skip


def _loose(lake: Any) -> tuple[list[str], list[str]]:
    """Files of no table, pseudonyms taken out; and files on their way, which a sweep removes once they are dead."""
    from unittest.mock import patch

    from deltalake import DeltaTable

    from lake.stores.remains import is_temporary, sweep
    from lake.tables.files import data_files
    from lineage.ledger.commits import LedgerDamaged, Log
    from lineage.ledger.ledger import size
    from lineage.ledger.leftovers import sweep as sweep_ledger
    from schemas.tables import LEDGER, TABLES

    root = lake.settings.root
    temporary = [p.relative_to(root).as_posix() for p in root.rglob("*") if is_temporary(p.name)]
    # every process is dead here, so that what they left is as good as an hour old
    dead = patch("lineage.ledger.leftovers._SURELY_DEAD_S", -1.0)
    with dead, contextlib.suppress(FileNotFoundError, LedgerDamaged):
        sweep_ledger(Log.of(lake), lake.table(LEDGER), size(lake))
    sweep(lake, dt.timedelta(days=-1))
    known = {p for folder in ("landing", "licences", "dagster") for p in (root / folder).rglob("*")}
    for contract in TABLES:
        table = lake.table(contract)
        if not table.exists():
            continue
        uri = table.location.uri
        gone = [] if contract.sealed else DeltaTable(uri).vacuum(0, enforce_retention_duration=False, full=True)
        known |= {Path(uri) / file.path for file in data_files(table) if not file.orphan} | {
            Path(uri) / p for p in gone
        }
        known |= set((Path(uri) / "_delta_log").glob("0*.json"))
        known |= set((Path(uri) / "_index").glob(f"{table.version():020d}.*"))
        # lists of keys forget what is gone when they are asked the next time
        known |= set((Path(uri) / "_index" / "keys").glob("*/*.arrow"))
    left = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p not in known)
    return [re.sub("[0-9a-f]{16,}", "#", name) for name in left], temporary


@dataclass(frozen=True)
class Whole:
    """A lake whose run nobody disturbed.

    Attributes:
        root: its root.
        workers: processes of its engine.
        bare: whether it ran without Dagster.
        batch: whether it was a run of waiting deliveries.
        steps: steps that the run took.
        span_s: seconds that it took.
        judged: what `judge` says of it.
    """

    root: Path
    workers: int
    bare: bool
    batch: bool
    steps: int
    span_s: float
    judged: dict[str, Any]


def undisturbed(
    nursery: Nursery,
    source: Path,
    root: Path,
    workers: int = 1,
    vault: Path | None = None,
    *,
    bare: bool = False,
    batch: bool = False,
) -> Whole:
    """Run the delivery of `source` in a lake of its own, from its beginning to its end."""
    copied(source, root, vault=vault)
    start = time.monotonic()
    ended = nursery.run(root, workers=workers, bare=bare, batch=batch)
    assert ended.code == 0, ended.told
    return Whole(root, workers, bare, batch, ended.steps, time.monotonic() - start, nursery.judged(root))


def moments(seed: int, whole: Whole) -> Iterator[Kill]:
    """Random moments without end: of a whole group at a step or at a time, of one worker where there are some."""
    random_ = random.Random(seed)
    while True:
        if whole.workers > 1 and random_.random() < 0.7:
            yield Kill(after_s=random_.uniform(0, whole.span_s / 2), worker=True)
        elif random_.random() < 0.6:
            yield Kill(random_.randint(1, whole.steps), random_.choice((0, 0, 0.001, 0.004)))
        else:
            yield Kill(after_s=random_.uniform(0, whole.span_s))


def faults(nursery: Nursery, whole: Whole, root: Path, kills: Sequence[Kill], fresh: bool = False) -> list[str]:
    """Run a delivery, let it die at each of the moments in turn, run it again, and tell what is not as it must be.

    Args:
        nursery: forks the children.
        whole: the lake that it must equal.
        root: where the lake of this trial is made.
        kills: when the first, the second, ... run dies.
        fresh: without a vault, so that its making is disturbed too; pseudonyms then differ, only counts are compared.
    """
    copied(whole.root, root, vault=None if fresh else whole.root)
    found = []
    for kill in kills:
        ended = nursery.run(root, kill, whole.workers, bare=whole.bare, batch=whole.batch)
        if not ended.killed and ended.code and not kill.error:
            found.append(f"a run that was to be killed failed: {ended.told[-600:]}")
        if kill.error and ended.code and (ended.code != 1 or FULL not in ended.told or "Traceback" in ended.told):
            found.append(f"a full disk was told otherwise: {ended.told[-1500:]}")
    ended = nursery.run(root, workers=whole.workers, bare=whole.bare, batch=whole.batch)
    if ended.code:
        return [*found, f"the run after it failed: {ended.told[-1500:]}"]
    return found + differences(whole.judged, nursery.judged(root), rows=not fresh, files=whole.workers == 1)


def differences(wanted: dict[str, Any], judged: dict[str, Any], *, rows: bool, files: bool) -> list[str]:
    """What a lake holds otherwise than the one that nobody disturbed."""
    found = [f"{name} is {judged[name]}" for name in ("ledger", "balanced") if judged[name] is not True]
    strays, missing = Counter(judged["loose"]), Counter(wanted["loose"])
    found += [f"stray file {name}" for name in strays - missing] + [f"no file {name}" for name in missing - strays]
    if judged["subjects"] != wanted["subjects"]:
        found.append(f"{judged['subjects']} subjects instead of {wanted['subjects']}")
    if judged["tables"].keys() != wanted["tables"].keys():
        return [*found, f"tables {sorted(judged['tables'])}"]
    for path, table in judged["tables"].items():
        if path in TIMED:
            continue
        compared = {"rows": True, "twice": True, "digest": rows, "files": rows and files}
        found += [
            f"{path}: other {name}"
            for name, on in compared.items()
            if on and table[name] != wanted["tables"][path][name]
        ]
    return found
