"""Arithmetic of a model: the floating-point operations that its networks need, whatever kernels compute them.

Belongs here: counting by formula as windows go through. What the hardware could do is `training.running.hardware`.

Sources: Kaplan et al., Scaling Laws for Neural Language Models, 2020, section 2.1 (two operations a weight and token
forward, twice as many backward); Chowdhery et al., PaLM, 2022, appendix B (attention; what is computed again to save
memory does not count, which tells model from hardware utilisation).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from training.networks.attention import merged
from training.networks.vit import Transformer

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def block_flops(weights: int, depth: int, width: int, lengths: Sequence[int]) -> int:
    """Operations of a forward pass through transformer blocks.

    Args:
        weights: entries of all matrices of all blocks.
        depth: blocks.
        width: channels of the queries, all heads together.
        lengths: tokens of each sequence; each attends to itself, in both directions.
    """
    return 2 * weights * sum(lengths) + depth * 4 * width * sum(n * n for n in lengths)


class FlopMeter:
    """Counts what goes through a module's transformers, linear layers and convolutions."""

    def __init__(self, module: nn.Module) -> None:
        """Begin to count."""
        self._count = 0
        self._handles: list[RemovableHandle] = []
        self._attach(module)

    def _attach(self, module: nn.Module) -> None:
        if isinstance(module, Transformer):
            # as a whole: hooks inside blocks would break their compiled graphs and count what is computed twice
            self._handles.append(module.register_forward_hook(self._transformer, with_kwargs=True))
            return
        if isinstance(module, (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)):
            self._handles.append(module.register_forward_hook(self._layer))
        for child in module.children():
            self._attach(child)

    def taken(self) -> int:
        """Operations since this was last asked, backward passes included."""
        count, self._count = self._count, 0
        return count

    def close(self) -> None:
        """Count no more."""
        for handle in self._handles:
            handle.remove()

    def _transformer(self, module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any], output: Any) -> None:
        assert isinstance(module, Transformer), "attached to transformers"
        tokens, batch, studies = (*given, *named.values(), ())[:3]
        _, lengths = merged(batch.offsets, batch.lengths, studies)
        weights = sum(p.numel() for p in module.blocks.parameters() if p.ndim == 2)
        forward = block_flops(weights, len(module.blocks), tokens.shape[-1], lengths)
        self._count += forward * _passes(module, tokens)

    def _layer(self, module: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, Tensor), "attached to layers with weights"
        if isinstance(module, nn.Linear):
            forward = 2 * weight.numel() * (given[0].numel() // weight.shape[1])
        else:
            # each place of the smaller grid meets the kernel once: of the output, or transposed of the input
            grid = given[0] if isinstance(module, _TRANSPOSED) else output
            forward = 2 * weight.numel() * grid.shape[0] * math.prod(grid.shape[2:])
        self._count += forward * _passes(module, given[0])


def _passes(module: nn.Module, given: Tensor) -> int:
    """Forward, and backward to the weights and to what was given, where these are asked for."""
    if not torch.is_grad_enabled():
        return 1
    learns = any(p.requires_grad for p in module.parameters())
    return 1 + learns + (given.requires_grad or (learns and isinstance(module, Transformer)))
