"""The process that a model asset starts: a training whose progress goes back through Dagster Pipes.

Belongs here: translating reports into Pipes messages. It runs under `torchrun`; only the first rank speaks.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_pipes import open_dagster_pipes

_ROOMS = ("schemas", "lake", "lineage", "training")

_TOLD = ("loss", "mean_dice", "samples_per_s", "tokens_per_s", "data_wait", "padding", "mfu", "effective_rank")
"""Numbers of an event that a line of progress shows."""


REASON = ".reason"
"""Suffix of the file beside the job that says, for people, why it could not be done."""


def main(job: Path) -> int:
    """Run the job to its end, or write down why it cannot be done; any other code than 0 is a lost process."""
    from training.running.process import die_with_parent

    die_with_parent()
    try:
        _run(job)
    # what our rooms raise for wrong documents, releases, terms and trainings; all else is a defect and shows its trace
    except (ValueError, PermissionError, FileNotFoundError) as error:
        if type(error).__module__.split(".")[0] not in _ROOMS:
            raise
        job.with_suffix(REASON).write_text(str(error), encoding="utf-8")
    return 0


def _run(job: Path) -> None:
    from training.run import run

    if os.environ.get("RANK", "0") != "0":
        run(job, lambda _event: None)
        return
    with open_dagster_pipes() as pipes:
        result = run(job, lambda event: pipes.log.info(line(event)))
        numbers = flat(result.metrics)
        place = {"folder": {"raw_value": str(result.folder), "type": "path"}}
        alarms = {"alarms": "; ".join(reasons)} if (reasons := result.metrics.get("alarms")) else {}
        pipes.report_asset_materialization(metadata={**place, "resumed_from": result.resumed_from, **numbers, **alarms})


def line(event: Mapping[str, Any]) -> str:
    """An event as a line of progress."""
    shown = {**event, **event.get("probe", {})}
    numbers = [f"{name} {shown[name]:.4g}" for name in _TOLD if isinstance(shown.get(name), int | float)]
    reason = f" ({event['reason']})" if "reason" in event else ""
    place = f" {event['step']} of {event['steps']}" if "steps" in event and "step" in event else ""
    model = f" {event['checkpoint']}" if "checkpoint" in event else ""
    return f"{event['event']}{model}{place}{reason}{': ' if numbers else ''}{', '.join(numbers)}"


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, int | float | str]:
    """Numbers of nested metrics under dotted names; longer lists are left to the files."""
    found: dict[str, int | float | str] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = value
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
