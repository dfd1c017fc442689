"""What an instance of SageMaker runs: it finds the others and becomes torchrun.

    python -m orchestration.launchers.sagemaker_node PROCESSES GRACE NAME --module MODULE ARGUMENTS

Belongs here: nothing else. It becomes the command, so that SageMaker's signal reaches torchrun.
Source of the file's fields: SageMaker's documentation, "How Amazon SageMaker Provides Training Information".
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestration.launchers.torchrun import alone, meeting, torchrun
from schemas.job import TrainingJob

HOSTS = Path("/opt/ml/input/config/resourceconfig.json")
"""Where SageMaker names the instances of a job."""


def command(arguments: Sequence[str], hosts: Path, python: str) -> list[str]:
    """The command of this instance.

    Args:
        arguments: processes, seconds to save in, name of the job, and what each process runs.
        hosts: file that names the instances.
        python: interpreter.
    """
    processes, grace, name, *work = arguments
    told = json.loads(hosts.read_text(encoding="utf-8"))
    everybody = sorted(told["hosts"])
    job = TrainingJob(
        name=name, environment=python, command=work, nodes=len(everybody), processes=int(processes),
        grace_s=int(grace), folder=".", checkpoint=".",
    )  # fmt: skip
    return torchrun(job, python, alone(job) if job.nodes == 1 else meeting(job, everybody[0]))


if __name__ == "__main__":
    # the interface that the instances reach each other by
    interface = json.loads(HOSTS.read_text(encoding="utf-8")).get("network_interface_name", "eth0")
    for name in ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"):
        os.environ.setdefault(name, interface)
    become = command(sys.argv[1:], HOSTS, sys.executable)
    os.execv(become[0], become)  # noqa: S606 - our own interpreter and module
