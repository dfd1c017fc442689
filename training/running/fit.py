"""Running the steps of a training with Lightning: optimizer, schedule, resuming, and what is measured on the way.

Belongs here: everything that pre-training and fine-tuning share. What is learned is given as a module that turns a
batch into losses; what is served is given as a data set of keys.
"""

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.utils.data import DataLoader, Dataset

from training.config.finetune import FinetuneConfig
from training.config.pretrain import PretrainConfig
from training.data.order import EndlessSampler
from training.errors import TrainingError
from training.running import process
from training.running.workspace import Workspace

Report = Callable[[Mapping[str, Any]], None]


class Losses(Protocol):
    """What a step needs of a batch's outcome."""

    @property
    def losses(self) -> Tensor:
        """(N,) loss of each sample."""

    @property
    def computed(self) -> int:
        """Tokens that were computed."""


@dataclass(frozen=True)
class Fitted:
    """What a training did.

    Attributes:
        resumed_from: step it started at.
        seconds: time of this process's steps, saving included.
    """

    resumed_from: int
    seconds: float


class Learner(pl.LightningModule):
    """Descends the mean loss of a module's samples."""

    def __init__(self, module: nn.Module, config: PretrainConfig | FinetuneConfig, groups: Mapping[str, float]) -> None:
        """Make a learner.

        Args:
            module: turns a batch into `Losses`.
            config: optimizer and schedule.
            groups: prefix of parameter names to their learning rate's share; the rest learns at the full rate.
        """
        super().__init__()
        self.module, self._config, self._groups = module, config, groups
        self.last: tuple[float, int, int] = (0.0, 0, 0)

    def training_step(self, batch: Any, _index: int) -> Tensor:
        """One step's loss; random numbers inside the model are a function of seed, step and rank."""
        place = np.random.SeedSequence([self._config.seed, self.global_step, self.global_rank])
        torch.manual_seed(int(place.generate_state(1)[0]))
        outcome: Losses = self.module(batch)
        loss = outcome.losses.mean()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"found a loss that is not finite at step {self.global_step + 1}, needed a number; lower "
                "learning_rate, or use precision: '32'"
            )
        self.last = (float(loss.detach()), len(outcome.losses), outcome.computed)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW with weight decay on matrices, linear warm-up and a cosine to zero."""
        config = self._config
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.module.named_parameters():
            if parameter.requires_grad:
                scale = next((share for prefix, share in self._groups.items() if name.startswith(prefix)), 1.0)
                groups.setdefault((scale, config.weight_decay * (parameter.ndim > 1)), []).append(parameter)
        optimizer = torch.optim.AdamW(
            [{"params": found, "lr": config.learning_rate * s, "weight_decay": d} for (s, d), found in groups.items()],
            betas=(0.9, 0.95),
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share(step, config))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def share(step: int, config: PretrainConfig | FinetuneConfig) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then a cosine to zero."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class Watch(pl.Callback):
    """Reports loss and speed, and saves where a training can start again."""

    def __init__(self, config: PretrainConfig | FinetuneConfig, workspace: Workspace, report: Report) -> None:
        """Make a watch; only the first process reports and writes."""
        self._config, self._workspace, self._report = config, workspace, report
        self._sums = np.zeros(5)  # loss * samples, samples, tokens, seconds, seconds waited for data
        self._since = self._ready = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clocks."""
        self._since = self._ready = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """What passed since the last step was spent waiting for data."""
        self._sums[4] += time.perf_counter() - self._ready

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count, report and save when it is time."""
        assert isinstance(pl_module, Learner), "only learners are watched"
        loss, samples, tokens = pl_module.last
        self._sums[:3] += loss * samples, samples, tokens
        step, config = trainer.global_step, self._config
        if step % config.report_every == 0 or step == config.steps:
            self._tell(step)
        if step % config.save_every == 0 and step < config.steps:
            self._save(trainer, step)
        self._ready = time.perf_counter()

    def _tell(self, step: int) -> None:
        now = time.perf_counter()
        self._sums[3] = now - self._since
        sums = [float(value) for value in summed(self._sums)]
        mean_seconds = sums[3] / process.world_size()
        event = {
            "event": "step",
            "step": step,
            "steps": self._config.steps,
            "loss": sums[0] / sums[1],
            "samples_per_s": sums[1] / mean_seconds,
            "tokens_per_s": sums[2] / mean_seconds,
            "data_wait": sums[4] / sums[3],
            "padding": 0.0,  # packed: no token that is computed is padding
        }
        if process.rank() == 0:
            self._workspace.note(event)
            self._report(event)
        self._sums[:] = 0
        self._since = now

    def _save(self, trainer: pl.Trainer, step: int) -> None:
        def save(path: Path) -> None:
            trainer.save_checkpoint(path)

        if process.rank() == 0:
            self._workspace.save(step, save)
            self._report({"event": "saved", "step": step})
        else:
            trainer.save_checkpoint(self._workspace.place(step))


def summed(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The sum over all processes."""
    if process.world_size() == 1:
        return values.copy()
    tensor = torch.from_numpy(values.copy())
    if distributed.get_backend() == "nccl":
        tensor = tensor.cuda()
    distributed.all_reduce(tensor)
    total: np.ndarray[Any, np.dtype[np.float64]] = tensor.cpu().numpy()
    return total


