"""How the processes of a node are started, wherever it is: torchrun.

Belongs here: its command line. What differs between backends is how nodes find each other.
"""

from collections.abc import Sequence

from schemas.job import TrainingJob

PORT = 29400
"""Where nodes meet on the first of them."""

_JOIN_S = 900
"""Seconds that nodes wait for each other to come up."""


def torchrun(job: TrainingJob, python: str, rendezvous: Sequence[str]) -> list[str]:
    """The command that starts a node's processes.

    Args:
        job: the job.
        python: interpreter on the node.
        rendezvous: options by which nodes find each other.
    """
    # no restarts: a lost process ends the job, and the next one resumes from what was saved
    options = ["--max-restarts=0", f"--shutdown-timeout={job.grace_s}"]
    return [python, "-m", "torch.distributed.run", *rendezvous, *options, *job.command]


def alone(job: TrainingJob) -> list[str]:
    """Rendezvous of a single node with itself."""
    return ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={job.processes}"]


def meeting(job: TrainingJob, host: str) -> list[str]:
    """Rendezvous of several nodes at one of them.

    Args:
        job: the job.
        host: address of that node, as all see it.
    """
    return [
        f"--nnodes={job.nodes}", f"--nproc-per-node={job.processes}", "--rdzv-backend=c10d", f"--rdzv-id={job.name}",
        f"--rdzv-endpoint={host}:{PORT}", f"--rdzv-conf=join_timeout={_JOIN_S}",
    ]  # fmt: skip
