"""Packed windows do not see each other, and rotary positions know distances only."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.config.model import ModelConfig
from training.data.tokens import pack, tokenize
from training.networks import attention
from training.networks.attention import frequencies, kernel_takes, merged, packed_attention, rotate, turns
from training.networks.vit import PackedViT

MODEL = ModelConfig(dim=48, depth=2, heads=2, decoder_dim=24, decoder_depth=1, decoder_heads=2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_packed_attention_is_that_of_each_window_alone(lengths):
    torch.manual_seed(sum(lengths))
    query, key, value = torch.randn(3, sum(lengths), 2, 8)
    offsets = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    packed = packed_attention(query, key, value, offsets, lengths)
    scores = torch.einsum("qhc,khc->hqk", query.double(), key.double()) / 8**0.5
    window = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    scores = scores.masked_fill(window[:, None] != window[None, :], -torch.inf)
    alone = torch.einsum("hqk,khc->qhc", scores.softmax(-1), value.double())
    torch.testing.assert_close(packed.double(), alone, rtol=1e-4, atol=1e-5)


def test_the_kernel_for_packed_tokens_gives_what_the_loop_gives_and_is_given_what_it_needs(monkeypatch):
    given = []

    def kernel(query, key, value, cu_query, cu_key, longest_query, longest_key):
        """Stands for the kernel of GPUs: the contract that it documents, the arithmetic of a mask in 64 bits."""
        given.append((query.dtype, cu_query.dtype, longest_query))
        assert query.dtype == key.dtype == value.dtype
        assert cu_query.is_contiguous()
        assert cu_query is cu_key
        assert longest_query == longest_key
        assert type(longest_query) is int
        window = torch.bucketize(torch.arange(len(query)), cu_query[1:].long(), right=True)
        scores = torch.einsum("qhc,khc->hqk", query.double(), key.double()) / query.shape[-1] ** 0.5
        scores = scores.masked_fill(window[:, None] != window[None, :], -torch.inf)
        return torch.einsum("hqk,khc->qhc", scores.softmax(-1), value.double()).to(query.dtype)

    from torch.nn.attention import varlen

    encoder, draw = PackedViT(MODEL), np.random.default_rng(0)
    full = np.ones((8, 8, 12), bool)
    cut = [tokenize(draw.normal(size=full.shape).astype(np.float32), full, full, (1, 1, 1), (4, 4, 4)) for _ in "abc"]
    with torch.autocast("cpu", torch.bfloat16):
        looped = encoder.encode(pack(cut))
        monkeypatch.setattr(varlen, "varlen_attn", kernel)
        monkeypatch.setattr(attention, "kernel_takes", lambda *_: True)
        packed = encoder.encode(pack(cut))
    assert set(given) == {(torch.bfloat16, torch.int32, 12)}
    torch.testing.assert_close(packed, looped, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(
    ("device", "dtype", "channels", "taken"),
    [
        ("cuda", torch.bfloat16, 64, True),
        ("cuda", torch.float16, 96, True),
        ("cuda", torch.float32, 64, False),
        ("cuda", torch.bfloat16, 72, False),
        ("cpu", torch.bfloat16, 64, False),
    ],
)
def test_the_loop_takes_what_the_kernel_does_not(device, dtype, channels, taken):
    assert kernel_takes(device, dtype, channels) == taken


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("channels", [64, 96, 128])
def test_on_a_gpu_kernel_and_loop_agree(channels):
    lengths = (1, 200, 37, 129)
    offsets = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32, device="cuda")
    inputs = torch.randn(3, sum(lengths), 2, channels, device="cuda", requires_grad=True)
    results = []
    for dtype in (torch.bfloat16, torch.float32):
        query, key, value = inputs.to(dtype)
        mixed = packed_attention(query, key, value, offsets, lengths).float()
        (gradient,) = torch.autograd.grad(mixed.square().sum(), inputs)
        results.append((mixed, gradient))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)


def test_windows_of_a_study_become_one_sequence():
    offsets = torch.tensor([0, 3, 4, 9, 11], dtype=torch.int32)
    found, lengths = merged(offsets, (3, 1, 5, 2), (7, 7, 2, 5))
    assert found.tolist() == [0, 4, 9, 11]
    assert found.dtype == torch.int32
    assert lengths == (4, 5, 2)
    assert merged(offsets, (3, 1, 5, 2), ()) == (offsets, (3, 1, 5, 2))


def test_windows_of_a_study_that_stand_apart_are_refused():
    with pytest.raises(ValueError, match="those of a group together"):
        merged(torch.tensor([0, 3, 4, 9]), (3, 1, 5), (0, 1, 0))


@pytest.mark.parametrize("channels", [6, 8, 48, 64, 72])
def test_rotary_scores_depend_on_differences_of_positions_only(channels):
    torch.manual_seed(0)
    table = frequencies(channels, 16.0)
    assert table.count_nonzero(1).eq(1).all()
    query, key = torch.randn(2, 5, 1, channels)
    positions, shift = torch.rand(5, 3) * 200, torch.tensor([31.0, -7.0, 90.0])

    def scores(moved):
        turn = turns(positions + moved, table)
        return torch.einsum("qhc,khc->qk", rotate(query, turn), rotate(key, turn))

    torch.testing.assert_close(scores(shift), scores(torch.zeros(3)), rtol=1e-3, atol=1e-3)
    swapped = turns(positions.flip(1), table)
    assert not torch.allclose(torch.einsum("qhc,khc->qk", rotate(query, swapped), rotate(key, swapped)), scores(0.0))


def test_angles_keep_their_precision_under_autocast():
    table, positions = frequencies(48, 16.0), torch.tensor([[100.3, -57.1, 90.9]])
    exact = turns(positions, table)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = turns(positions, table)
    assert all(torch.equal(a, b) for a, b in zip(exact, rounded, strict=True))


def test_a_volume_has_the_same_features_whoever_is_packed_beside_it():
    torch.manual_seed(0)
    encoder, draw = PackedViT(MODEL), np.random.default_rng(0)
    windows = []
    for shape, spacing, patch in (((16, 16, 4), (1, 1, 4), (8, 8, 2)), ((12, 8, 8), (2, 2, 2), (4, 4, 4))):
        full = np.ones(shape, bool)
        windows.append(tokenize(draw.normal(size=shape).astype(np.float32), full, full, spacing, patch))
    together = encoder.encode(pack(windows)).split([len(window.patches) for window in windows])
    for features, window in zip(together, windows, strict=True):
        torch.testing.assert_close(features, encoder.encode(pack([window])), rtol=1e-4, atol=1e-4)
