"""A volume is the same image to numpy, torch and nibabel, and a box in millimetres holds the voxels it should."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.voxels import views
from lake.voxels.volumes import Volumes
from tests import synthetic


@pytest.fixture
def volumes(lake):
    synthetic.fill(lake, {"a": ["S1"]})
    return Volumes(lake)


def one(volumes, contrast):
    return next(row["volume"] for row in volumes.rows(columns=["volume", "contrast"]) if row["contrast"] == contrast)


def test_an_image_has_affine_scaling_and_stored_voxels(volumes, tmp_path):
    for name in volumes.ids:
        image = volumes.image(name)
        np.testing.assert_array_equal(image.dataobj.get_unscaled(), volumes.array(name))
        assert image.dataobj.dtype == np.int16
        np.testing.assert_allclose(image.affine, synthetic.AFFINE)
        np.testing.assert_allclose(image.get_fdata(), volumes.array(name) * 1.5 - 2.0)
        assert image.header.get_xyzt_units() == ("mm", "sec")
        assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
        nib.save(image, tmp_path / "image.nii.gz")
        saved = nib.load(tmp_path / "image.nii.gz")
        np.testing.assert_allclose(saved.get_fdata(), image.get_fdata(), atol=0.05)


def test_an_image_of_a_label_map_has_no_scaling(lake, volumes):
    from schemas.tables import LABELS

    labels = Volumes(lake, LABELS)
    (name,) = labels.ids
    np.testing.assert_array_equal(labels.image(name).get_fdata(), labels.array(name))


def test_the_step_of_a_dynamic_image_is_told(volumes):
    image = views.image(np.zeros((2, 2, 2, 3), np.int16), {"affine": np.eye(4).ravel(), "times": [0.0, 2.5, 5.0]})
    assert image.header.get_zooms() == (1.0, 1.0, 1.0, 2.5)


def test_values_and_tensor_are_the_array(volumes):
    name = one(volumes, "DWI")
    assert volumes.tensor(name).shape == (*synthetic.SHAPE, 3)
    np.testing.assert_array_equal(volumes.tensor(name).numpy(), volumes.array(name))
    np.testing.assert_allclose(volumes.values(name), volumes.array(name) * 1.5 - 2.0)


@given(
    st.lists(st.floats(-40, 40), min_size=3, max_size=3),
    st.lists(st.floats(1, 60), min_size=3, max_size=3),
    st.floats(-0.7, 0.7),
)
@settings(deadline=None, max_examples=60)
def test_a_box_holds_every_voxel_whose_centre_lies_in_it(centre, size, tilt):
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3], shape = turn @ np.diag([2.0, 2.5, 3.0]), (-8, -9, 4), (8, 7, 6)
    index = np.indices(shape).reshape(3, -1).T
    places = index @ affine[:3, :3].T + affine[:3, 3]
    inside = index[(np.abs(places - centre) <= np.array(size) / 2 - 1e-5).all(axis=1)]
    try:
        start, number = views.window(affine, shape, centre, size)
    except ValueError:
        assert not len(inside)
        return
    assert (np.array(start) >= 0).all()
    assert (np.add(start, number) <= shape).all()
    if len(inside):
        assert (inside.min(axis=0) >= start).all()
        assert (inside.max(axis=0) < np.add(start, number)).all()
    if not tilt:
        reach = np.abs(np.array(start) * [2.0, 2.5, 3.0] + affine[:3, 3] - centre)
        assert (reach <= np.array(size) / 2 + 1e-4).all(), "along the axes it is no larger than the box"


def test_a_crop_in_millimetres_lies_where_its_affine_says(volumes):
    name = one(volumes, "DWI")
    # x from -6 to 0 in steps of 2, y from -4 to 1 in steps of 2.5, z from 7 to 10 in steps of 3
    voxels, affine = volumes.crop_mm(name, (-3.0, -1.5, 8.5), (6.0, 5.0, 3.0))
    np.testing.assert_array_equal(voxels, volumes.array(name)[1:5, 2:5, 1:3])
    np.testing.assert_allclose(affine @ [0, 0, 0, 1], [-6.0, -4.0, 7.0, 1.0])


@pytest.mark.parametrize("size", [(0, 1, 1), (1, 1), (np.nan, 1, 1), (1e-3, 1e-3, 1e-3)])
def test_what_is_no_box_is_refused(volumes, size):
    with pytest.raises(ValueError, match=r"found (no box|a box that holds no voxel)"):
        volumes.crop_mm(one(volumes, "T1"), (-3.1, -1.5, 8.4), size)


def test_a_crop_beyond_the_rim_is_cut_off(volumes):
    name = one(volumes, "T1")
    array = volumes.array(name)
    np.testing.assert_array_equal(volumes.crop(name, (-2, 3, 4), (5, 50, 50)), array[:3, 3:, 4:])
    assert volumes.crop(name, (-9, 0, 0), (5, 5, 5)).shape[0] == 0
