"""The process that a model asset starts: a training whose progress goes back through Dagster Pipes.

Belongs here: translating reports into Pipes messages. It runs under `torchrun`; only the first rank speaks.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_pipes import PipesContext, open_dagster_pipes

_PLOTTED = ("loss", "samples_per_s", "tokens_per_s", "data_wait", "padding")


def main(job: Path) -> int:
    """Run the job; 0 when it is finished and recorded."""
    if os.environ.get("RANK", "0") != "0":
        from training.run import run

        run(job, lambda _event: None)
        return 0
    with open_dagster_pipes() as pipes:
        return _first_rank(pipes, job)


def _first_rank(pipes: PipesContext, job: Path) -> int:
    from training.record import record
    from training.run import run

    def report(event: Mapping[str, Any]) -> None:
        numbers = ", ".join(f"{name} {event[name]:.4g}" for name in _PLOTTED if name in event)
        place = f" {event['step']} of {event['steps']}" if "step" in event and "steps" in event else ""
        pipes.log.info(f"{event['event']}{place}{': ' + numbers if numbers else ''}")

    result = run(job, report)
    record(job, result)
    pipes.report_asset_materialization(metadata=_metadata(result.folder, result.metrics, result.resumed_from))
    return 0


def _metadata(folder: Path, metrics: Mapping[str, Any], resumed_from: int) -> dict[str, Any]:
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    return {"folder": {"raw_value": str(folder), "type": "path"}, "resumed_from": resumed_from, **numbers}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
