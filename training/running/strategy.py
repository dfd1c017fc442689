"""How the processes of a training share a model, and the trainer that runs its steps.

Belongs here: what is chosen by `strategy`, and what of Lightning is switched off. What a step does is
`training.running.learner`.
"""

import datetime as dt
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import nn

from training.config.schedule import Schedule
from training.errors import TrainingError
from training.running import process


class _Steps(_TrainingEpochLoop):
    """Lightning's loop without its exchange at every batch, which makes the host wait for the GPU.

    It asks whether a process was told to stop; `training.running.learner` asks the same, with numbers of the host.
    """

    def _broadcast_sigterm_tensor(self) -> None:
        """Nothing."""


def make_trainer(config: Schedule, callbacks: list[pl.Callback]) -> pl.Trainer:
    """The trainer of these processes: no logger, no checkpoint, no bar of its own.

    Raises:
        TrainingError: if `fsdp` is asked for without torchrun.
    """
    world, local = process.world_size(), process.local_world_size()
    trainer = pl.Trainer(
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=local,
        num_nodes=world // local,
        strategy=_strategy(config),
        max_steps=config.steps,
        max_epochs=-1,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=callbacks,
    )
    trainer.fit_loop.epoch_loop = _Steps(trainer, max_steps=config.steps)
    return trainer


def _strategy(config: Schedule) -> Strategy | str:
    world, timeout = process.world_size(), dt.timedelta(seconds=config.timeout_s)
    if config.strategy == "fsdp":
        if not process.under_torchrun():
            raise TrainingError(
                "strategy: found fsdp in a process alone, needed processes of torchrun; use ddp, or more ranks"
            )
        found: Any = ModelParallelStrategy(data_parallel_size=world, tensor_parallel_size=1, timeout=timeout)
        found.cluster_environment = TorchElasticEnvironment()
        return found
    if world == 1:
        return "auto"
    return DDPStrategy(cluster_environment=TorchElasticEnvironment(), timeout=timeout, gradient_as_bucket_view=True)


def units(module: nn.Module) -> list[nn.Module]:
    """What is sharded together: the members of module lists, such as the blocks of a transformer; innermost first."""
    lists = [part for part in module.modules() if isinstance(part, nn.ModuleList)]
    found = [member for part in lists for member in part if any(True for _ in member.parameters())]
    return found[::-1]


def shard(module: nn.Module, mesh: Any) -> None:
    """Leave each process its shard of every parameter (FSDP2): each unit for itself, then what is left.

    Source: Zhao et al., PyTorch FSDP, VLDB 2023, in the form of `torch.distributed.fsdp.fully_shard`.
    """
    from torch.distributed.fsdp import fully_shard

    for unit in units(module):
        fully_shard(unit, mesh=mesh)
    fully_shard(module, mesh=mesh)


def gather(module: nn.Module) -> None:
    """Give a sharded module whole parameters again, on every process; it is to be read from now on, not to be run."""
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor

    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()
    for name, shard in list(module.named_parameters()):
        assert isinstance(shard, DTensor), "every parameter was sharded"
        owner, _, leaf = name.rpartition(".")
        whole = nn.Parameter(shard.full_tensor().detach(), requires_grad=shard.requires_grad)
        setattr(module.get_submodule(owner), leaf, whole)
