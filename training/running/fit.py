"""Running the steps of a training: what is learned and what is served come together, resumed where it was killed.

Belongs here: the way from a module and a data set to trained weights, which pre-training and fine-tuning share. A step
is `training.running.learner`, what happens around it `training.running.watch`.
"""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from training.config.schedule import Schedule
from training.data.order import Steps
from training.errors import TrainingError
from training.running import process
from training.running.flops import FlopMeter
from training.running.interruption import given_back
from training.running.learner import Learner
from training.running.meters import Meters
from training.running.resumable import step_of
from training.running.serving import Serving
from training.running.sinks import sinks
from training.running.strategy import gather, make_trainer
from training.running.watch import Exposure, Probe, Report, Watch
from training.running.workspace import Workspace

__all__ = ["Exposure", "Fitted", "Probe", "Report", "fit"]


@dataclass(frozen=True)
class Fitted:
    """What a training did.

    Attributes:
        resumed_from: step it started at.
        seconds: time of this process's steps, saving included.
    """

    resumed_from: int
    seconds: float


def fit(
    module: nn.Module,
    dataset: Dataset[Any],
    collate: Callable[[Sequence[Any]], Any],
    config: Schedule,
    workspace: Workspace,
    report: Report,
    resume: Path | None,
    groups: Mapping[str, float] | None = None,
    *,
    steps: Steps | None = None,
    exposure: Exposure | None = None,
    probe: Probe | None = None,
) -> Fitted:
    """Train a module to the configured step.

    Args:
        module: turns a batch into `training.running.learner.Losses`; holds what is to be kept afterwards, the running
            mean of the weights where there is one.
        dataset: from a key to a sample.
        collate: from samples to a batch.
        config: optimizer, schedule, reporting.
        workspace: where to save and note.
        report: called in the first process with every event.
        resume: resumable checkpoint to start at.
        groups: prefix of parameter names to their learning rate's share.
        steps: how the order of samples is cut into steps; None: `batch_size` samples each.
        exposure: what each resumable checkpoint was trained on, for its record.
        probe: asked every `probe_every` steps what the features know.

    Raises:
        TrainingError: if a loss is not finite, a loader process was lost, or there is no room to save.
        Stopped: if the training was told to stop; what was done is saved.
    """
    learner = Learner(module, config, groups or {})
    start = step_of(resume) if resume else 0
    told = sinks(config, workspace, start) if process.rank() == 0 else []
    if process.rank() == 0:
        workspace.rewind(start)
        report({"event": "resumed" if resume else "start", "step": start, "steps": config.steps})
    begun = time.perf_counter()
    flops = FlopMeter(module)
    try:
        watch = Watch(config, workspace, report, Meters(config, flops), told, exposure, probe)
        with quiet(), given_back(), _loaders_explained(config):
            trainer = make_trainer(config, [watch])
            served = Serving(dataset, collate, config, steps)
            trainer.fit(learner, datamodule=served, ckpt_path=resume, weights_only=True)
    finally:
        flops.close()
        for sink in told:
            sink.close()
    learner.conclude()
    if config.strategy == "fsdp":
        gather(module)
    return Fitted(start, time.perf_counter() - begun)


@contextmanager
def _loaders_explained(config: Schedule) -> Iterator[None]:
    """Say what the loss of a loader process means, and what went wrong in one without its trace."""
    try:
        yield
    except TrainingError as error:
        if not str(error).startswith("Caught "):
            raise
        raise type(error)(str(error).rsplit(f"{type(error).__name__}: ", 1)[-1].strip()) from error
    except (RuntimeError, ConnectionError, EOFError) as error:
        # a process that dies while it hands a batch over breaks the connection before anybody looks for the process
        broken = config.workers > 0 and not isinstance(error, RuntimeError)
        lost = broken or "DataLoader worker" in str(error)
        if not lost and "DataLoader timed out" not in str(error):
            raise
        found = "a loader process gone" if lost else f"no batch within {config.timeout_s} s"
        raise TrainingError(
            f"found {found}, needed it to go on; it may have run out of memory: use fewer workers, or a smaller "
            "crop_mm. Run the same job again to resume it"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice and banners out of the log of a training; warnings of our own pass."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
