"""The convolutional encoder takes windows of any shape and voxel size, and what it says stays at its place."""

import numpy as np
import pytest
import torch

from training.config.model import ModelConfig
from training.data.batch import Windows
from training.data.tokens import pack, tokenize
from training.networks.encoder import make_encoder
from training.networks.resenc import stride
from training.networks.segmenter import VoxelSegmenter, laid_out, on_voxels

MODEL = ModelConfig(encoder="resenc", dim=32, stages=(1, 1, 1, 1))


def windows(*cases, seed=0):
    """A batch of windows of these voxel shapes and patches, some of whose tokens are background."""
    draw = np.random.default_rng(seed)
    images, tokens = [], []
    for shape, patch in cases:
        image = draw.normal(size=shape).astype(np.float32)
        tissue = np.ones(shape, bool)
        tissue[: shape[0] // 3] = False
        images.append(torch.from_numpy(image))
        tokens.append(tokenize(image, np.ones(shape, bool), tissue, (1, 1, 1), patch))
    return Windows(tuple(images), pack(tokens))


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return make_encoder(MODEL)


def test_windows_of_any_shape_and_patch_give_a_feature_a_token_and_a_voxel(encoder):
    batch = windows(
        ((17, 25, 9), (8, 8, 8)), ((40, 33, 5), (8, 8, 1)), ((12, 12, 12), (4, 4, 4)), ((30, 9, 9), (16, 1, 2))
    )
    features = encoder(batch)
    assert features.shape == (sum(batch.tokens.lengths), encoder.width)
    assert encoder.pooled(batch).shape == (4, encoder.width)
    for maps, image in zip(encoder.voxels(batch), batch.images, strict=True):
        assert maps.shape == (encoder.voxel_width, *image.shape)
    assert torch.isfinite(features).all()


def test_an_axis_of_thick_slices_is_not_halved():
    assert [stride((8, 8, 1), level) for level in range(4)] == [(1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 1)]
    assert [stride((8, 4, 2), level) for level in range(4)] == [(1, 1, 1), (2, 2, 2), (2, 2, 1), (2, 1, 1)]
    assert stride((12, 12, 12), 3) == (1, 1, 1)


def test_who_stands_beside_a_window_does_not_change_what_is_said_of_it(encoder):
    cases = (((16, 16, 16), (8, 8, 8)), ((24, 16, 16), (8, 8, 8)), ((16, 16, 16), (8, 8, 8)), ((14, 16, 16), (8, 8, 8)))
    batch = windows(*cases)
    together, maps = encoder(batch).split(batch.tokens.lengths), encoder.voxels(batch)
    for place in range(len(cases)):
        alone = batch.take([place])
        torch.testing.assert_close(encoder(alone), together[place], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(encoder.voxels(alone)[0], maps[place], atol=1e-4, rtol=1e-4)


def test_a_token_s_feature_is_that_of_its_own_place(encoder):
    batch = windows(((40, 40, 40), (8, 8, 8)))
    changed = batch.images[0].clone()
    x, y, z = (8 * int(i) for i in batch.tokens.index[-1])
    changed[x : x + 8, y : y + 8, z : z + 8] += 3
    moved = (encoder(Windows((changed,), batch.tokens)) - encoder(batch)).norm(dim=1)
    assert moved.argmax() == len(moved) - 1


def test_a_window_of_a_single_token_can_be_learned_from(encoder):
    batch = windows(((5, 7, 8), (8, 8, 8)))
    encoder(batch).square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_all_but_the_last_layer_of_its_segmenter_comes_from_the_encoder(encoder):
    network = on_voxels(make_encoder(MODEL), 3, (4, 8, 8))
    assert isinstance(network, VoxelSegmenter)
    network.encoder.load_state_dict(encoder.state_dict())
    own = {name for name, _ in network.named_parameters() if not name.startswith("encoder.")}
    assert own == {"head.weight", "head.bias"}
    batch = windows(((17, 25, 9), (8, 8, 8)), ((8, 8, 8), (8, 8, 8)))
    assert [tuple(logits.shape) for logits in network(batch)] == [(3, 17, 25, 9), (3, 8, 8, 8)]


def test_patches_are_laid_out_where_they_were_cut():
    image = np.random.default_rng(0).normal(size=(16, 12, 6)).astype(np.float32)
    tokens = tokenize(image, np.ones(image.shape, bool), np.ones(image.shape, bool), (1, 1, 1), (8, 4, 2))
    patches = torch.from_numpy(tokens.patches)[:, None]
    again = laid_out(torch.cat([patches, -patches], 1), torch.from_numpy(tokens.index), tokens.grid)
    np.testing.assert_array_equal(again, np.stack([image, -image]))


def test_sizes_that_cannot_be_halved_are_refused():
    with pytest.raises(ValueError, match="stages and dim"):
        ModelConfig(encoder="resenc", dim=36, heads=3, stages=(1, 1, 1, 1))
