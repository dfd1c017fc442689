"""The net: two strided convolutions, then separable ones that see about a hundred pixels around.

Belongs here: its layers and how it becomes a file. It is small because every frame of every series is looked at.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

_FIRST, _WIDTH = 8, 32
"""Channels at half and at a quarter of the resolution; onnxruntime computes in eights and sixteens."""
_DILATIONS = (1, 2, 3)
_RARE = 0.08
"""About the part of all squares that belong to a word: where an untrained net begins."""


class _Block(nn.Module):
    """A wide look in each channel, then a mixture of the channels, added to what came in."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width, bias=False)
        self.mix = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.mix(self.look(x))))


class Net(nn.Module):
    """(n, rows, columns) scaled grey to (n, rows / 4, columns / 4) logits."""

    def __init__(self) -> None:
        """With weights of torch's generator as it stands."""
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, _FIRST, 3, 2, 1, bias=False), nn.BatchNorm2d(_FIRST), nn.ReLU(),
            nn.Conv2d(_FIRST, _WIDTH, 3, 2, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.blocks = nn.Sequential(*(_Block(_WIDTH, dilation) for dilation in _DILATIONS))
        self.answer = nn.Conv2d(_WIDTH, 1, 1)
        nn.init.constant_(self.answer.bias, float(torch.logit(torch.tensor(_RARE))))

    def forward(self, x: Tensor) -> Tensor:
        """The logit of each square of four pixels."""
        return self.answer(self.blocks(self.stem(x[:, None].contiguous(memory_format=torch.channels_last))))[:, 0]


class _Probability(nn.Module):
    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.net(x))


def export(net: Net, path: Path) -> None:
    """Write the net with a sigmoid at its end as ONNX, for frames of any number and size."""
    free = {0: "frames", 1: "rows", 2: "columns"}
    torch.onnx.export(
        _Probability(net).eval(), (torch.zeros(1, 64, 64),), str(path), dynamo=False,
        input_names=["frames"], output_names=["lettering"], dynamic_axes={"frames": free, "lettering": free},
    )  # fmt: skip
