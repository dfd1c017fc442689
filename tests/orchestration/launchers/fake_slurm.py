"""A cluster of one node that is not there: `sbatch`, `squeue`, `scancel`, `scontrol` and `srun`, by its name.

A job is a folder: its script, its state, the processes of its step, and whether it is to be queued again.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent / "jobs"  # where the test put this file's folder


def sbatch(arguments):
    script = sys.stdin.read()
    assert arguments == ["--parsable"], arguments
    assert script.startswith("#!/bin/bash\n"), "sbatch takes scripts alone"
    number = str(101 + len(list(PLACE.iterdir())))
    job = PLACE / number
    job.mkdir()
    (job / "script").write_text(script)
    (job / "state").write_text("PENDING|Priority")
    subprocess.Popen(
        [sys.executable, __file__, "node", number],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    print(number)


def node(arguments):
    """Run a job's script until nobody wants it queued again."""
    (number,) = arguments
    job = PLACE / number
    script = (job / "script").read_text()
    output = Path(re.search(r"^#SBATCH --output=(.*)$", script, re.MULTILINE)[1])
    environment = {"PATH": f"{PLACE.parent / 'bin'}:/usr/bin:/bin", "SLURM_JOB_ID": number, "SLURM_JOB_NODELIST": "n"}
    while True:
        (job / "again").unlink(missing_ok=True)
        (job / "state").write_text("RUNNING|None")
        with output.open("ab") as file:
            running = subprocess.Popen(["bash", job / "script"], env=environment, stdout=file, stderr=file)
            (job / "batch").write_text(str(running.pid))
            code = running.wait()
        if not (job / "again").exists():
            break
        (job / "state").write_text("PENDING|BeginTime")
        time.sleep(0.3)
    if "CANCELLED" not in (job / "state").read_text():
        (job / "state").write_text("COMPLETED|None" if code == 0 else "FAILED|NonZeroExitCode")


def squeue(arguments):
    number = next(a.split("=")[1] for a in arguments if a.startswith("--jobs="))
    if not (PLACE / number).exists() or (PLACE / number / "forgotten").exists():
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    print((PLACE / number / "state").read_text())


def scancel(arguments):
    job = PLACE / arguments[-1]
    step = int((job / "step").read_text()) if (job / "step").exists() else None
    if arguments[0] == "--signal=TERM":
        os.kill(step, signal.SIGTERM)
        return
    (job / "state").write_text("CANCELLED|None")
    for pid in (step, int((job / "batch").read_text()) if (job / "batch").exists() else None):
        if pid:
            os.kill(pid, signal.SIGKILL)


def scontrol(arguments):
    if arguments[:2] == ["show", "hostnames"]:
        print("127.0.0.1")
    else:
        assert arguments[0] == "requeue"
        (PLACE / arguments[1] / "again").touch()


def srun(arguments):
    work = arguments[[a.startswith("--") for a in arguments].index(False) :]
    (PLACE / os.environ["SLURM_JOB_ID"] / "step").write_text(str(os.getpid()))
    os.execv(work[0], work)


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2:])
