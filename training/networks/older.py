"""Weights of models that older versions of Larmor trained, as the networks of today name them.

Belongs here: names that changed, and modules that came to be, where a model goes on saying what it said. What changed
in any other way is refused by `training.networks.encoder.load_weights`.
"""

import re
from collections.abc import Mapping

from torch import Tensor

_CONDITIONS = "conditions"
"""What encoders call the module that tells them how a window was acquired."""

_BLOCK = {
    "norm_attention": "before.norm", "qkv": "before.qkv",
    "out": "after.out", "norm_mlp": "after.norm", "gate": "after.gate", "down": "after.down",
}  # fmt: skip
"""Layers of a transformer block before it was parted in two."""

_LAYER = re.compile(rf"(?<=\bblocks\.)(\d+)\.({'|'.join(_BLOCK)})(?=\.)")


def of_today(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights under the names of today, with those that an older model lacks.

    What tells an encoder of acquisitions begins at zero (`training.networks.conditions`), so that a model of before it
    was there says the same with it.

    Args:
        weights: of a checkpoint, by name.
        own: of the network that takes them, as it was made.
    """
    named = {_LAYER.sub(lambda found: f"{found[1]}.{_BLOCK[found[2]]}", name): value for name, value in weights.items()}
    if any(_CONDITIONS in name.split(".") for name in named):
        return named
    return {**named, **{name: value for name, value in own.items() if _CONDITIONS in name.split(".")}}
