"""What happens around the steps: reports, probes, alarms, saving, and stopping when told to.

Belongs here: when, and who is told. Numbers come from `training.running.meters`, what is written from
`training.running.resumable`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from torch import nn

from training.config.schedule import Schedule
from training.running import process
from training.running.interruption import Stopped
from training.running.learner import Learner
from training.running.meters import Meters
from training.running.sinks import Sink, numbers_of
from training.running.workspace import Workspace

Report = Callable[[Mapping[str, Any]], None]
"""Called in the first process with every event, a mapping of plain values."""

Exposure = Callable[[int], Mapping[str, int]]
"""From steps done to how many samples each volume served."""

Probe = Callable[[nn.Module], Mapping[str, float]]
"""From the module in training to what its features know; called in every process, it disturbs no random numbers."""

COLLAPSED_RANK = 2.0
"""Effective rank of the features below which they say the same of every volume."""


class Watch(pl.Callback):
    """Watches a training, and saves where it can start again."""

    def __init__(
        self,
        config: Schedule,
        workspace: Workspace,
        report: Report,
        meters: Meters,
        sinks: Sequence[Sink],
        exposure: Exposure | None = None,
        probe: Probe | None = None,
    ) -> None:
        """Make a watch; only the first process reports and writes."""
        self._config, self._workspace, self._report = config, workspace, report
        self._meters, self._sinks = meters, sinks
        self._exposure, self._probe = exposure, probe
        self._alarmed: set[str] = set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen to signals, after Lightning, whose own way waits for the other processes inside a handler."""
        _learner(pl_module).interruption.listen()
        self._meters.start()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """The batch is here."""
        self._meters.served()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report, probe and save when it is time, or when the training is to stop.

        Raises:
            Stopped: if a process was told to stop.
        """
        learner, step, config = _learner(pl_module), trainer.global_step, self._config
        stop = learner.stopping and step < config.steps
        last, saving = step == config.steps, step % config.save_every == 0 and step < config.steps
        if last or stop or step % config.report_every == 0:
            self._tell(learner, step)
        if self._probe and config.probe_every and (last or step % config.probe_every == 0):
            self._ask(learner, step)
        if saving or stop:
            learner.check(step)
            self._save(trainer, step)
        if stop:
            self._emit({"event": "stopped", "step": step, "steps": config.steps})
            raise Stopped(
                f"the training was told to stop and saved step {step} of {config.steps}; run the same job again to "
                "resume it"
            )
        self._meters.stepped()

    def _tell(self, learner: Learner, step: int) -> None:
        learner.check(step)
        event = self._meters.read(learner.drain(), step)
        if self._config.device_hour_price:
            event["cost"] = event["device_hours"] * self._config.device_hour_price
        self._note(event)
        alarms = getattr(learner.module, "alarms", None)
        if alarms is not None:
            self._alarm(step, alarms(event["monitors"]))

    def _ask(self, learner: Learner, step: int) -> None:
        assert self._probe is not None, "asked only where there is one"
        found = dict(self._probe(learner.module))
        self._note({"event": "probe", "step": step, "steps": self._config.steps, "probe": found})
        if found.get("effective_rank", COLLAPSED_RANK) < COLLAPSED_RANK:
            self._alarm(step, [f"collapse: the features' effective rank is below {COLLAPSED_RANK:g}"])

    def _alarm(self, step: int, reasons: Sequence[str]) -> None:
        """Tell what is wrong, once each."""
        for reason in reasons:
            if reason not in self._alarmed:
                self._alarmed.add(reason)
                self._note({"event": "alarm", "step": step, "reason": reason})

    def _note(self, event: Mapping[str, Any]) -> None:
        if process.rank() == 0:
            self._workspace.note(event)
            for sink in self._sinks:
                sink.take(int(event["step"]), numbers_of(event))
        self._emit(event)

    def _emit(self, event: Mapping[str, Any]) -> None:
        if process.rank() == 0:
            self._report(event)

    def _save(self, trainer: pl.Trainer, step: int) -> None:
        """Every process takes part: a sharded checkpoint is written by all."""
        resumable = self._workspace.resumable
        if process.rank() != 0:
            trainer.save_checkpoint(resumable.building(step))
            return
        self._workspace.check()
        exposure = self._exposure(step) if self._exposure else None
        resumable.save(step, lambda path: _write(trainer, path), exposure)
        resumable.prune(self._config.keep_last, self._config.keep_every)
        self._emit({"event": "saved", "step": step})


def _write(trainer: pl.Trainer, path: Path) -> None:
    """Write a resumable checkpoint.

    Raises:
        OSError: if it cannot be written.
    """
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        trainer.save_checkpoint(path)
    except CheckpointException as error:  # of shards, whatever is wrong with the disk of whichever process
        raise OSError(str(error)) from error
    except RuntimeError as error:
        if "PytorchStreamWriter" not in str(error):
            raise
        raise OSError(str(error)) from error


def _learner(module: pl.LightningModule) -> Learner:
    assert isinstance(module, Learner), "only learners are watched"
    return module
