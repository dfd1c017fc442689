"""Serving batches from the step at which a training stands.

Belongs here: loaders and their processes. The order of samples is `training.data.order`.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset

from training.config.schedule import Schedule
from training.data.order import EndlessSampler, EqualSteps, Steps
from training.running import process


class Serving(pl.LightningDataModule):
    """Serves a data set of keys."""

    def __init__(
        self,
        dataset: Dataset[Any],
        collate: Callable[[Sequence[Any]], Any],
        config: Schedule,
        steps: Steps | None = None,
    ) -> None:
        """Make a server of batches.

        Args:
            dataset: from a key to a sample.
            collate: from samples to a batch.
            config: of the training.
            steps: how the order is cut; None: into steps of `batch_size` samples.
        """
        super().__init__()
        self._dataset, self._collate, self._config = dataset, collate, config
        self._steps = steps or EqualSteps(config.batch_size)

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of this process; Lightning restores the step before it asks."""
        assert self.trainer is not None, "asked by a trainer"
        config = self._config
        sampler = EndlessSampler(self._steps, self.trainer.global_step, process.rank(), process.world_size())
        return DataLoader(
            self._dataset,
            batch_sampler=sampler,
            collate_fn=self._collate,
            num_workers=config.workers,
            timeout=config.timeout_s if config.workers else 0,
            persistent_workers=bool(config.workers),
            worker_init_fn=_apart if config.workers else None,
            pin_memory=torch.cuda.is_available(),
        )


def _apart(_worker: int) -> None:
    """Let a loader process end with its trainer and not before it.

    torchrun sends SIGTERM to the trainer's whole process group; the trainer still needs its loaders to finish the step.
    """
    os.setpgid(0, 0)
    process.die_with_parent()
