"""What the processes of a training tell one another inside a step: sums, and rows of all with their gradient.

Belongs here: exchanges that objectives need. Without a process group each is what one process alone would have.
"""

from typing import Any

import torch
from torch import Tensor, distributed


def world_size() -> int:
    """Processes that exchange."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, without gradient."""
    total = tensor.detach().clone()
    if world_size() > 1:
        distributed.all_reduce(total)
    return total


def gathered(rows: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes in the order of ranks, and where this process's begin.

    Numbers of rows may differ. The gradient of a row is the sum of what all processes' losses make of it, so that the
    mean gradient over processes is that of the mean loss.

    Args:
        rows: (n, ...) of this process.

    Returns:
        (sum of n, ...) rows, and the place of this process's first.
    """
    if world_size() == 1:
        return rows, 0
    counts = torch.zeros(world_size(), dtype=torch.int64, device=rows.device)
    counts[distributed.get_rank()] = len(rows)
    distributed.all_reduce(counts)
    sizes = [int(count) for count in counts]
    everything: Tensor = _Gather.apply(rows, sizes)
    return everything, sum(sizes[: distributed.get_rank()])


class _Gather(torch.autograd.Function):
    """Rows of all processes; shorter parts travel padded to the longest."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total.split(ctx.sizes)[distributed.get_rank()], None
