"""Attention inside packed windows, and rotary positions in millimetres.

Belongs here: the one place that decides by device how packed attention is computed. The blocks around it are
`training.networks.vit`.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

LONGEST_MM = 1024.0
"""Longest wavelength of the rotary positions, twice the largest field of view in use."""

KERNEL_CHANNELS = (64, 96, 128)
"""Channels of a head for which the kernel for packed tokens is known to be right and fast."""

KERNEL_TYPES = (torch.bfloat16, torch.float16)
"""Number types that the kernel takes."""


def kernel_takes(device: str, dtype: torch.dtype, channels: int) -> bool:
    """Whether the kernel for packed tokens takes such queries: on GPUs, in half precision, heads of its sizes."""
    return device == "cuda" and dtype in KERNEL_TYPES and channels in KERNEL_CHANNELS


def packed_attention(query: Tensor, key: Tensor, value: Tensor, offsets: Tensor, lengths: Sequence[int]) -> Tensor:
    """Attention of each window to itself.

    A loop over windows where the kernel for packed tokens does not take them: on CPU it is the fastest of the exact
    variants, and the 32-bit reference for the kernel.

    Args:
        query: (T, heads, channels).
        key: (T, heads, channels).
        value: (T, heads, channels).
        offsets: (N + 1,) int32, where each window begins.
        lengths: tokens of each window.

    Returns:
        (T, heads, channels).
    """
    if kernel_takes(query.device.type, query.dtype, query.shape[-1]):
        from torch.nn.attention.varlen import varlen_attn

        longest = int(max(lengths))
        packed = varlen_attn(query, key, value, offsets, offsets, longest, longest)
        assert isinstance(packed, Tensor), "asked for no auxiliary output"
        return packed
    parts = zip(*(tensor.split(list(lengths)) for tensor in (query, key, value)), strict=True)
    return torch.cat([_one_window(q, k, v) for q, k, v in parts])


def _one_window(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    q, k, v = (tensor.transpose(0, 1).unsqueeze(0) for tensor in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v).squeeze(0).transpose(0, 1)


def merged(offsets: Tensor, lengths: Sequence[int], groups: Sequence[int]) -> tuple[Tensor, tuple[int, ...]]:
    """Offsets and lengths of sequences that are several windows each, so that their tokens attend to one another.

    Args:
        offsets: (N + 1,) int32, where each window begins.
        lengths: tokens of each window.
        groups: for each window the sequence it belongs to; empty where each is its own.

    Raises:
        ValueError: if windows of a sequence do not stand together.
    """
    if not groups:
        return offsets, tuple(lengths)
    firsts = [i for i, group in enumerate(groups) if i == 0 or group != groups[i - 1]]
    if len(groups) != len(lengths) or len(firsts) != len(set(groups)):
        raise ValueError(
            f"found {len(groups)} windows in {len(firsts)} runs of {len(set(groups))} groups, needed {len(lengths)} "
            "windows with those of a group together"
        )
    ends = [*firsts[1:], len(lengths)]
    joined = tuple(sum(lengths[a:b]) for a, b in zip(firsts, ends, strict=True))
    return torch.tensor([0, *accumulate(joined)], dtype=torch.int32, device=offsets.device), joined


def frequencies(channels: int, shortest_mm: float) -> Tensor:
    """(channels / 2, 3) angular frequencies in radians per mm: each pair of channels turns with one axis.

    Pairs are dealt to x, y, z in turn, so that channels which do not divide by 6 are split unevenly but fully used.
    Wavelengths of an axis go geometrically from `shortest_mm` to `LONGEST_MM`.

    Source: Su et al., RoFormer, 2021, section 3.2, with positions in millimetres in place of indices.
    """
    pairs = channels // 2
    table = torch.zeros(pairs, 3)
    for axis in range(3):
        mine = torch.arange(axis, pairs, 3)
        wavelengths = torch.logspace(math.log10(shortest_mm), math.log10(LONGEST_MM), len(mine))
        table[mine, axis] = 2 * math.pi / wavelengths
    return table


def turns(positions: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine, (T, 1, channels / 2) each, of positions (T, 3) in mm."""
    # a sum of products, not a matrix product: autocast would round the angles to 8 bits
    angles = (positions.float().unsqueeze(1) * table.to(positions.device)).sum(-1)
    return angles.cos().unsqueeze(1), angles.sin().unsqueeze(1)


def rotate(tensor: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the channel pairs of (T, heads, channels) by their token's angles, in 32 bits, in the tensor's own type."""
    cosine, sine = turn
    first, second = tensor.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1).to(tensor.dtype)
