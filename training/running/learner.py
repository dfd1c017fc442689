"""One step of a training: parts of the batch, their gradient, the optimizer, and the running mean.

Belongs here: what is done to the weights. What is learned is a module that turns windows into losses; when to report
and to save is `training.running.watch`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from training.config.schedule import Schedule
from training.data.batch import Windows
from training.data.raw import Raw
from training.errors import TrainingError
from training.running import parts, process
from training.running.average import RunningMean
from training.running.interruption import Interruption
from training.running.strategy import shard


class Losses(Protocol):
    """What a step needs of a batch's outcome.

    It may also have `parts` and `monitors`, names to 0-dimensional tensors without gradient, which are reported as
    means over the samples; and `padded`, how many of the computed tokens are padding.
    """

    @property
    def losses(self) -> Tensor:
        """(S,) loss of each sample."""

    @property
    def computed(self) -> int:
        """Tokens that were computed."""


@dataclass
class Tally:
    """What a process did since it was last asked. Tensors stay on the device, so that counting does not wait for it.

    Attributes:
        losses: sum of the losses of each part of a step.
        samples: samples served.
        computed: tokens that were computed.
        padded: those of them that are padding.
        shown: name to values with the samples that each is a mean over.
    """

    losses: list[Tensor] = field(default_factory=list)
    samples: int = 0
    computed: int = 0
    padded: int = 0
    shown: dict[str, list[tuple[Tensor, int]]] = field(default_factory=dict)

    def add(self, outcome: Losses) -> None:
        """Count a part of a step."""
        count = len(outcome.losses)
        self.losses.append(outcome.losses.detach().sum())
        self.samples += count
        self.computed += outcome.computed
        self.padded += int(getattr(outcome, "padded", 0))
        named = {**getattr(outcome, "parts", {}), **getattr(outcome, "monitors", {})}
        for name, value in named.items():
            self.shown.setdefault(name, []).append((value.detach(), count))

    def total(self) -> float:
        """Sum of the losses."""
        return float(torch.stack(self.losses).double().sum()) if self.losses else 0.0

    def sums(self) -> dict[str, tuple[float, int]]:
        """Name to the sum over samples, and their number."""
        found = {}
        for name, values in self.shown.items():
            means = torch.stack([value.float() for value, _ in values]).double().cpu()
            counts = torch.tensor([count for _, count in values], dtype=torch.float64)
            found[name] = (float((means * counts).sum()), int(counts.sum()))
        return found


class Learner(pl.LightningModule):
    """Descends the mean loss of a step's samples, however they are shared out to processes and parts.

    Each part's losses are summed, and the sum over parts and processes is divided by the number of samples before the
    optimizer steps: a mean of means would weigh samples by how many stood beside them.
    """

    def __init__(self, module: nn.Module, config: Schedule, groups: Mapping[str, float]) -> None:
        """Make a learner.

        Args:
            module: turns windows into `Losses`.
            config: optimizer and schedule.
            groups: prefix of parameter names to their learning rate's share; the rest learns at the full rate.
        """
        super().__init__()
        self.automatic_optimization = False
        self.module, self._config, self._groups = module, config, groups
        self.average: RunningMean | None = None
        self.tally = Tally()
        self.interruption = Interruption()
        self.stopping = False
        """Whether any process was told to stop, as all of them know after a step."""

    def configure_model(self) -> None:
        """Shard the model where it is to be, then start the running mean of what is trained."""
        if self._config.strategy == "fsdp" and not self._sharded:
            shard(self.module, self.device_mesh["data_parallel"])
        if self._config.ema and self.average is None:
            self.average = RunningMean(self._trained(), self._config.ema)

    @property
    def _sharded(self) -> bool:
        from torch.distributed.fsdp import FSDPModule

        return isinstance(self.module, FSDPModule)

    def _trained(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    def configure_optimizers(self) -> Any:
        """AdamW with weight decay on matrices, linear warm-up and a cosine to zero."""
        config = self._config
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.module.named_parameters():
            if parameter.requires_grad:
                scale = next((part for prefix, part in self._groups.items() if name.startswith(prefix)), 1.0)
                groups.setdefault((scale, config.weight_decay * (parameter.ndim > 1)), []).append(parameter)
        optimizer = torch.optim.AdamW(
            [{"params": found, "lr": config.learning_rate * s, "weight_decay": d} for (s, d), found in groups.items()],
            betas=(0.9, 0.95),
            fused=True,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share(step, config))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Windows, device: torch.device, dataloader_idx: int) -> Windows:
        """Copy a batch while the device still computes the last one."""
        return batch.to(device, non_blocking=True)

    def training_step(self, batch: Windows | Raw, _index: int) -> None:
        """Take one step; random numbers inside the model are a function of seed, step and rank."""
        windows = batch.on_device() if isinstance(batch, Raw) else batch
        step = self.global_step
        place = np.random.SeedSequence([self._config.seed, step, self.global_rank])
        torch.manual_seed(int(place.generate_state(1)[0]))
        every = self._parts(windows)
        before = self.tally.samples
        for number, part in enumerate(every, 1):
            self._exchange_gradients(number == len(every))
            self._descend(part, step)
        told = process.gathered([self.tally.samples - before, self.interruption.told])
        self.stopping = bool(told[:, 1].any())
        self._update(int(told[:, 0].sum()))

    def _parts(self, batch: Windows) -> list[Windows]:
        """The batch in as many parts as the fullest process needs: objectives speak to one another in each."""
        if not self._config.micro_tokens:
            return [batch]
        tokens = [sum(batch.tokens.lengths[i] for i in group) for group in parts.samples_of(batch)]
        wanted = process.gathered([parts.needed(tokens, self._config.micro_tokens), len(tokens)])
        return parts.split(batch, int(min(wanted[:, 0].max(), wanted[:, 1].min())))

    def _descend(self, part: Windows, step: int) -> None:
        with torch.autocast(
            self.device.type,
            torch.bfloat16,
            enabled=self._config.precision == "bf16",
            cache_enabled=not self._sharded,  # shards come and go, copies of them must not stay
        ):
            outcome: Losses = self.module(part)
        self.tally.add(outcome)
        if self.device.type == "cpu":  # a GPU is asked at the next report, before anything is saved
            self.check(step + 1)
        self.manual_backward(outcome.losses.sum() * self._weight)

    @property
    def _weight(self) -> float:
        """What a sample's loss counts where all processes serve alike; their gradients are averaged."""
        return process.world_size() / self._config.batch_size

    def check(self, step: int) -> None:
        """Refuse to go on with a loss that is no number.

        Raises:
            TrainingError: if a loss since the last drain is not finite.
        """
        if not math.isfinite(self.tally.total()):
            raise TrainingError(
                f"found a loss that is not finite at or before step {step}, needed a number; lower learning_rate, or "
                "use precision: '32'"
            )

    def _exchange_gradients(self, last: bool) -> None:
        """Gradients travel once a step, with its last part."""
        if self._sharded:
            self.module.set_requires_gradient_sync(last)  # type: ignore[operator]
        elif isinstance(wrapped := self.trainer.strategy.model, nn.parallel.DistributedDataParallel):
            wrapped.require_backward_grad_sync = last

    def _update(self, samples: int) -> None:
        optimizer, trained = self.optimizers(), self._trained()
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        if samples != self._config.batch_size:
            torch._foreach_mul_(gradients, self._config.batch_size / samples)
        nn.utils.clip_grad_norm_(trained, self._config.clip)
        optimizer.step()
        optimizer.zero_grad()
        self.lr_schedulers().step()
        if self.average is not None:
            self.average.update(trained, self.global_step)

    def drain(self) -> Tally:
        """What was done since the last drain, and begin anew."""
        done, self.tally = self.tally, Tally()
        return done

    def conclude(self) -> None:
        """Leave in the module what is to be kept: the running mean where there is one."""
        if self.average is not None:
            self.average.put(self._trained())


def share(step: int, config: Schedule) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then a cosine to zero.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, without restarts.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
