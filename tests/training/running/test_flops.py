"""Arithmetic is counted as an independent counter of single operations counts it."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from training.data.tokens import Tokens, pack
from training.networks.vit import Transformer
from training.running import hardware
from training.running.flops import FlopMeter, block_flops


def packed(*lengths):
    import numpy as np

    def one(count):
        index = np.stack([np.arange(count)] * 3, 1)
        patches = np.zeros((count, 2, 2, 2), np.float32)
        return Tokens(patches, patches == 0, index.astype(np.float32), index, (count, count, count))

    return pack([one(count) for count in lengths])


def test_a_transformer_s_passes_are_counted_as_torch_counts_them():
    transformer = Transformer(48, 2, 4, 4.0, 8.0)
    meter, tokens = FlopMeter(transformer), torch.randn(17, 48, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        transformer(tokens, packed(12, 5)).sum().backward()
    assert meter.taken() == pytest.approx(counter.get_total_flops(), rel=0.02)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        transformer(tokens, packed(12, 5))
    assert meter.taken() == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert meter.taken() == 0


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 4, 3, stride=2, padding=1)),
        nn.Sequential(nn.ConvTranspose3d(2, 4, 2, stride=2)),
        nn.Sequential(nn.Flatten(), nn.Linear(2 * 8**3, 5)),
    ],
)
def test_convolutions_and_linear_layers_are_counted_as_torch_counts_them(module):
    meter, given = FlopMeter(module), torch.randn(3, 2, 8, 8, 8)
    with FlopCounterMode(display=False) as counter:
        module(given).sum().backward()
    assert meter.taken() == counter.get_total_flops()
    meter.close()
    module(given)
    assert meter.taken() == 0


def test_attention_grows_with_the_square_of_a_sequence_and_matrices_with_its_length():
    assert block_flops(100, 2, 8, [10, 10]) == 2 * 100 * 20 + 2 * 4 * 8 * 200
    assert block_flops(0, 1, 8, [20]) == 2 * block_flops(0, 1, 8, [10, 10])


@pytest.mark.parametrize(
    ("name", "tflops"),
    [("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA L4", 121)],
)
def test_peaks_are_found_by_the_name_that_a_driver_gives(name, tflops):
    assert hardware.known_peak(name) == tflops * 1e12


def test_a_device_that_no_table_knows_is_measured():
    assert hardware.known_peak("CPU x86_64") is None
    state = torch.get_rng_state()
    assert hardware.measured_peak("cpu", bf16=False) > 1e8
    assert torch.equal(torch.get_rng_state(), state), "a training's random numbers are not disturbed"
