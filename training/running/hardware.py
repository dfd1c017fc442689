"""What a training runs on: the device's name, what it could compute at most, and the memory that was used.

Belongs here: the table of peaks, and measuring where a device is not in it.
"""

import os
import platform
import resource
import sys
import time

import torch

from training.errors import TrainingError

PEAK_TFLOPS = (
    ("H100 PCIe", 756.0),  # NVIDIA H100 Tensor Core GPU data sheet, 2022
    ("H100 NVL", 835.0),  # same
    ("H100", 989.0),  # same, SXM
    ("H200", 989.0),  # NVIDIA H200 Tensor Core GPU data sheet, 2023
    ("A100", 312.0),  # NVIDIA A100 Tensor Core GPU data sheet, 2020
    ("V100", 125.0),  # NVIDIA V100 data sheet, 2018; float16, it has no bfloat16
    ("A10G", 70.0),  # NVIDIA A10G as in Amazon EC2 G5, 2021
    ("L40S", 362.0),  # NVIDIA L40S data sheet, 2023
    ("L4", 121.0),  # NVIDIA L4 data sheet, 2023
    ("MI300X", 1307.4),  # AMD Instinct MI300X data sheet, 2023
    ("MI300A", 980.6),  # AMD Instinct MI300A data sheet, 2023
)
"""Part of a device's name to the peak of its matrix units in 10¹² operations a second: bfloat16, dense, no sparsity.
The first that fits counts."""

DEVICES = ("auto", "cpu", "cuda")
"""Names of devices; which of several GPUs, CUDA_VISIBLE_DEVICES says."""

_EDGE = {"cpu": 512, "cuda": 8192}
_TRIES = 5


def device_of(asked: str) -> torch.device:
    """The device of a name: `cpu`, `cuda`, or `auto`, which is the GPU where there is one.

    Raises:
        TrainingError: if it is none of these, or a GPU is asked for and there is none.
    """
    if asked not in DEVICES:
        raise TrainingError(f"device: found {asked!r}, needed one of: {', '.join(DEVICES)}")
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device: found no GPU that torch can use, needed one for cuda; say auto or cpu")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """Name of the device that this process computes on."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU {platform.machine()}"


def described() -> str:
    """The device with the cores and threads that matter where it is a CPU."""
    if torch.cuda.is_available():
        return device_name()
    return f"{device_name()}, {len(os.sched_getaffinity(0))} cores, {torch.get_num_threads()} threads a process"


def known_peak(name: str) -> float | None:
    """Peak of a device of the table in operations a second, in bfloat16; None: not in it."""
    return next((tflops * 1e12 for part, tflops in PEAK_TFLOPS if part in name), None)


def peak(bf16: bool) -> float:
    """Operations a second that this process's device could do at most.

    Args:
        bf16: whether the training computes in bfloat16; the table holds for that only.

    Returns:
        The table's peak, or the best of some matrix products where the table does not hold.
    """
    found = known_peak(device_name()) if bf16 and torch.cuda.is_available() else None
    return found or measured_peak("cuda" if torch.cuda.is_available() else "cpu", bf16)


def measured_peak(device: str, bf16: bool) -> float:
    """Operations a second of the best of some square matrix products."""
    edge, dtype = _EDGE[device], torch.bfloat16 if bf16 else torch.float32
    # values of their own, not random ones: a training's random numbers are not to be disturbed
    left = torch.linspace(-1, 1, edge * edge, device=device).view(edge, edge).to(dtype)
    best = float("inf")
    for _ in range(_TRIES):
        _wait(device)
        begun = time.perf_counter()
        torch.mm(left, left)
        _wait(device)
        best = min(best, time.perf_counter() - begun)
    return 2 * edge**3 / best


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def memory_gib() -> float:
    """Most memory that this process held at once, of the GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
