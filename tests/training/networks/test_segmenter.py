"""The networks' gradients are those of the mathematics, also where windows are thin."""

import pytest
import torch
from torch import nn

from tests.training.networks.test_vit import MODEL, batch
from training.data.batch import Windows
from training.errors import CheckpointError
from training.networks.dynunet import ConvolutionalBaseline
from training.networks.encoder import load_weights
from training.networks.layers import Convolution
from training.networks.segmenter import TokenSegmenter
from training.networks.vit import PackedViT


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(2, 4, 4), (2, 2, 2), (2, 1, 3), (3, 4, 4), (1, 4, 4), (4, 4, 4), (6, 4, 4)])
def test_thin_input_has_the_gradients_of_float32(shape, stride):
    torch.manual_seed(0)
    layer, image = Convolution(32, 64, 3, padding=1, bias=False), torch.randn(1, 32, *shape)
    gradients = []
    for bf16 in (False, True):
        # memory that is used again: what is read and was never written is not a number
        [torch.full((size,), float("nan")) for size in (10**4, 10**5, 10**6)]
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            layer(image, (stride,) * 3).float().square().sum().backward()
        gradients.append(layer.weight.grad.clone())
    assert (gradients[1] - gradients[0]).abs().max() < 0.02 * gradients[0].abs().max()


@pytest.mark.parametrize("shape", [(15, 15, 6), (16, 16, 16), (3, 40, 17)])
def test_no_level_of_the_baseline_is_thin(shape):
    network, seen = ConvolutionalBaseline(3), []
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(lambda _layer, inputs, _out: seen.append(inputs[0].shape[2]))
    (logits,) = network(Windows((torch.randn(shape),), tokens=None))
    assert logits.shape == (3, *shape)
    assert min(seen) >= 3


def test_a_model_of_before_tokens_spoke_of_their_own_patch_says_what_it_said():
    torch.manual_seed(0)
    tokens = batch(3)
    windows = Windows((torch.randn(4, 4, 12),), tokens)
    then, now = (TokenSegmenter(PackedViT(MODEL), 3, (4, 8, 16)).eval() for _ in range(2))
    older = {name: value for name, value in then.state_dict().items() if not name.startswith("direct.")}
    load_weights(now, older)
    with torch.no_grad():
        assert torch.equal(now(windows)[0], then(windows)[0])
    torn = {name: value for name, value in then.state_dict().items() if name != "direct.bias"}
    with pytest.raises(CheckpointError, match=r"found 1 weights .* such as direct\.bias"):
        load_weights(now, torn)
