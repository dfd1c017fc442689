"""A job whose nodes see this machine's folders: its documents are files, and the model is made where it belongs.

Belongs here: what Slurm and Kubernetes have in common.
"""

import os
import shutil
from pathlib import Path

from orchestration.launchers.backend import LaunchError
from schemas.checkpoint import MANIFEST
from schemas.job import TrainingJob


def written(job: TrainingJob) -> Path:
    """Write a job's documents into its folder, for its owner alone, and give the folder."""
    folder = Path(job.folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in job.files.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    return folder


def collected(job: TrainingJob, name: str, target: Path) -> None:
    """Have the finished model of a job at the target, where it already is unless the checkpoint is elsewhere.

    Raises:
        LaunchError: if there is no finished model.
    """
    made = Path(job.checkpoint) / name
    if not (made / MANIFEST).is_file():
        raise LaunchError(
            f"found no finished model {name} at the checkpoint of job {job.name}, needed one; see that the nodes mount "
            "the lake's root at the same path, and run again: the training goes on from the last saved step"
        )
    if made != target:
        shutil.copytree(made, target, dirs_exist_ok=True)


def cleared(job: TrainingJob) -> None:
    """Remove the folder of a job's documents."""
    shutil.rmtree(job.folder, ignore_errors=True)
