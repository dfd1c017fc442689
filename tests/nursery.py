"""The process that forks warm children, and what a child does: run, die, judge.

Belongs here: what happens behind `tests.kills`, which starts this module as a process of its own. It has imported
everything and done nothing, so that a child begins at once.
"""

import contextlib
import importlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.kills import DELIVERY, Kill, judge

WORKER = b"multiprocessing"
"""What stands in the command line of a worker of the local engine."""


def _serve() -> None:
    _warm()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(asked)
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # its workers too, as of a machine that stops
        _learn(Path(asked["answer"]))
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        answers.flush()


_IMPORTED = (
    "deid.faces.faces",
    "deid.pixels.series",
    "lineage.ledger.verify",
    "orchestration.headless",
    "orchestration.verbs.run",
    "stages.certificates",
    "stages.instances",
    "stages.received",
    "stages.upkeep.reconcile",
    "stages.volumes",
)


def _warm() -> None:
    """Import what a run imports and load what takes seconds; no threads, no Delta table, nothing that a fork breaks."""
    for name in _IMPORTED:
        importlib.import_module(name)
    from deid.text.engine import analyzer
    from orchestration.definitions import build

    analyzer()
    build("/nowhere").resolve_job_def("delivery")


def _learn(answer: Path) -> None:
    """Import what a child that came to its end had imported, so that the next ones need not."""
    if answer.exists():
        for name in json.loads(answer.read_text()).get("modules", []):
            if name not in sys.modules:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)


