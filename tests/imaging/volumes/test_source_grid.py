"""A label map lands on the grid of the file that its image came from, whatever that file's axes are."""

import gzip
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.nifti import nifti
from imaging.volumes.source_grid import on_source_grid

_AXES = ["".join(letters) for letters in product("LR", "PA", "IS") for letters in permutations(letters)]


def _file(codes, kind=nib.Nifti1Image, steps=0, tilt=0.1):
    """An image with axes of these codes, whose voxels are all different."""
    shape = (3, 4, 5, steps) if steps else (3, 4, 5)
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[0, 1], affine[:3, 3] = tilt, (-7, 5, 11)
    image = kind(array, affine)
    orientation = nib.orientations.axcodes2ornt(codes)
    return image.as_reoriented(nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), orientation))


@settings(max_examples=48, deadline=None)
@given(
    st.sampled_from(_AXES), st.sampled_from([nib.Nifti1Image, nib.Nifti2Image]), st.booleans(), st.sampled_from([0, 2])
)
def test_what_is_made_on_the_volume_fits_the_file_voxel_by_voxel(codes, kind, zipped, steps):
    image = _file(codes, kind, steps)
    data = gzip.compress(image.to_bytes()) if zipped else image.to_bytes()
    volume = nifti.read(data)
    first = volume.array[..., 0] if steps else volume.array
    placed = on_source_grid(first, volume, data)
    stored = np.asarray(image.dataobj)
    np.testing.assert_array_equal(placed.array, stored[..., 0] if steps else stored)
    np.testing.assert_allclose(placed.affine, image.affine, atol=1e-4)


def test_a_map_of_another_grid_is_refused():
    data = _file("LPS").to_bytes()
    with pytest.raises(ValueError, match="needed"):
        on_source_grid(np.zeros((5, 4, 3)), nifti.read(data), data)