class Serving(pl.LightningDataModule):
    """Serves a data set of keys from the step at which the training stands."""

    def __init__(
        self, dataset: Dataset[Any], collate: Callable[[Sequence[Any]], Any], config: PretrainConfig | FinetuneConfig
    ) -> None:
        """Make a server of batches."""
        super().__init__()
        self._dataset, self._collate, self._config = dataset, collate, config

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of this process; Lightning restores the step before it asks."""
        assert self.trainer is not None, "asked by a trainer"
        config = self._config
        sampler = EndlessSampler(config.batch_size, self.trainer.global_step, process.rank(), process.world_size())
        return DataLoader(
            self._dataset,
            batch_sampler=sampler,
            collate_fn=self._collate,
            num_workers=config.workers,
            timeout=config.timeout_s if config.workers else 0,
            persistent_workers=bool(config.workers),
        )


def fit(
    module: nn.Module,
    dataset: Dataset[Any],
    collate: Callable[[Sequence[Any]], Any],
    config: PretrainConfig | FinetuneConfig,
    workspace: Workspace,
    report: Report,
    resume: Path | None,
    groups: Mapping[str, float] | None = None,
) -> Fitted:
    """Train a module to the configured step.

    Args:
        module: turns a batch into `Losses`; holds the trained weights afterwards.
        dataset: from a key to a sample.
        collate: from samples to a batch.
        config: optimizer, schedule, reporting.
        workspace: where to save and note.
        report: called in the first process with every event.
        resume: resumable checkpoint to start at.
        groups: prefix of parameter names to their learning rate's share.
    """
    learner = Learner(module, config, groups or {})
    start = int(resume.stem.removeprefix("step-")) if resume else 0
    if process.rank() == 0:
        workspace.rewind(start)
        report({"event": "resumed" if resume else "start", "step": start, "steps": config.steps})
    begun = time.perf_counter()
    with quiet():
        trainer = _trainer(config, [Watch(config, workspace, report)])
        trainer.fit(learner, datamodule=Serving(dataset, collate, config), ckpt_path=resume, weights_only=True)
    return Fitted(start, time.perf_counter() - begun)


def _trainer(config: PretrainConfig | FinetuneConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    from lightning.pytorch.plugins.environments import TorchElasticEnvironment
    from lightning.pytorch.strategies import DDPStrategy

    world = process.world_size()
    cuda = torch.cuda.is_available()
    local = process.local_world_size()
    return pl.Trainer(
        accelerator="cuda" if cuda else "cpu",
        devices=local,
        num_nodes=world // local,
        strategy=DDPStrategy(cluster_environment=TorchElasticEnvironment()) if world > 1 else "auto",
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        max_steps=config.steps,
        max_epochs=-1,
        gradient_clip_val=config.clip,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=callbacks,
    )


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