def _child(asked: dict[str, Any]) -> None:
    """Do what is asked and end, never to return to the nursery's loop."""
    code = 70
    try:
        os.setsid()
        told = os.open(asked["told"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(told, 1)
        os.dup2(told, 2)
        for name in [name for name in os.environ if name.startswith(("LARMOR_", "DAGSTER_"))]:
            del os.environ[name]
        os.environ.update(asked["environment"], DAGSTER_DISABLE_TELEMETRY="1")
        os.chdir(asked["root"])
        code = _DEEDS[asked["do"]](asked)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if not isinstance(end.code, int):
            os.write(2, f"{end.code}\n".encode())
    # the boundary of the child: a trace that returned to the loop would fork from here
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(asked: dict[str, Any]) -> int:
    from orchestration import cli

    if asked["environment"]["LARMOR_WORKERS"] == "1":
        _without_reading_pixels()
    else:
        _in_small_units()
    steps = _watched(asked["root"], Kill(**asked["kill"]) if asked["kill"] else None)
    sys.argv = ["larmor", "--root", asked["root"], "run", DELIVERY, "--to", "volumes"]
    try:
        _stations(asked["root"]) if asked["bare"] else cli.main()
    finally:
        Path(asked["answer"]).write_text(json.dumps({"steps": steps(), "modules": sorted(sys.modules)}))
    return 0


def _batch(asked: dict[str, Any]) -> int:
    """What the run of waiting deliveries does that the daemon starts, and starts again where its process was lost."""
    import dagster as dg

    from lake.settings import Settings
    from orchestration.batch import batch_config, deliveries_job
    from orchestration.definitions import build
    from orchestration.instance import instance
    from orchestration.processes import TAG, own_mark

    _without_reading_pixels()
    steps = _watched(asked["root"], Kill(**asked["kill"]) if asked["kill"] else None)
    try:
        with instance(Settings(root=Path(asked["root"]))) as home:
            job = build(asked["root"]).resolve_job_def(deliveries_job.name)
            tags, config = {TAG: own_mark()}, batch_config([DELIVERY])
            result = job.execute_in_process(run_config=config, instance=home, tags=tags, raise_on_error=False)
            going = home.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
            # a run whose process was lost is told as failed, so that nothing waits for it
            return 0 if result.success and not going else 1
    finally:
        Path(asked["answer"]).write_text(json.dumps({"steps": steps(), "modules": sorted(sys.modules)}))


def _stations(root: str) -> None:
    """What the command does without Dagster, in a third of the time."""
    from deid.proof.certificate import NotCertifiable
    from lake.zones import Lake
    from stages.certificates import certify_series
    from stages.instances import deidentify
    from stages.received import receive
    from stages.second_look.residual import keep, scan
    from stages.volumes import normalize

    lake = Lake.open(root)
    receive(lake, DELIVERY)
    deidentify(lake, DELIVERY)
    keep(lake, DELIVERY, scan(lake, DELIVERY))
    try:
        certify_series(lake, DELIVERY)
    except NotCertifiable as error:
        # another process has written the files anew since the scan: the command tells it in the same words
        sys.exit(str(error))
    normalize(lake, DELIVERY)


def _judge(asked: dict[str, Any]) -> int:
    Path(asked["answer"]).write_text(json.dumps({"answer": judge(Path(asked["root"]))}))
    return 0


def _together(asked: dict[str, Any]) -> int:
    """Two runs at once; the answer is how each ended and what it told."""
    told = [f"{asked['told']}.{number}" for number in range(2)]
    pids = []
    for path in told:
        pid = os.fork()
        if pid == 0:
            _child({**asked, "do": "run", "told": path, "answer": f"{path}.answer"})
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    ends = [{"code": code, "told": Path(path).read_text()} for code, path in zip(codes, told, strict=True)]
    Path(asked["answer"]).write_text(json.dumps({"answer": ends}))
    return 0


_DEEDS: dict[str, Callable[[dict[str, Any]], int]] = {
    "run": _run,
    "batch": _batch,
    "judge": _judge,
    "together": _together,
}


def _without_reading_pixels() -> None:
    """Nobody looks for words in pixels, which takes most of a run and writes nothing."""
    from deid.pixels import burned_in

    burned_in._look = lambda *_: iter(())


def _in_small_units() -> None:
    """The small delivery gives every worker some units."""
    import stages.received
    import stages.station

    stages.received._FILES_A_UNIT = 16
    stages.station._UNIT_BYTES = (1, 1 << 14)


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGING = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.truncate"}


def _watched(root: str, kill: Kill | None) -> Callable[[], int]:
    """Count the steps of this process, and let it die at the one that `kill` names."""
    from deltalake import DeltaTable

    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1
        if kill and kill.step == taken:
            if kill.error:
                raise OSError(kill.error, os.strerror(kill.error))
            _die(kill.after_s)

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        if (event in _CHANGING or writes) and str(arguments[0]).startswith(root):
            step()

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*arguments: Any, **named: Any) -> Any:
            step()
            result = function(*arguments, **named)
            step()
            return result

        return stepping

    os.fsync = around(os.fsync)
    DeltaTable.create_write_transaction = around(DeltaTable.create_write_transaction)
    DeltaTable.create = staticmethod(around(DeltaTable.create))
    sys.addaudithook(heard)
    if kill and not kill.step:
        threading.Thread(target=_end_worker if kill.worker else _die, args=(kill.after_s,), daemon=True).start()
    return lambda: taken


def _die(after_s: float) -> None:
    if after_s and threading.current_thread() is threading.main_thread():
        threading.Thread(target=_die, args=(after_s,), daemon=True).start()
        return
    time.sleep(after_s)
    os.killpg(0, signal.SIGKILL)


def _end_worker(after_s: float) -> None:
    """Kill one worker, the first that there is after so many seconds."""
    time.sleep(after_s)
    while True:
        children = [int(pid) for task in Path("/proc/self/task").iterdir() for pid in _children(task)]
        workers = [pid for pid in children if _is_worker(pid)]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)
            return
        time.sleep(0.01)


def _children(task: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return (task / "children").read_text().split()
    return []


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
        return WORKER in said and b"spawn_main" in said
    return False


if __name__ == "__main__":
    _serve()
