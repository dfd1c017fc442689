"""Starting a training in processes of its own on this machine, with torchrun.

Belongs here: the command, its environment, and watching it to its end. What the processes do is `training.run`. An exit
code of zero alone proves nothing: the finished checkpoint does.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from training.errors import TrainingError
from training.result import Result
from training.running.interruption import SAVE_WITHIN_S, Stopped

GRACE_S = SAVE_WITHIN_S + 15.0
"""Seconds that processes may take to save and end when they are asked to, before they are made to."""

TAIL = 4000
"""Characters of standard error that a failure shows."""


def command(job: Path, ranks: int, module: str = "training.run") -> list[str]:
    """The command that runs a job in `ranks` processes on this machine.

    Args:
        job: the job's YAML file.
        ranks: processes.
        module: what each process runs, `python -m` style; takes the job's path as its only argument.
    """
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    # one machine: a rendezvous of its own on the loopback interface, and no restarts, the next run resumes
    options = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={ranks}", "--max-restarts=0"]
    # torchrun hands a signal on to the processes, and makes them end when they took too long to save
    options.append(f"--shutdown-timeout={SAVE_WITHIN_S}")
    return [sys.executable, "-m", "training.running.tether", *torchrun, *options, "--module", module, str(job)]


def environment(ranks: int, cores: int) -> dict[str, str]:
    """Variables to set for the processes: threads that share the cores out, and the loopback interface.

    Args:
        ranks: processes.
        cores: cores of the machine that may be used.
    """
    return {
        "OMP_NUM_THREADS": str(max(1, cores // ranks)),
        # threads that wait give their core away: beside another busy process spinning ones ran 30 times slower
        "OMP_WAIT_POLICY": "PASSIVE",
        "GLOO_SOCKET_IFNAME": "lo",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
        "PYTHONUNBUFFERED": "1",
    }


def launch_local(
    job: Mapping[str, Any] | Path,
    ranks: int,
    report: Callable[[Mapping[str, Any]], None],
    *,
    timeout_s: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    module: str = "training.run",
) -> Result:
    """Run a job in processes of its own, and wait for its end.

    Args:
        job: the job, or the path of its YAML file.
        ranks: processes.
        report: called with every event of the first process.
        timeout_s: give up after so many seconds; None: never.
        cancelled: asked about once a second; true ends the training. What was saved stays, to be resumed.
        module: what each process runs.

    Returns:
        The finished model or evaluation, read back from its folder.

    Raises:
        TrainingError: if the training failed, was cancelled, took too long, or left no finished model.
        Stopped: if it was told to stop, and saved what it had done.
    """
    from training.run import read

    wanted = read(job)
    with tempfile.TemporaryDirectory(prefix="larmor-job-") as scratch:
        path = Path(scratch) / "job.yaml"
        path.write_text(yaml.safe_dump(wanted.model_dump(mode="json")), encoding="utf-8")
        folder, resumed = _watch(command(path, ranks, module), ranks, Path(scratch), report, timeout_s, cancelled)
    return _read_back(folder, resumed)


def _watch(
    arguments: list[str],
    ranks: int,
    scratch: Path,
    report: Callable[[Mapping[str, Any]], None],
    timeout_s: float | None,
    cancelled: Callable[[], bool],
) -> tuple[Path | None, int]:
    variables = {**os.environ, **environment(ranks, len(os.sched_getaffinity(0)))}
    folder, resumed, failure, stopped = None, 0, "", None
    with (scratch / "stderr").open("w+b") as errors:
        running = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            arguments, env=variables, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        try:
            for event in _events(running, timeout_s, cancelled):
                report(event)
                if event["event"] == "finished":
                    folder = Path(event["folder"])
                elif event["event"] == "resumed":
                    resumed = int(event["step"])
                elif event["event"] == "failed":
                    failure = str(event["error"])
                elif event["event"] == "stopped":
                    stopped = int(event["step"])
            code = running.wait(GRACE_S)
        finally:
            end(running)
        if failure:
            raise TrainingError(failure)
        if stopped is not None:
            raise Stopped(
                f"the training was told to stop and saved step {stopped}; run the same job again to resume it"
            )
        if code or folder is None:
            errors.seek(0)
            tail = errors.read().decode(errors="replace")[-TAIL:]
            raise TrainingError(
                f"found exit code {code} and {'a' if folder else 'no'} finished model, needed both; run the same job "
                f"again to resume it. The processes said:\n{tail}"
            )
    return folder, resumed


def _events(
    running: subprocess.Popen[bytes], timeout_s: float | None, cancelled: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Events of a process until it closes its output; other lines are passed over."""
    assert running.stdout is not None, "started with a pipe"
    deadline = time.monotonic() + timeout_s if timeout_s is not None else None
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(running.stdout, selectors.EVENT_READ)
        while True:
            if cancelled():
                raise TrainingError("the training was cancelled; run the same job again to resume it")
            if deadline is not None and time.monotonic() > deadline:
                raise TrainingError(
                    f"found the training unfinished after {timeout_s:.0f} s, needed less; run the same job again to "
                    "resume it, or allow more time"
                )
            if not selector.select(1.0):
                continue
            if not (read := os.read(running.stdout.fileno(), 65536)):
                return
            *lines, buffer = (buffer + read).split(b"\n")
            yield from (event for line in lines if (event := _event(line)))


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def end(running: subprocess.Popen[bytes]) -> None:
    """End a process and all it started: asked first, made to after a while.

    The parent alone is asked: one rank ending by itself would leave the others waiting for it.
    """
    if running.poll() is None:
        running.terminate()
        try:
            running.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    if running.stdout:
        running.stdout.close()


def _read_back(folder: Path | None, resumed: int) -> Result:
    assert folder is not None, "checked when the processes ended"
    if not (folder / "manifest.json").exists():  # an evaluation
        return Result(folder.name, folder, None, json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    from training import checkpoint

    found = checkpoint.load(folder)
    return Result(folder.name, folder, found.manifest, found.metrics, found.exposure["volumes"], resumed)
