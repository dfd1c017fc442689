"""A network over a volume of any size, window by window.

Belongs here: what every task's prediction shares. What a window's output means is the task's.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.tokens import pack
from training.data.volume import Facts, Window, facts_of, image_of, normalize, patch_of, tokens_of

Activation = Callable[[Tensor], Tensor]
"""What a window's output goes through before a mean over windows is taken."""


@dataclass(frozen=True)
class Scan:
    """One volume, read and normalized; of a 4D volume its first step.

    Attributes:
        facts: what its row says.
        stored: (x, y, z) stored voxels.
        values: (x, y, z) normalized intensities.
        tissue: (x, y, z) voxels above the background.
    """

    facts: Facts
    stored: NDArray[Any]
    values: NDArray[np.float32]
    tissue: NDArray[np.bool_]

    @classmethod
    def of(cls, stored: NDArray[Any], row: Mapping[str, Any]) -> "Scan":
        """The scan of (x, y, z[, t]) stored voxels and their row of `curated/volumes`."""
        facts = facts_of(row["volume"], row)
        first = stored[..., 0] if stored.ndim > 3 else stored
        return cls(facts, first, *normalize(first, facts))

    def windows(self, place: Window, config: FinetuneConfig) -> Windows:
        """A batch of one window."""
        box, model = _box(place), config.model
        patch = patch_of(self.facts, model.patch_mm, model.patch_menu)
        values = self.values[box]
        tokens = tokens_of(values, self.tissue[box], self.facts, place, patch)
        return Windows((torch.from_numpy(image_of(values, self.facts, place)),), pack([tokens]))


def windows(facts: Facts, window_mm: Sequence[float], overlap: float) -> list[Window]:
    """Windows of at most `window_mm` that cover a volume, evenly spread."""
    extent = [min(n, max(1, round(mm / s))) for n, mm, s in zip(facts.shape, window_mm, facts.spacing, strict=True)]
    axes = []
    for size, count in zip(extent, facts.shape, strict=True):
        number = 1 + int(np.ceil((count - size) / max(1, size * (1 - overlap)))) if count > size else 1
        axes.append(np.linspace(0, count - size, number).round().astype(int).tolist())
    x, y, z = extent
    return [Window((a, b, c), (x, y, z)) for a, b, c in itertools.product(*axes)]


def outputs(network: nn.Module, scan: Scan, config: FinetuneConfig, overlap: float) -> Iterator[tuple[Window, Tensor]]:
    """What a network says of each window of a volume: the first of its batch of one, computed where its weights are."""
    bf16, device = config.precision == "bf16", next(network.parameters()).device
    for place in windows(scan.facts, config.window_mm, overlap):
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found: Tensor = network(scan.windows(place, config).to(device))[0]
        yield place, found.float().cpu()


def _as_it_is(output: Tensor) -> Tensor:
    return output


def blended(
    network: nn.Module,
    scan: Scan,
    config: FinetuneConfig,
    overlap: float,
    activation: Activation = _as_it_is,
) -> Tensor:
    """(channels, x, y, z) outputs on a volume's voxels: the mean of its windows', which trusts their middles more.

    Args:
        network: gives (channels, x, y, z) for a window.
        scan: the volume.
        config: how the network was trained.
        overlap: of neighbouring windows.
        activation: what a window's output goes through before the mean is taken.
    """
    total, weights = torch.zeros(1), torch.zeros(scan.facts.shape)
    for place, output in outputs(network, scan, config, overlap):
        if total.ndim == 1:
            total = torch.zeros(len(output), *scan.facts.shape)
        weight = _weight(place.shape)
        total[(slice(None), *_box(place))] += activation(output) * weight
        weights[_box(place)] += weight
    return total / weights


def averaged(
    network: nn.Module, scan: Scan, config: FinetuneConfig, overlap: float, activation: Activation = _as_it_is
) -> Tensor:
    """(channels,) output for a volume as a whole: the mean of its windows', each through `activation`."""
    return torch.stack([activation(output) for _, output in outputs(network, scan, config, overlap)]).mean(0)


def _box(place: Window) -> tuple[slice, slice, slice]:
    (a, b, c), (x, y, z) = place.start, place.shape
    return slice(a, a + x), slice(b, b + y), slice(c, c + z)


def _weight(shape: Sequence[int]) -> Tensor:
    """(x, y, z) weights of a window: a bell that trusts its middle more than its border."""
    bells = [torch.exp(-(torch.linspace(-1, 1, n) ** 2) * 4).clamp_min(1e-3) if n > 1 else torch.ones(1) for n in shape]
    return bells[0][:, None, None] * bells[1][:, None] * bells[2]
