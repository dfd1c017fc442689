"""The slice-wise baseline sees slices only, of any window, and learns."""

import numpy as np
import pytest
import torch

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.tokens import choose_patch, pack, tokenize
from training.networks.encoder import make_encoder
from training.networks.segmenter import on_voxels

CONFIG = ModelConfig(encoder="slices2d", dim=48, depth=1, heads=2, decoder_dim=24, decoder_heads=2)


def batch(*shapes, spacings):
    draw = np.random.default_rng(0)
    images = [draw.random(shape).astype(np.float32) for shape in shapes]
    tokens = [
        tokenize(image, np.ones(image.shape, bool), np.ones(image.shape, bool), mm, choose_patch(mm, 8, (1, 2, 4, 8)))
        for image, mm in zip(images, spacings, strict=True)
    ]
    return Windows(tuple(torch.from_numpy(image) for image in images), pack(tokens))


@pytest.fixture
def windows():
    return batch((20, 33, 5), (4, 17, 40), (1, 3, 2), spacings=((1, 1, 6), (6, 1, 1), (1, 1, 1)))


def test_features_of_tokens_windows_and_voxels_have_their_shapes(windows):
    encoder = make_encoder(CONFIG)
    assert encoder(windows).shape == (sum(windows.tokens.lengths), encoder.width)
    assert encoder.pooled(windows).shape == (3, encoder.width)
    assert [tuple(v.shape[1:]) for v in encoder.voxels(windows)] == [tuple(i.shape) for i in windows.images]


def test_a_slice_knows_nothing_of_its_neighbours():
    encoder, (image,) = make_encoder(CONFIG).eval(), batch((20, 20, 5), spacings=((1, 1, 6),)).images
    changed = image.clone()
    changed[:, :, 3] = 0
    before, after = (encoder.network(encoder._slices(i, 2)) for i in (image, changed))
    torch.testing.assert_close(before[[0, 1, 2, 4]], after[[0, 1, 2, 4]])
    assert not torch.allclose(before[3], after[3])


def test_slices_are_cut_across_the_largest_voxels(windows):
    assert make_encoder(CONFIG)._axes(windows) == [2, 0, 2]


def test_it_learns_to_segment():
    windows = batch((24, 24, 4), spacings=((1, 1, 6),))
    truth = (windows.images[0] > 0.5).long()
    torch.manual_seed(0)
    network = on_voxels(make_encoder(CONFIG), 2, (4, 8, 8))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(network(windows)[0][None], truth[None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
