"""A real Slurm of one node, started for a test from Debian's packages, and ended after it."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

CONFIGURATION = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/none
CredType=cred/none
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/controller.pid
SlurmdPidFile={place}/node.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MinJobAge=300
SchedulerParameters=requeue_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=500 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there is no Slurm here; empty: there is."""
    absent = [name for name in ("slurmctld", "slurmd", "sbatch", "srun") if shutil.which(name) is None]
    if absent:
        return f"found no {', '.join(absent)}, needed Debian's packages slurmctld, slurmd and slurm-client"
    return "" if os.geteuid() == 0 else "found an ordinary user, needed root: slurmd starts processes as others"


@contextlib.contextmanager
def cluster(place: Path):
    """Slurm's daemons, with everything that they write below a folder; yields their variables."""
    for name in ("state", "spool"):
        (place / name).mkdir(parents=True)
    ports = [_free(), _free()]
    said = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0], controller=ports[0], node=ports[1], user="root", place=place,
        cpus=len(os.sched_getaffinity(0)),
    )  # fmt: skip
    (place / "slurm.conf").write_text(said)
    variables = {"SLURM_CONF": str(place / "slurm.conf")}
    daemons = []
    try:
        for name in ("slurmctld", "slurmd"):
            with (place / f"{name}.log").open("wb") as log:
                daemons.append(subprocess.Popen([name, "-D"], env=os.environ | variables, stdout=log, stderr=log))
        _until_idle(os.environ | variables, daemons)
        yield variables
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


def _until_idle(variables, daemons):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert all(daemon.poll() is None for daemon in daemons), "a daemon ended; see its log"
        told = subprocess.run(["sinfo", "-h", "-o", "%T"], env=variables, capture_output=True, text=True, check=False)
        if told.stdout.strip() == "idle":
            return
        time.sleep(0.3)
    raise AssertionError("the node did not come up")


def _free():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
