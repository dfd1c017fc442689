"""Real scans give the volumes that dcm2niix gives: the same voxels, at the same place."""

import nibabel as nib
import numpy as np
import pydicom.pixels
import pytest

from imaging.headers.reading import read_header
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan

pytestmark = pytest.mark.data


def get_decoder_available(syntax):
    uid = pydicom.uid.UID(syntax)
    return not uid.is_compressed or uid.is_deflated or pydicom.pixels.get_decoder(uid).is_available


def volumes_of(paths):
    files = [path.read_bytes() for path in paths]
    headers = [read_header(data) for data in files]
    found = plan(headers)
    return [assemble(volume, lambda i: stored_pixels(files[i], headers[i])) for volume in found.volumes], found.rejected


def assert_equal(volume, reference):
    image = nib.load(reference)
    stored = nib.Nifti1Image(np.asarray(image.dataobj.get_unscaled()), image.affine)
    expected = nib.as_closest_canonical(stored)
    np.testing.assert_array_equal(volume.array, np.asarray(expected.dataobj))
    np.testing.assert_allclose(volume.affine, expected.affine, atol=1e-3)
    assert volume.slope == pytest.approx(image.dataobj.slope, rel=1e-5)
    assert volume.intercept == pytest.approx(image.dataobj.inter, rel=1e-5)


@pytest.mark.parametrize("number", [4, 5, 6, 7])
def test_ge_functional_series_equal_their_references(shared_data, number):
    root = shared_data / "dcm_qa_nih"
    (volume,), rejected = volumes_of(sorted((root / f"In/20180918GE/mr_000{number}").iterdir()))
    assert not rejected
    assert_equal(volume, root / f"Ref/DCM2NIIX_regression_test_{number}.nii")
    assert volume.kind == "dynamic"
    assert volume.times.tolist() == [5.0 * k for k in range(10)]


@pytest.mark.parametrize(("number", "name"), [(3, "AP_3"), (4, "PA_4"), (5, "RL_5"), (6, "LR_6")])
def test_siemens_mosaics_equal_their_references(shared_data, number, name):
    root = shared_data / "dcm_qa_nih"
    (volume,), rejected = volumes_of(sorted((root / f"In/20180918Si/mr_000{number}").iterdir()))
    assert not rejected
    assert_equal(volume, root / f"Ref/EPI_PE={name}.nii")


@pytest.mark.parametrize("number", range(1, 10))
def test_every_transfer_syntax_gives_the_same_voxels(shared_data, number):
    root = shared_data / "dcm_qa_ts"
    path = root / f"In/{number}.dcm"
    if not get_decoder_available(read_header(path.read_bytes()).transfer_syntax):
        pytest.skip("found no installed decoder of this transfer syntax, needed a pydicom plugin such as pylibjpeg")
    (volume,), rejected = volumes_of([path])
    assert not rejected
    assert_equal(volume, root / f"Ref/{number}.nii")


def test_a_siemens_enhanced_series_equals_its_reference(shared_data):
    root = shared_data / "dcm_qa_enh"
    (volume,), rejected = volumes_of(sorted((root / "In/Siemens/XA10").iterdir()))
    assert not rejected
    assert_equal(volume, root / "Ref/Siemens_REST1_w_SMS_PF7-8_6.nii")


def test_a_philips_enhanced_field_map_equals_its_references(shared_data):
    root = shared_data / "dcm_qa_enh"
    volumes, rejected = volumes_of(sorted((root / "In/Philips").iterdir()))
    assert not rejected
    for volume, name in zip(volumes, ("e1", "e2_fieldmaphz"), strict=True):
        assert_equal(volume, root / f"Ref/Philips_WIP_B0_NS_801_{name}.nii")
