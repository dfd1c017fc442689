"""Configurations of models that older versions of Larmor trained, as the documents of today say them.

Belongs here: fields that are gone and never meant anything for a model that is there. What a person writes today is
read by the documents themselves, which refuse them. Older weights are `training.networks.older`.
"""

from collections.abc import Mapping
from typing import Any

from training.config.finetune import FinetuneConfig

_GONE = ("ranks", "tokens_per_rank")
"""For a while every training had these fields of pre-training; no fine-tuning ever read them."""


def finetuning(config: Mapping[str, Any], model: str) -> FinetuneConfig:
    """The fine-tuning that a model's `config.yaml` tells of.

    Args:
        config: its section `config`.
        model: name of the model, for errors.

    Raises:
        DocumentError: if it is none.
    """
    kept = {name: value for name, value in config.items() if name not in _GONE}
    return FinetuneConfig.parse(kept, f"{model}/config.yaml")
