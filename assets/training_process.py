"""The process that a model asset starts: a training whose progress goes back through Dagster Pipes.

Belongs here: translating reports into Pipes messages. It runs under `torchrun`; only the first rank speaks. On this
machine the model is put on the record here. Away from home, where the restricted and the audit zone are out of reach,
it is only made; whoever collects it records it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from dagster_pipes import PipesContext, PipesMappingParamsLoader, open_dagster_pipes

_ROOMS = ("schemas", "lake", "lineage", "training")

_TOLD = ("loss", "mean_dice", "samples_per_s", "tokens_per_s", "data_wait", "padding", "mfu", "effective_rank")
"""Numbers of an event that a line of progress shows."""


# what our rooms raise for wrong documents, releases, terms and trainings; all else is a defect and shows its trace
_SAID = (ValueError, PermissionError, FileNotFoundError)

REASON = ".reason"
"""Suffix of the file beside the job that says, for people, why it could not be done."""


BOOTSTRAP = "pipes.json"
"""Document beside the job of a training away from home: the variables that open Pipes, as a JSON object."""


def main(job: Path) -> int:
    """Run the job to its end, or write down why it cannot be done; any other code than 0 is a lost process."""
    from training.running.process import die_with_parent

    die_with_parent()
    if (opens := job.with_name(BOOTSTRAP)).is_file():
        return _away(job, opens)
    try:
        _run(job)
    except _SAID as error:
        if not _ours(error):
            raise
        job.with_suffix(REASON).write_text(str(error), encoding="utf-8")
    return 0


def _run(job: Path) -> None:
    from training.run import run

    if os.environ.get("RANK", "0") != "0":
        run(job, lambda _event: None)
        return
    with open_dagster_pipes() as pipes:
        _told(pipes, run(job, lambda event: pipes.log.info(line(event))))


def _away(job: Path, opens: Path) -> int:
    """Run the job away from home; 75: told to stop, and saved, 1: it cannot be done, which a message says."""
    from training.running.interruption import EXIT_CODE, Stopped

    first = os.environ.get("RANK", "0") == "0"
    with _opened(opens) if first else nullcontext() as pipes:
        try:
            result = _made(job, lambda event: pipes.log.info(line(event)) if pipes else None, first)
        except Stopped:
            return EXIT_CODE
        except _SAID as error:
            if not _ours(error):
                raise
            if pipes:
                pipes.report_custom_message({"reason": str(error)})
            return 1
        if pipes:
            _told(pipes, result)
    return 0


def _opened(opens: Path) -> PipesContext:
    variables = json.loads(opens.read_text(encoding="utf-8"))
    return open_dagster_pipes(params_loader=PipesMappingParamsLoader(variables))


def _made(job: Path, report: Callable[[Mapping[str, Any]], None], first: bool) -> Any:
    """The model of a job, at its `out`, without a record."""
    from lake.releases import Release
    from lake.staging.stage import staging
    from lake.zones import Lake
    from training.run import do, read

    wanted = read(job)
    assert wanted.out is not None, "whoever launches a job says where its model is made"
    release = Release.open(Lake.open(wanted.root), wanted.release)
    if first:
        _outlive(wanted.out)
    with staging(release):
        return do(wanted, release, wanted.out, report)


def _outlive(out: Path) -> None:
    """Wait until a node that died in this training counts as dead; a job that is started again at once would not go."""
    from lake.stores.storage import Location
    from training.errors import BusyError
    from training.running.lease import HEARTBEAT_S, STALE_S, held
    from training.running.workspace import LEASE, Workspace

    deadline = time.monotonic() + STALE_S + HEARTBEAT_S
    while time.monotonic() < deadline:
        try:
            with held(Location(Workspace.beside(out).folder), LEASE):
                return
        except BusyError:
            time.sleep(HEARTBEAT_S / 3)


def _ours(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in _ROOMS


def _told(pipes: PipesContext, result: Any) -> None:
    """Report a model or an evaluation as a materialization."""
    numbers = flat(result.metrics)
    place = {"folder": {"raw_value": str(result.folder), "type": "path"}}
    alarms = {"alarms": "; ".join(reasons)} if (reasons := result.metrics.get("alarms")) else {}
    pipes.report_asset_materialization(metadata={**place, **alarms, **numbers, "resumed_from": result.resumed_from})


def line(event: Mapping[str, Any]) -> str:
    """An event as a line of progress."""
    shown = {**event, **event.get("probe", {})}
    numbers = [f"{name} {shown[name]:.4g}" for name in _TOLD if isinstance(shown.get(name), int | float)]
    reason = f" ({event['reason']})" if "reason" in event else ""
    place = f" {event['step']} of {event['steps']}" if "steps" in event and "step" in event else ""
    model = f" {event['checkpoint']}" if "checkpoint" in event else ""
    return f"{event['event']}{model}{place}{reason}{': ' if numbers else ''}{', '.join(numbers)}"


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, int | float | str]:
    """Numbers of nested metrics under dotted names, to five digits; all else is left to the files.

    Of an estimate, its mean: how many people it rests on and its interval belong to the whole, not to a plot.
    """
    found: dict[str, int | float | str] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            is_estimate = {"mean", "interval"} <= set(value)
            found |= flat({name: value["mean"]}, prefix) if is_estimate else flat(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            found[f"{prefix}{name}"] = float(f"{value:.5g}")
        elif isinstance(value, int) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = value
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
