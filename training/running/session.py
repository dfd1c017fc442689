"""The frame of every training: one at a time in a folder, resumed if it can be, written at once when it is done.

Belongs here: what pre-training and fine-tuning do alike around their work.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from schemas.checkpoint import CheckpointManifest
from training import checkpoint
from training.result import Result
from training.running import process
from training.running.fit import Report
from training.running.workspace import Workspace


@dataclass(frozen=True)
class Done:
    """What the work of a training gives back.

    Attributes:
        made: what is to be written.
        resumed_from: step it started at.
    """

    made: checkpoint.Made
    resumed_from: int


def session(
    identity: str,
    out: Path,
    report: Report,
    work: Callable[[Workspace, Path | None], Done],
    *,
    replace: bool,
    timeout_s: int,
) -> Result:
    """Do the work of a training unless it is done already, and write its checkpoint.

    Under torchrun every process calls this with the same arguments; the first one writes and reports.

    Args:
        identity: names the training; the same identity resumes or is done.
        out: folder of the model.
        report: called in the first process with every event.
        work: trains in a workspace, from a resumable checkpoint if one is given.
        replace: put the model in the place of one of another identity.
        timeout_s: seconds that processes wait for one another.

    Raises:
        TrainingError: if another training is in the folder, or another model is in the place and not to be replaced.
    """
    with process.group(timeout_s):
        if done := process.decide(lambda: checkpoint.finished(out, identity, replace=replace)):
            if process.rank() == 0:
                report({"event": "finished", "step": done.resumed_from, "folder": str(out)})
            return done
        workspace = Workspace.beside(out)
        with workspace.locked() if process.rank() == 0 else nullcontext():
            resume = process.decide(lambda: workspace.claim(identity, replace=replace))
            done_now = work(workspace, resume)
            manifest = process.decide(lambda: _conclude(out, workspace, done_now.made, report))
    made = done_now.made
    return Result(out.name, out, manifest, made.metrics, made.volumes, done_now.resumed_from)


def _conclude(out: Path, workspace: Workspace, made: checkpoint.Made, report: Report) -> CheckpointManifest:
    manifest = checkpoint.write(out, made)
    workspace.clear()
    report({"event": "finished", "step": made.steps, "folder": str(out)})
    return manifest


def summary(workspace: Workspace, batch_size: int) -> dict[str, Any]:
    """Numbers of a training from what it reported, resumed parts included.

    Args:
        workspace: where it was reported.
        batch_size: samples a step, all processes together.

    Returns:
        Final loss, mean speed over the steps, shares of waiting and padding, and the curve of (step, loss).
    """
    steps = workspace.steps()
    if not steps:
        return {"curve": []}
    counts = np.diff([0, *(event["step"] for event in steps)]) * batch_size
    seconds = np.array([n / event["samples_per_s"] for n, event in zip(counts, steps, strict=True)])
    tokens = np.array([event["tokens_per_s"] for event in steps]) * seconds
    waits = np.array([event["data_wait"] for event in steps]) * seconds
    return {
        "final_loss": steps[-1]["loss"],
        "seconds": float(seconds.sum()),
        "samples_per_s": float(counts.sum() / seconds.sum()),
        "tokens_per_s": float(tokens.sum() / seconds.sum()),
        "data_wait": float(waits.sum() / seconds.sum()),
        "padding": max(event["padding"] for event in steps),
        "curve": [[event["step"], event["loss"]] for event in steps],
    }
