"""Weights of models that older versions of Larmor trained, as the networks of today name them.

Belongs here: names that changed, and modules that came to be, where a model goes on saying what it said. What changed
in any other way is refused by `training.networks.encoder.load_weights`. Older configurations are
`training.config.older`.
"""

import re
from collections.abc import Mapping

from torch import Tensor

_ADDED = ("conditions", "direct")
"""Modules that came to be: what tells an encoder how a window was acquired (`training.networks.conditions`), and what a
token says of its own patch (`training.networks.segmenter`)."""

_BLOCK = {
    "norm_attention": "before.norm", "qkv": "before.qkv",
    "out": "after.out", "norm_mlp": "after.norm", "gate": "after.gate", "down": "after.down",
}  # fmt: skip
"""Layers of a transformer block before it was parted in two."""

_LAYER = re.compile(rf"(?<=\bblocks\.)(\d+)\.({'|'.join(_BLOCK)})(?=\.)")


def of_today(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights under the names of today, with those that an older model lacks.

    Each module that came to be begins at zero, so that a model of before it was there says the same with it.

    Args:
        weights: of a checkpoint, by name.
        own: of the network that takes them, as it was made.
    """
    named = {_LAYER.sub(lambda found: f"{found[1]}.{_BLOCK[found[2]]}", name): value for name, value in weights.items()}
    for module in _ADDED:
        if not _of(module, named):
            named |= _of(module, own)
    return named


def _of(module: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if module in name.split(".")}
