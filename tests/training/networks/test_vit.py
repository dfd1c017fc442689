"""The encoder is the same however its memory is saved, and its presets have the sizes and heads that they say."""

import numpy as np
import pytest
import torch
from torch import nn

from training.config.model import ModelConfig
from training.config.presets import load_preset
from training.data.batch import Windows
from training.data.tokens import pack, tokenize
from training.errors import CheckpointError
from training.networks.attention import KERNEL_CHANNELS
from training.networks.encoder import load_weights, parameters
from training.networks.vit import PackedViT

MODEL = ModelConfig(dim=48, depth=2, heads=2, decoder_dim=24, decoder_heads=2)


def batch(*lengths, seed=0):
    draw = np.random.default_rng(seed)
    cut = []
    for count in lengths:
        shape = (4, 4, 4 * count)
        full = np.ones(shape, bool)
        cut.append(tokenize(draw.normal(size=shape).astype(np.float32), full, full, (2, 2, 2), (4, 4, 4)))
    return pack(cut)


def gradients(encoder, tokens):
    encoder.zero_grad()
    features = encoder.encode(tokens)
    features.square().mean().backward()
    return features.detach(), [parameter.grad.clone() for parameter in encoder.parameters()]


def twin(**changes):
    torch.manual_seed(0)
    encoder = PackedViT(MODEL.model_copy(update=changes))
    nn.init.normal_(encoder.conditions.out.weight, std=0.1)
    return encoder


def test_weights_of_another_model_are_refused():
    with pytest.raises(CheckpointError, match=r"found \d+ weights .* such as transformer.blocks.2"):
        load_weights(twin(depth=3), twin().state_dict())


def test_weights_of_the_same_model_are_taken():
    encoder, tokens = PackedViT(MODEL), batch(3)
    load_weights(encoder, twin().state_dict())
    assert torch.equal(encoder.encode(tokens), twin().encode(tokens))


def test_a_model_of_an_older_version_says_what_it_said():
    """Of before blocks were parted in two and encoders were told of acquisitions."""
    then, encoder, tokens = twin(), PackedViT(MODEL), batch(3)
    nn.init.zeros_(then.conditions.out.weight)
    older = {name: value for name, value in then.state_dict().items() if not name.startswith("conditions.")}
    for now, before in (("before.norm", "norm_attention"), ("after.norm", "norm_mlp"), ("before.", ""), ("after.", "")):
        older = {name.replace(now, before): value for name, value in older.items()}
    assert {"transformer.blocks.1.qkv.weight", "transformer.blocks.0.norm_mlp.weight"} <= older.keys()
    load_weights(encoder, older)
    assert torch.equal(encoder.encode(tokens), then.encode(tokens))
    torn = {name: value for name, value in then.state_dict().items() if name != "conditions.unknown"}
    with pytest.raises(CheckpointError, match=r"found 1 weights .* such as conditions\.unknown"):
        load_weights(PackedViT(MODEL), torn)


def test_computing_blocks_again_changes_no_number():
    plain, again = gradients(twin(), batch(3, 5)), gradients(twin(checkpoint_blocks=True), batch(3, 5))
    assert torch.equal(plain[0], again[0])
    assert all(torch.equal(a, b) for a, b in zip(plain[1], again[1], strict=True))


def test_computing_blocks_again_keeps_less():
    def kept(encoder):
        sizes = []

        def keep(tensor):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            encoder.encode(batch(20, 20))
        return sum(sizes)

    assert kept(twin(checkpoint_blocks=True)) < 0.5 * kept(twin())


@pytest.mark.slow
def test_compiled_blocks_give_the_same_for_batches_of_any_lengths_and_are_compiled_once():
    plain, compiled = twin(), twin(compile_blocks=True)
    assert list(plain.state_dict()) == list(compiled.state_dict())
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    for number, lengths in enumerate([(3, 5), (9,), (2, 7, 4), (11, 6)]):
        tokens = batch(*lengths, seed=number)
        for found, expected in zip(gradients(compiled, tokens)[1], gradients(plain, tokens)[1], strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2  # before and after the attention


@pytest.mark.parametrize(
    ("name", "millions"), [("tiny", (1.5, 2)), ("small", (21, 23)), ("base", (84, 88)), ("large", (295, 310))]
)
def test_presets_have_the_sizes_that_they_say_and_heads_that_the_kernel_takes(name, millions):
    config = load_preset(name).pretrain.model
    with torch.device("meta"):
        encoder = PackedViT(config)
    assert millions[0] <= parameters(encoder) / 1e6 <= millions[1]
    assert config.dim // config.heads in KERNEL_CHANNELS
    assert config.decoder_dim // config.decoder_heads in KERNEL_CHANNELS


def test_a_window_alone_is_a_study_of_one():
    encoder, tokens = twin(), batch(3, 5, 2)
    alone = encoder(Windows((), tokens))
    torch.testing.assert_close(encoder(Windows((), tokens, studies=(0, 1, 2))), alone)
    pair = encoder(Windows((), tokens, studies=(0, 0, 1))).split(tokens.lengths)
    assert not torch.allclose(pair[0], alone.split(tokens.lengths)[0])
    torch.testing.assert_close(pair[2], alone.split(tokens.lengths)[2])


def test_an_objective_may_change_tokens_between_embedding_and_attention():
    encoder, tokens = twin(), batch(4)
    windows = Windows((), tokens)
    embedded = encoder.embedded(windows)
    assert embedded.shape == (4, MODEL.dim)
    torch.testing.assert_close(encoder.attend(embedded, windows), encoder(windows))
    hidden = embedded.index_fill(0, torch.tensor([2]), 0.0)
    assert not torch.allclose(encoder.attend(hidden, windows)[0], encoder(windows)[0])
