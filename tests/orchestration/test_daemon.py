"""The Dagster daemon is killed while a run of its goes on: started again, nothing is lost and nothing done twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from orchestration.instance import instance, prepare
from tests.kills import copied, differences, undisturbed

WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
PATIENCE_S = 400
"""A tick of the sensor, a start, a delivery, and once more after a lost run; it judges no speed."""


@pytest.fixture
def daemon(nursery, whole, tmp_path, monkeypatch):
    """Starts the daemon on a lake with a waiting delivery whose sensor is on; every one is ended at the end."""
    from lake.settings import Settings

    settings = Settings(root=copied(whole.root, tmp_path / "lake", vault=whole.root))
    monkeypatch.setenv("LARMOR_ROOT", str(settings.root))
    monkeypatch.setenv("DAGSTER_HOME", str(prepare(settings)))
    with instance(settings):
        pass
    tools = Path(sys.executable).parent
    subprocess.run(
        [tools / "dagster", "sensor", "start", "landing", "-w", WORKSPACE], check=True, capture_output=True, timeout=120
    )
    started = []

    def start():
        with (tmp_path / "daemon.log").open("a") as log:
            command = [tools / "dagster-daemon", "run", "-w", WORKSPACE]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    yield settings, start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _status():
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as opened:
        return [run.status for run in opened.get_runs(limit=1)]


def _until(wanted):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := [status for status in _status() if status in wanted]):
        assert time.monotonic() < deadline, f"no run came to {wanted}"
        time.sleep(1)
    return found[0]


@pytest.mark.slow
def test_a_daemon_killed_while_a_delivery_is_run(daemon, nursery, whole, tmp_path):
    batch = undisturbed(nursery, whole.root, tmp_path / "batch", vault=whole.root, batch=True)
    settings, start = daemon
    first = start()
    _until({dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS})
    first.kill()
    first.wait()
    start()
    assert _until({dg.DagsterRunStatus.SUCCESS}) is dg.DagsterRunStatus.SUCCESS
    # pixels are read here and not by the nursery's children, so decisions about them are others: numbers are compared
    assert differences(batch.judged, nursery.judged(settings.root), rows=False, files=False) == []
