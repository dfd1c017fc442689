"""Where curves go while a training runs: TensorBoard where it is installed, MLflow where it is configured.

Belongs here: one class for each. The progress of the workspace is always written, and a table of it ends up beside the
model (`training.running.curves`).
"""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from training.config.schedule import Schedule
from training.errors import TrainingError
from training.running.files import write_atomically
from training.running.workspace import Workspace

_NOT_CURVES = frozenset({"step", "steps"})


class Sink(Protocol):
    """Takes the numbers of reports."""

    def take(self, step: int, numbers: Mapping[str, float]) -> None:
        """Numbers of a step by name."""

    def close(self) -> None:
        """No more comes."""


def numbers_of(event: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of an event, those of sections under dotted names."""
    found: dict[str, float] = {}
    for name, value in event.items():
        if isinstance(value, Mapping):
            found |= numbers_of(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and name not in _NOT_CURVES:
            found[f"{prefix}{name}"] = float(value)
    return found


class TensorBoard:
    """Writes event files that TensorBoard reads."""

    def __init__(self, folder: Path, start: int) -> None:
        """Go on at a step; what was written after it is hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=start + 1)

    def take(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write numbers of a step."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Have all of it in the file."""
        self._writer.close()


class MLflow:
    """Reports to a tracking server or folder, and to no other place."""

    def __init__(self, uri: str, name: str, folder: Path, settings: Mapping[str, Any]) -> None:
        """Begin a run, or go on with the one whose name lies in the folder.

        Args:
            uri: where to report to.
            name: of the run.
            folder: of the training.
            settings: configuration to show, in the order of its fields.

        Raises:
            TrainingError: if MLflow is not installed.
        """
        if find_spec("mlflow") is None:
            raise TrainingError(
                "mlflow: found no package mlflow, needed it to report there; pip install mlflow-skinny, or leave "
                "mlflow out of the configuration"
            )
        self._client: Any = import_module("mlflow.tracking").MlflowClient(tracking_uri=uri)
        place = folder / "mlflow.json"
        if place.is_file():
            self._run = str(json.loads(place.read_text(encoding="utf-8"))["run"])
            return
        experiment = self._client.get_experiment_by_name("larmor")
        identity = experiment.experiment_id if experiment else self._client.create_experiment("larmor")
        self._run = self._client.create_run(identity, run_name=name).info.run_id
        for field, value in settings.items():
            self._client.log_param(self._run, field, str(value)[:500])
        write_atomically(place, json.dumps({"run": self._run}).encode())

    def take(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report numbers of a step."""
        for name, value in numbers.items():
            self._client.log_metric(self._run, name, value, step=step)

    def close(self) -> None:
        """Say that the run is over."""
        self._client.set_terminated(self._run)


def sinks(config: Schedule, workspace: Workspace, start: int) -> list[Sink]:
    """Where this training's curves go beside its own progress file.

    Raises:
        TrainingError: if MLflow is configured and not installed.
    """
    return list(_sinks(config, workspace, start))


def _sinks(config: Schedule, workspace: Workspace, start: int) -> Iterator[Sink]:
    if config.mlflow:
        yield MLflow(config.mlflow, workspace.folder.name, workspace.folder, config.model_dump(mode="json"))
    if config.tensorboard and find_spec("tensorboard"):
        yield TensorBoard(workspace.tensorboard, start)
