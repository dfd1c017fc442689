"""Voxels keep their places when their order in memory changes."""

import numpy as np
import pytest

from imaging.volumes.order import x_fastest


@pytest.mark.parametrize("shape", [(17, 9, 5), (8, 3, 4, 6), (1, 1, 1)])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_every_order_becomes_the_file_s_order(shape, axes):
    array = np.arange(np.prod(shape)).reshape(shape).astype(np.int32)
    axes = (*axes, *range(3, len(shape)))
    lying = np.ascontiguousarray(array.transpose(axes)).transpose(np.argsort(axes))
    ordered = x_fastest(lying)
    assert ordered.flags.f_contiguous
    np.testing.assert_array_equal(ordered, array)


def test_what_lies_right_is_not_copied():
    array = np.zeros((4, 5, 6), order="F")
    assert x_fastest(array) is array
