"""Slurm as a backend: what it says of jobs, and how jobs are stopped and started again, without any training."""

import re
import subprocess
import time
from pathlib import Path

import pytest

from orchestration.launchers import slurm
from orchestration.launchers.backend import LaunchError, Phase, Unreachable
from orchestration.launchers.slurm import SlurmBackend
from schemas.job import TrainingJob

WORK = """import pathlib, signal, sys, time
place = pathlib.Path(sys.argv[1])
def save(*_):
    (place / "saved").touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
print("resumed" if (place / "saved").exists() else "began", flush=True)
until = time.monotonic() + 200
while not (place / "go").exists() and not (place / "saved").exists() and time.monotonic() < until:
    time.sleep(0.05)
print("done", flush=True)
sys.exit(int((place / "go").read_text() or 0) if (place / "go").exists() else 0)
"""


@pytest.fixture
def backend(slurm_document, monkeypatch, tmp_path):
    """A backend whose jobs run a small program in the place of torchrun."""
    (tmp_path / "work.py").write_text(WORK)
    document = slurm_document()
    monkeypatch.setattr(slurm, "torchrun", lambda *_: [document.python, str(tmp_path / "work.py"), str(tmp_path)])
    return SlurmBackend(document)


@pytest.fixture
def waiting(tmp_path):
    """A job that runs until it may go."""
    return TrainingJob(
        name="larmor-waiting", environment="/usr/bin/python3", command=["--module", "m"], grace_s=30, max_run_s=600,
        folder=str(tmp_path / "job"), checkpoint=str(tmp_path), files={"job.yaml": "kind: pretrain\n"},
        labels={"run": "0123"},
    )  # fmt: skip


def until(check, seconds=60):
    """Wait for something, and give it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def lines(backend, handle):
    """All that a job wrote."""
    return list(backend.logs(handle, None).lines)


def test_a_job_runs_to_its_end_and_its_lines_come_once(some_cluster, backend, waiting, tmp_path):
    handle = backend.submit(waiting)
    until(lambda: lines(backend, handle) == ["began"])
    first = backend.logs(handle, None)
    until(lambda: backend.poll(handle).phase is Phase.RUNNING)
    (tmp_path / "go").write_text("0")
    assert until(lambda: (state := backend.poll(handle)).phase.over and state).phase is Phase.DONE
    assert list(backend.logs(handle, first.cursor).lines) == ["done"]
    assert (tmp_path / "job" / "job.yaml").stat().st_mode & 0o777 == 0o600


def test_a_job_that_fails_says_its_code(some_cluster, backend, waiting, tmp_path):
    (tmp_path / "go").write_text("3")
    handle = backend.submit(waiting)
    state = until(lambda: (state := backend.poll(handle)).phase.over and state)
    assert (state.phase, state.reason) == (Phase.FAILED, "exit code 3")


def test_a_job_whose_time_ends_saves_is_queued_again_and_goes_on(some_cluster, backend, waiting, tmp_path):
    handle = backend.submit(waiting)
    until(lambda: lines(backend, handle) == ["began"])
    number = handle.partition(":")[0]
    if some_cluster == "real":  # what Slurm does by itself as the time comes near
        subprocess.run(["scancel", "--batch", "--signal=USR1", number], check=True)
        until(lambda: backend.poll(handle).phase is Phase.WAITING)
        # it waits for two minutes, so that the first start is surely over; the test has seen that
        subprocess.run(["scontrol", "update", f"JobId={number}", "StartTime=now"], check=True)
    else:
        batch = next(tmp_path.rglob(f"jobs/{number}/batch"))
        subprocess.run(["kill", "-USR1", batch.read_text()], check=True)
    until(lambda: "resumed" in lines(backend, handle), 120)
    assert until(lambda: (state := backend.poll(handle)).phase.over and state).phase is Phase.DONE
    assert lines(backend, handle)[-1] == "done"


def test_a_job_that_is_cancelled_is_told_to_save(some_cluster, backend, waiting, tmp_path):
    handle = backend.submit(waiting)
    until(lambda: lines(backend, handle) == ["began"])
    until(lambda: backend.poll(handle).phase is Phase.RUNNING)
    backend.cancel(handle)
    assert until(lambda: (state := backend.poll(handle)).phase.over and state).phase is not Phase.DONE
    assert (tmp_path / "saved").exists()


def test_a_job_that_slurm_forgot_is_known_by_what_it_left(cluster, backend, waiting, tmp_path):
    (tmp_path / "go").write_text("0")
    handle = backend.submit(waiting)
    until(lambda: backend.poll(handle).phase.over)
    (cluster / handle.partition(":")[0] / "forgotten").touch()
    assert backend.poll(handle).phase is Phase.DONE
    (tmp_path / "job" / "ended").unlink()
    state = backend.poll(handle)
    assert (state.phase, state.reason) == (Phase.FAILED, "the job is gone from the queue and left no exit code")


def test_without_slurm_or_with_a_silent_or_refusing_one_it_is_said_what_to_do(backend, waiting, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    with pytest.raises(LaunchError, match="found no sbatch on the path"):
        backend.submit(waiting)
    answer(empty / "sbatch", "Batch job submission failed: Invalid account")
    with pytest.raises(LaunchError, match="sbatch refused and said: Batch job submission failed: Invalid account"):
        backend.submit(waiting)
    answer(empty / "squeue", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    with pytest.raises(Unreachable, match="Unable to contact"):
        backend.poll("101:/nowhere")


def answer(command: Path, words: str):
    """A command that only refuses."""
    assert re.fullmatch(r"[^'\n]*", words)
    command.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    command.chmod(0o755)
