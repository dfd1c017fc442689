"""A delivery on a real cluster: two workers on this machine, one of them killed in the middle, the same rows."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from lake.zones import Lake
from schemas.tables import DECISIONS, INSTANCES, QUARANTINE, RECEIVED, SERIES, VOLUMES
from tests.conftest import PROJECT
from tests.stages.conftest import NAME

pytestmark = [pytest.mark.spark, pytest.mark.slow]

_TABLES = (RECEIVED, QUARANTINE, INSTANCES, SERIES, VOLUMES)

_RUN = """
from lake.zones import Lake
from stages.instances import deidentify
from stages.received import receive
from stages.series import describe
from stages.volumes import normalize
import stages.station
stages.station._UNIT_BYTES = (2**18, 2**18)  # many small units, so that both workers have some
lake = Lake.open({root!r})
receive(lake, {name!r})
print("received", flush=True)
deidentify(lake, {name!r})
normalize(lake, {name!r})
describe(lake, {name!r})
"""


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _children(pid):
    """Processes below one, by the kernel's list."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def _executors(worker):
    """Executor JVMs of a worker."""
    return [
        pid for pid in _children(worker.pid)
        if b"CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]  # fmt: skip


def _wait(what, found, seconds=240):
    for _ in range(seconds * 5):
        if result := found():
            return result
        time.sleep(0.2)
    pytest.fail(f"waited in vain for {what}")


@pytest.fixture
def cluster(tmp_path):
    """A master and two workers of one core each; ended after the test."""
    if not find_spec("pyspark") or not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("found no pyspark or no Java, needed both for a cluster")
    if not Path("/proc/self/task").is_dir():
        pytest.skip("found no /proc, needed it to find the executors of a worker")
    start = Path(find_spec("pyspark").origin).parent / "bin" / "spark-class"
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    environment = os.environ | {
        "SPARK_WORKER_DIR": str(tmp_path / "work"), "SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": "127.0.0.1",
    }  # fmt: skip
    of_master = ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port)]
    of_worker = ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory", "1g"]
    started = [subprocess.Popen([start, *of_master, "--webui-port", "0"], env=environment, **quiet)]
    try:
        _wait("the master", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        started += [
            subprocess.Popen([start, *of_worker, "--webui-port", "0", master], env=environment, **quiet)
            for _ in range(2)
        ]
        yield master, started[1:]
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)


def test_a_delivery_is_processed_by_two_workers_of_which_one_is_killed(cluster, treated, tmp_path):
    master, workers = cluster
    # the local engine's lake with its vault, or no pseudonym would be the same; every partition is made anew
    shutil.copytree(treated.lake.settings.root, tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    environment = os.environ | {
        "LARMOR_ENGINE": "spark", "LARMOR_SPARK_MASTER": master, "PYTHONPATH": str(PROJECT),
        "LARMOR_SPARK_CONF": '{"spark.executor.memory": "600m", "spark.driver.memory": "1g"}',
    }  # fmt: skip
    code = _RUN.format(root=str(tmp_path / "lake"), name=NAME)
    driver = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        _wait("an executor on each worker", lambda: all(map(_executors, workers)) or driver.poll() is not None)
        assert driver.stdout.readline() == "received\n", driver.stdout.read()
        # in the middle of de-identification: some of its part files are there, none is committed
        _wait("the first part file", lambda: _parts(lake) > _parts(treated.lake) or driver.poll() is not None)
        [victim] = _wait("an executor", lambda: _executors(workers[0]))
        os.kill(victim, signal.SIGKILL)
        said, _ = driver.communicate(timeout=500)
    finally:
        driver.kill()
        driver.wait()
    assert driver.returncode == 0, said
    assert said == ""
    # each executor has unpacked the code for the units it was given
    assert len(list((tmp_path / "work").glob("app-*/*/larmor-*/lake"))) >= 2
    for contract in (*_TABLES, DECISIONS):
        assert lake.table(contract).version() > treated.lake.table(contract).version()
        assert _rows(lake, contract) == _rows(treated.lake, contract), contract.name


def _parts(lake):
    return sum(name.endswith(".parquet") for name in lake.table(INSTANCES).location.walk())


def _rows(lake, contract):
    columns = [c.name for c in contract.columns]
    return sorted(map(repr, lake.table(contract).read(columns).to_pylist()))
