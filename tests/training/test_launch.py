"""Processes of a training end with it, however it ends, and what they report is heard."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training import launch
from training.errors import TrainingError
from training.launch import command, environment, launch_local
from training.running.interruption import SAVE_WITHIN_S, Stopped

JOB = {"kind": "pretrain", "release": "synthetic", "name": "base"}


def test_the_command_names_ranks_job_and_loopback_and_shares_out_the_cores(tmp_path):
    arguments = command(tmp_path / "job.yaml", 4)
    assert "--nproc-per-node=4" in arguments
    assert "--standalone" in arguments
    assert f"--shutdown-timeout={SAVE_WITHIN_S}" in arguments
    assert launch.GRACE_S > SAVE_WITHIN_S, "torchrun makes its processes end before it is made to"
    assert arguments[-1] == str(tmp_path / "job.yaml")
    assert environment(4, 16)["OMP_NUM_THREADS"] == "4"
    assert environment(4, 2)["OMP_NUM_THREADS"] == "1"


def instead(monkeypatch, code):
    """Have a small program run in the place of torchrun."""
    monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-c", code])


def test_events_are_heard_between_other_lines_and_the_finished_folder_is_read(monkeypatch, tmp_path):
    (tmp_path / "metrics.json").write_text('{"subjects": 3}')
    finished = json.dumps({"event": "finished", "folder": str(tmp_path)})
    instead(monkeypatch, f"print('a line'); print('[1]'); print('{{\"event\": \"start\"}}'); print({finished!r})")
    events = []
    result = launch_local(JOB, 1, events.append)
    assert [event["event"] for event in events] == ["start", "finished"]
    assert result.metrics == {"subjects": 3}


def test_exit_code_zero_without_a_finished_model_is_a_failure(monkeypatch):
    instead(monkeypatch, "import sys; sys.stderr.write('why it ended')")
    with pytest.raises(TrainingError, match=r"exit code 0 and no finished model(.|\n)*why it ended"):
        launch_local(JOB, 1, lambda _: None)


def test_the_reason_that_a_training_gives_is_the_error(monkeypatch):
    instead(monkeypatch, 'print(\'{"event": "failed", "error": "found no release, needed one"}\'); exit(1)')
    with pytest.raises(TrainingError, match=r"^found no release, needed one$"):
        launch_local(JOB, 1, lambda _: None)


def test_a_training_that_was_told_to_stop_and_saved_is_no_failure_and_not_done(monkeypatch):
    instead(monkeypatch, 'print(\'{"event": "stopped", "step": 7}\'); exit(1)')
    with pytest.raises(Stopped, match="saved step 7; run the same job again"):
        launch_local(JOB, 1, lambda _: None)


@pytest.mark.parametrize("how", ["cancelled", "late", "reporter fails"])
def test_a_training_that_is_given_up_leaves_no_process(monkeypatch, tmp_path, how):
    place = tmp_path / "pid"
    code = f"""if True:
        import os, time
        open({str(place)!r}, "w").write(str(os.getpid()))
        print('{{"event": "start"}}', flush=True)
        time.sleep(60)"""
    instead(monkeypatch, code)

    def report(_event):
        if how == "reporter fails":
            raise TrainingError("cannot write")

    with pytest.raises(TrainingError, match=r"cancelled|unfinished after|cannot write"):
        launch_local(
            JOB,
            1,
            report,
            timeout_s=1 if how == "late" else None,
            cancelled=lambda: how == "cancelled" and place.exists(),
        )
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.read_text()), 0)


def alive(pid):
    """Whether a process runs; one that ended and was not yet waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
def test_a_tethered_command_ends_when_its_parent_is_killed(tmp_path):
    inner = [
        sys.executable,
        "-m",
        "training.running.tether",
        sys.executable,
        "-c",
        "import time; print('up', flush=True); time.sleep(60)",
    ]
    code = f"import subprocess, time; p = subprocess.Popen({inner!r}); print(p.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == b"up\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 30
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


def children(pid):
    """Processes that a process started."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the parent-death signal is Linux's")
def test_killed_and_started_again_two_ranks_go_on_as_if_nothing_had_happened(lake_root, small, tmp_path):
    config = {
        **small,
        "steps": 20,
        "warmup_steps": 2,
        "save_every": 8,
        "report_every": 1,
        "batch_size": 4,
        "crop_mm": [100, 100, 100],
    }
    job = {"kind": "pretrain", "root": str(lake_root), "release": "synthetic", "name": "base", "config": config}
    job["out"] = str(tmp_path / "base")
    path = tmp_path / "job.yaml"
    path.write_text(json.dumps(job))  # JSON is YAML
    running = subprocess.Popen(command(path, 2), env={**os.environ, **environment(2, 2)}, stdout=subprocess.PIPE)
    before, ranks = {}, []
    for line in running.stdout:  # what was said before the end is read to its end
        if line.startswith(b"{") and (event := json.loads(line))["event"] == "step":
            before[event["step"]] = event["loss"]
            if event["step"] == 9:
                ranks = children(running.pid)
                running.send_signal(signal.SIGKILL)
    running.wait()
    running.stdout.close()
    deadline = time.monotonic() + 30
    while any(alive(rank) for rank in ranks) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(ranks) >= 2
    assert not any(alive(rank) for rank in ranks), "no rank trains on as an orphan"

    events = []
    result = launch_local(job, 2, events.append, timeout_s=300)
    after = {event["step"]: event["loss"] for event in events if event["event"] == "step"}
    again = sorted(before.keys() & after.keys())
    assert result.resumed_from == 8
    assert again[0] == 9
    assert sorted(after) == list(range(9, 21))
    assert [after[step] for step in again] == [before[step] for step in again]
    assert result.metrics["curve"] == [[step, {**before, **after}[step]] for step in range(1, 21)]
    assert sum(result.exposure.values()) == 20 * 4
    assert result.manifest.world_size == 2
