"""What of a pre-trained encoder learns on: all of it, its last blocks, low-rank updates of its weights, or nothing.

Belongs here: freezing and freeing. The low-rank updates themselves are `training.networks.lora`.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from training.config.finetune import FinetuneConfig
from training.errors import TrainingError
from training.networks.encoder import Encoder, load_weights
from training.networks.lora import add, is_update, merge

PREFIX = "network.encoder."
"""Of the names of an encoder's parameters in a task's learner."""


def adapt(network: nn.Module, weights: Mapping[str, Tensor], config: FinetuneConfig) -> dict[str, float]:
    """Load pre-trained weights into a network's encoder and set what of it learns on.

    Args:
        network: has an `encoder`.
        weights: of the pre-trained encoder.
        config: says how to adapt.

    Returns:
        Prefix of parameter names in the task's learner to their share of the learning rate.

    Raises:
        TrainingError: if the network has no encoder, it has fewer blocks than are to be freed, or the weights are those
            of another one.
    """
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, Encoder):
        raise TrainingError(f"network: found no encoder in that of {config.task}, needed one to start from a parent")
    load_weights(encoder, weights)
    if config.adapt == "full" and config.encoder_scale:
        return {PREFIX: config.encoder_scale}
    encoder.requires_grad_(requires_grad=False)
    if config.adapt == "partial" and config.encoder_scale:
        _free_last(encoder, config.blocks)
    if config.adapt == "lora" and config.encoder_scale:
        add(encoder, config.rank, config.alpha)
    return {PREFIX: config.encoder_scale}


def merged(network: nn.Module) -> nn.Module:
    """The network with low-rank updates added to the weights they update: its names are those of a plain one."""
    if any(is_update(module) for module in network.modules()):
        merge(network)
    return network


def _free_last(encoder: Encoder, count: int) -> None:
    """Free the last blocks and what comes after them; before them everything stays as it was learned."""
    stack = blocks_of(encoder)
    if count > len(stack):
        raise TrainingError(f"blocks: found an encoder of {len(stack)}, needed at least {count}; ask for fewer")
    first = next(stack[-count].parameters())
    parameters = list(encoder.parameters())
    for parameter in parameters[next(i for i, p in enumerate(parameters) if p is first) :]:
        parameter.requires_grad_()


def blocks_of(encoder: Encoder) -> nn.ModuleList:
    """The encoder's blocks from its input to its output: the list of modules that holds most of its weights.

    Raises:
        TrainingError: if it has none.
    """
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise TrainingError("adapt: found an encoder without blocks, needed adapt: full, lora or probe")
    return max(stacks, key=lambda stack: sum(p.numel() for p in stack.parameters()))
