"""Slurm: a batch script, and the commands `sbatch`, `squeue`, `scancel` around it.

Belongs here: the script and what Slurm says of it. The nodes see the lake's root at the same path, so that nothing is
copied; a job's files lie in a folder of its own there.
"""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.launchers.backend import LaunchError, Lines, Phase, State, Unreachable
from orchestration.launchers.shared import cleared, collected, written
from orchestration.launchers.torchrun import alone, meeting, torchrun
from schemas.job import Resume, TrainingJob
from schemas.launching import SlurmLaunching

OUTPUT, ENDED = "output", "ended"
"""In a job's folder: what it wrote, and the exit code of its work."""

_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}
_RUNNING = {"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "SUSPENDED", "STOPPED", "RESIZING"}
_STOPPED = {"CANCELLED", "REVOKED"}

_FORGOTTEN = "Invalid job id"
"""What squeue says of a job that ended some minutes ago."""

_ANSWER_S = 60.0
"""Seconds that Slurm's commands may take; a busy controller takes its time."""


def script(job: TrainingJob, document: SlurmLaunching) -> str:
    """The batch script of a job.

    The grace before its time is over Slurm sends USR1 to the script; it has the training save, and queues the job again
    under the same number. What is preempted or loses a node is queued again by Slurm itself.

    Args:
        job: the job.
        document: what the installation says of the cluster.
    """
    assert job.environment is not None, "jobs of this backend run in an environment"
    rendezvous = alone(job) if job.nodes == 1 else meeting(job, "LARMOR_FIRST_NODE")
    command = shlex.join(torchrun(job, job.environment, rendezvous))
    return _SCRIPT.format(
        options="\n".join(f"#SBATCH {option}" for option in _options(job, document)),
        variables="\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(job.env.items())),
        command=command.replace("LARMOR_FIRST_NODE", '"$first"'),
        ended=shlex.quote(f"{job.folder}/{ENDED}"),
        again="yes" if job.resume is Resume.RESUME else "no",
    )


# `scancel --signal` reaches the step and not this script. A trap interrupts `wait`, which is then to be asked again.
_SCRIPT = """#!/bin/bash
{options}
set -uo pipefail
export PATH
{variables}
rm -f {ended}
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export first
told=no
save() {{ told=yes; scancel --signal=TERM "$SLURM_JOB_ID"; }}
trap save USR1
srun --export=ALL --kill-on-bad-exit=1 {command} &
work=$!
wait "$work"; code=$?
while kill -0 "$work" 2>/dev/null; do wait "$work"; code=$?; done
if [ "$told" = yes ] && [ "$code" -ne 0 ] && [ {again} = yes ]; then
  scontrol requeue "$SLURM_JOB_ID" && exit 0
fi
echo "$code" > {ended}
exit "$code"
"""


def _options(job: TrainingJob, document: SlurmLaunching) -> list[str]:
    hours, rest = divmod(job.max_run_s, 3600)
    needs = job.resources
    given: list[tuple[str, object]] = [
        ("job-name", job.name),
        ("nodes", job.nodes),
        ("ntasks-per-node", 1),
        ("cpus-per-task", needs.cpus),
        ("gpus-per-node", needs.gpus or None),
        ("mem", f"{needs.memory_gib}G" if needs.memory_gib else None),
        ("tmp", f"{needs.disk_gib}G" if needs.disk_gib else None),
        ("time", f"{hours:02}:{rest // 60:02}:{rest % 60:02}"),
        ("signal", f"B:USR1@{job.grace_s}"),
        ("output", f"{job.folder}/{OUTPUT}"),
        ("comment", ",".join(f"{name}={value}" for name, value in sorted(job.labels.items())) or None),
        ("partition", document.partition),
        ("account", document.account),
        ("qos", document.qos),
        ("constraint", document.constraint),
    ]
    # an environment that is not exported keeps the submitter's secrets at home
    flags = ["--open-mode=append", "--export=NIL", "--requeue" if job.resume is Resume.RESUME else "--no-requeue"]
    return [f"--{name}={value}" for name, value in given if value is not None] + flags


@dataclass(frozen=True)
class SlurmBackend:
    """A cluster that this machine's `sbatch` submits to.

    Attributes:
        document: what the installation says of it.
    """

    document: SlurmLaunching

    def submit(self, job: TrainingJob) -> str:
        """Queue a job; its handle is the number and the folder of its files."""
        folder = written(job)
        said = _asked(["sbatch", "--parsable"], script(job, self.document), refused=True)
        number = said.strip().split(";")[0]
        if not number.isdigit():
            raise LaunchError("sbatch: found no job number in its answer, needed one; try sbatch by hand")
        return f"{number}:{folder}"

    def poll(self, handle: str) -> State:
        """What squeue says, and after it forgot the job, what the job left."""
        number, folder = _parts(handle)
        try:
            said = _asked(["squeue", "--noheader", f"--jobs={number}", "--states=all", "--format=%T|%r"])
        except LaunchError as error:
            if _FORGOTTEN not in str(error):
                raise
            said = ""
        state, _, reason = said.strip().partition("|")
        if state in _WAITING:
            return State(Phase.WAITING, reason)
        if state in _RUNNING:
            return State(Phase.RUNNING, reason)
        if state in _STOPPED:
            return State(Phase.STOPPED, "cancelled")
        return _left(folder, state)

    def logs(self, handle: str, cursor: str | None) -> Lines:
        """What is in the job's output after an offset in bytes."""
        _, folder = _parts(handle)
        start = int(cursor or 0)
        try:
            with (folder / OUTPUT).open("rb") as output:
                output.seek(start)
                content = output.read()
        except FileNotFoundError:
            return Lines((), cursor)
        whole = content.rpartition(b"\n")
        lines = whole[0].decode(errors="replace").splitlines() if whole[1] else []
        return Lines(tuple(lines), str(start + len(whole[0]) + len(whole[1])))

    def cancel(self, handle: str) -> None:
        """Have the training save and end; a job that waits is taken off the queue."""
        number, _ = _parts(handle)
        running = self.poll(handle).phase is Phase.RUNNING
        _asked(["scancel", "--signal=TERM", number] if running else ["scancel", number])

    def collect(self, job: TrainingJob, name: str, target: Path) -> None:
        """The model is made where it belongs."""
        collected(job, name, target)

    def clear(self, job: TrainingJob) -> None:
        """Remove the folder of the job's files."""
        cleared(job)


def _left(folder: Path, state: str) -> State:
    """What a job left when it ended."""
    try:
        code = int((folder / ENDED).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        if state == "COMPLETED":  # shared file systems show a file late
            return State(Phase.DONE)
        words = state.lower().replace("_", " ") or "gone from the queue"
        return State(Phase.FAILED, f"the job is {words} and left no exit code")
    return State(Phase.DONE) if code == 0 else State(Phase.FAILED, f"exit code {code}")


def _parts(handle: str) -> tuple[str, Path]:
    number, _, folder = handle.partition(":")
    return number, Path(folder)


def _asked(command: Sequence[str], given: str = "", *, refused: bool = False) -> str:
    """The answer of one of Slurm's commands.

    Raises:
        LaunchError: if it is not installed, or says no.
        Unreachable: if the controller does not answer.
    """
    found = shutil.which(command[0])
    if found is None:
        raise LaunchError(
            f"found no {command[0]} on the path, needed Slurm's commands; run this where jobs are submitted"
        )
    try:
        done = subprocess.run(  # noqa: S603 - Slurm's own command, no shell
            [found, *command[1:]], input=given, capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{command[0]} gave no answer within {_ANSWER_S:.0f} s") from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
    if not refused and any(word in said[0].lower() for word in ("timed out", "unable to contact", "connect")):
        raise Unreachable(f"{command[0]}: {said[0]}")
    raise LaunchError(f"{command[0]} refused and said: {said[0]}")
