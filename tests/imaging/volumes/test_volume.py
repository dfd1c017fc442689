"""A volume that contradicts itself cannot be made."""

import numpy as np
import pytest

from imaging.errors import ImagingError
from imaging.volumes.volume import Volume

ARRAY = np.zeros((2, 3, 4, 5), np.int16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"array": ARRAY[0, 0]}, "2 axes"),
        ({"array": ARRAY.astype(complex)}, "complex"),
        ({"affine": np.zeros((4, 4))}, "singular"),
        ({"affine": np.full((4, 4), np.nan)}, "singular"),
        ({"slope": 0.0}, "slope of zero"),
        ({"intercept": np.inf}, "not finite"),
        ({"kind": "film"}, "another kind"),
        ({"kind": "diffusion"}, "without b-values"),
        ({"bvals": np.zeros(4)}, "b-values of shape"),
        ({"bvecs": np.zeros((5, 2))}, "gradient directions of shape"),
        ({"times": np.full(5, np.nan)}, "times of shape"),
        ({"missing_slices": (4,)}, "missing slices outside"),
        ({"missing_slices": (2, 1)}, "not in order"),
    ],
    ids=str,
)
def test_contradictions_are_refused(changes, said):
    with pytest.raises(ImagingError, match=said):
        Volume(**({"array": ARRAY, "affine": np.eye(4), "kind": "dynamic"} | changes))


def test_values_are_stored_times_slope_plus_intercept():
    volume = Volume(np.arange(8, dtype=np.uint8).reshape(2, 2, 2), np.diag([1, 2, 3, 1.0]), slope=-0.5, intercept=3)
    assert volume.values().ravel().tolist() == [3 - 0.5 * i for i in range(8)]
    assert volume.values().dtype == np.float32
    assert (volume.spacing, volume.steps) == ((1, 2, 3), 1)
