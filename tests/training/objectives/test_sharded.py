"""A sharded student and its sharded teacher (FSDP2) are what whole ones are.

One process shards to itself: weights are gathered into memory of their own before a pass and given back after it, as
among many, so that what is changed of a gathered copy is lost here too.
"""

import pytest
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule

from training.running.strategy import gather, shard, units


@pytest.fixture
def alone():
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    distributed.destroy_process_group()


@pytest.mark.parametrize("objectives", [{"distillation": 1.0}, {"distillation": 1.0, "masked": 0.5}])
def test_a_sharded_teacher_follows_its_sharded_student(alone, configure, objective_of, batch_of, descend, objectives):
    config = configure(objectives, strategy="fsdp")
    whole, parted = objective_of(config), objective_of(config)
    first = [parameter.clone() for parameter in whole.kept.parameters()]
    shard(parted, alone)
    teacher = parted.objectives["distillation"].teacher
    assert all(isinstance(unit, FSDPModule) for unit in units(teacher))
    windows = batch_of(config, whole)
    losses = [descend(objective, windows, count=4) for objective in (whole, parted)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    gather(parted)
    for before, wanted, found in zip(first, whole.kept.parameters(), parted.kept.parameters(), strict=True):
        assert not torch.equal(before, wanted), "it moved"
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
