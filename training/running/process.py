"""Processes of a training: which one this is, dying with the parent, and agreeing with the others.

Belongs here: rank, parent-death signal, the process group. Starting processes is `training.launch`.
"""

import ctypes
import datetime as dt
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, so that none trains on as an orphan (Linux only).

    Source: prctl(2), PR_SET_PDEATHSIG; it survives execve(2) but is not inherited by children.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the kernel knew
        os.kill(os.getpid(), signal.SIGKILL)


def under_torchrun() -> bool:
    """Whether torchrun started this process, alone or with others."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def rank() -> int:
    """Place of this process among those of the training, as torchrun says."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Processes of the training, as torchrun says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def group(timeout_s: int) -> Iterator[None]:
    """A process group for the time of a training; nothing where this process is the only one.

    Args:
        timeout_s: seconds that a process waits for the others in any exchange before it fails.
    """
    if world_size() == 1:
        yield
        return
    import torch
    from torch import distributed

    # numbers of the host are exchanged by gloo, so that agreeing on them never waits for a GPU
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=dt.timedelta(seconds=timeout_s))
    try:
        yield
    finally:
        distributed.destroy_process_group()


def decide(choose: Callable[[], T]) -> T:
    """What the first process chooses, told to all; its error is everybody's error, so that none waits for the others.

    Raises:
        TrainingError: what `choose` raised in the first process.
    """
    if world_size() == 1:
        return choose()
    from torch import distributed

    told: list[tuple[T | None, TrainingError | None]] = [(None, None)]
    if rank() == 0:
        try:
            told = [(choose(), None)]
        except TrainingError as error:
            told = [(None, error)]
    distributed.broadcast_object_list(told, src=0)
    chosen, refusal = told[0]
    if refusal is not None:
        raise refusal
    return chosen  # type: ignore[return-value]  # no error: what was chosen


def gathered(values: Sequence[float]) -> NDArray[np.float64]:
    """(processes, n) the n numbers of every process, in the order of ranks; all must call it."""
    own = np.asarray(values, dtype=np.float64)
    if world_size() == 1:
        return own[None]
    import torch
    from torch import distributed

    every = [torch.empty(len(own), dtype=torch.float64) for _ in range(world_size())]
    distributed.all_gather(every, torch.from_numpy(own))
    return np.stack([numbers.numpy() for numbers in every])


def told(content: T) -> list[T]:
    """What every process tells the others, in the order of ranks; all must call it, with plain values."""
    if world_size() == 1:
        return [content]
    from torch import distributed

    every: list[T | None] = [None] * world_size()
    distributed.all_gather_object(every, content)
    return every  # type: ignore[return-value]  # each was filled


def local_world_size() -> int:
    """Processes of the training on this machine, as torchrun says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
