"""The frame of every training: one at a time in a folder, resumed if it can be, written at once when it is done.

Belongs here: what pre-training and fine-tuning do alike around their work.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from schemas.checkpoint import CheckpointManifest
from training import checkpoint
from training.result import Result
from training.running import curves, hardware, process
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
    workspace.check()
    used = totals(workspace)
    events = workspace.events()
    files = {curves.TABLE: curves.table(events).encode()}
    if (drawn := curves.picture(events)) is not None:
        files[curves.PICTURE] = drawn
    manifest = checkpoint.write(out, changed(made, used=used, files={**made.files, **files}))
    workspace.clear()
    report({"event": "finished", "step": made.steps, "folder": str(out)})
    return manifest


def totals(workspace: Workspace) -> checkpoint.Used:
    """What a training took, resumed parts included."""
    steps = workspace.steps()
    costs = [event["cost"] for event in steps if "cost" in event]
    return checkpoint.Used(
        hardware=f"{process.world_size()} x {hardware.described()}",
        device_hours=sum(event["device_hours"] for event in steps),
        cost=sum(costs) if costs else None,
    )


def summary(workspace: Workspace) -> dict[str, Any]:
    """Numbers of a training from what it reported, resumed parts included.

    Args:
        workspace: where it was reported.

    Returns:
        Final loss, means over the time of all steps (speed, waiting, utilisation), shares and totals, the last of what
        the objective and the probe showed, alarms, and the curve of (step, loss).
    """
    events = workspace.events()
    steps = [event for event in events if event["event"] == "step"]
    if not steps:
        return {"curve": []}
    seconds = sum(event["seconds"] for event in steps)
    computed = sum(event["tokens"] for event in steps)
    costs = [event["cost"] for event in steps if "cost" in event]
    return {
        "final_loss": steps[-1]["loss"],
        "seconds": seconds,
        "samples_per_s": sum(event["samples"] for event in steps) / seconds,
        "tokens_per_s": computed / seconds,
        "data_wait": sum(event["data_wait"] * event["seconds"] for event in steps) / seconds,
        "mfu": sum(event["mfu"] * event["seconds"] for event in steps) / seconds,
        "padding": sum(event["padding"] * event["tokens"] for event in steps) / max(1, computed),
        "memory_gib": max(event["memory_gib"] for event in steps),
        "device_hours": sum(event["device_hours"] for event in steps),
        **({"cost": sum(costs)} if costs else {}),
        "monitors": steps[-1]["monitors"],
        **_last_probe(events),
        "alarms": [event["reason"] for event in events if event["event"] == "alarm"],
        "curve": [[event["step"], event["loss"]] for event in steps],
    }


def _last_probe(events: list[dict[str, Any]]) -> Mapping[str, Any]:
    found = [event["probe"] for event in events if event["event"] == "probe"]
    return {"probe": found[-1]} if found else {}
