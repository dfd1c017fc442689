"""A kernel resized to another grid answers to a resized patch as it answered to the patch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.networks.kernels import interpolation, resize_kernel, resize_patch
from training.networks.vit import PatchEmbedding

FINER = st.tuples(*[st.integers(4, 16)] * 3)


def test_its_own_shape_leaves_a_kernel_as_it_is():
    kernel = torch.randn(3, 4, 4, 4)
    assert torch.equal(resize_kernel(kernel, (4, 4, 4)), kernel)


@settings(max_examples=30, deadline=None)
@given(FINER, st.integers(0, 1000))
def test_a_finer_grid_gives_the_same_answer(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    kernel, patch = torch.randn(4, 4, 4, generator=generator), torch.randn(4, 4, 4, generator=generator)
    answer = (resize_kernel(kernel, shape) * resize_patch(patch, shape)).sum()
    torch.testing.assert_close(answer, (kernel * patch).sum(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 2), (4, 8, 1), (16, 16, 1)])
def test_a_constant_patch_looks_alike_at_every_resolution(shape):
    torch.manual_seed(0)
    embed = PatchEmbedding(16, (8, 8, 8))
    patch = resize_patch(torch.randn(5, 1, 1, 1), (8, 8, 8))
    torch.testing.assert_close(embed([resize_patch(patch, shape)]), embed([patch]), rtol=1e-3, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(FINER, st.integers(0, 1000))
def test_a_ramp_looks_alike_on_a_finer_grid(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    kernel, slope = torch.randn(4, 4, 4, generator=generator), torch.randn(3, generator=generator)
    ramp = sum(a * v for a, v in zip(slope, torch.meshgrid(*[torch.arange(4.0)] * 3, indexing="ij"), strict=True))
    answer = (resize_kernel(kernel, shape) * resize_patch(ramp + 3, shape)).sum()
    torch.testing.assert_close(answer, (kernel * (ramp + 3)).sum(), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("shape", [(8, 8, 4), (4, 4, 4), (2, 8, 2), (8, 8, 1)])
def test_a_coarser_grid_is_answered_by_what_it_shows_of_a_ramp(shape):
    torch.manual_seed(0)
    kernel, slope = torch.randn(8, 8, 8), torch.randn(3)
    ramp = sum(a * v for a, v in zip(slope, torch.meshgrid(*[torch.arange(8.0)] * 3, indexing="ij"), strict=True))
    thick = resize_patch(ramp, shape)
    steps = thick
    for axis, size in enumerate(shape):
        steps = steps.repeat_interleave(8 // size, axis)
    torch.testing.assert_close(
        (resize_kernel(kernel, shape) * thick).sum(), (kernel * steps).sum(), rtol=1e-3, atol=1e-2
    )
    # thick slices keep the mean of a ramp, and its middle
    torch.testing.assert_close(thick.mean(), ramp.mean())


@pytest.mark.parametrize(("source", "target"), [(8, 3), (3, 8), (5, 5), (1, 4), (7, 1)])
def test_interpolation_keeps_a_constant_and_does_not_extrapolate(source, target):
    matrix = interpolation(source, target)
    torch.testing.assert_close(matrix.sum(1), torch.ones(target))
    assert (matrix >= 0).all()


def test_one_embedding_serves_windows_of_several_grids_in_order():
    embed = PatchEmbedding(8, (4, 4, 4))
    windows = [torch.randn(3, 4, 4, 4), torch.randn(2, 8, 8, 2), torch.randn(1, 4, 4, 4)]
    torch.testing.assert_close(embed(windows), torch.cat([embed([window]) for window in windows]))


def test_a_training_may_follow_a_prediction_in_one_process():
    interpolation.cache_clear()
    with torch.inference_mode():
        resize_patch(torch.ones(1, 3, 3, 3), (5, 5, 5))
    patch = torch.ones(1, 3, 3, 3, requires_grad=True)
    resize_patch(patch, (5, 5, 5)).sum().backward()
    assert patch.grad is not None
