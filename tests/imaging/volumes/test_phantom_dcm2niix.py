"""What dcm2niix, which was not made by us, reads in a phantom's files is what the phantom's truth says."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from imaging.phantom import BodyPart, PhantomConfig, Vendor, generate

DCM2NIIX = Path(sys.executable).with_name("dcm2niix")

pytestmark = pytest.mark.skipif(not DCM2NIIX.is_file(), reason="found no dcm2niix, needed it beside python: make setup")


@pytest.fixture(scope="module", params=[(v, part) for v in Vendor for part in BodyPart], ids=lambda p: "-".join(p))
def converted(request, tmp_path_factory):
    """The truth of two studies, and the NIfTI file and base name that dcm2niix made of each of its series."""
    vendor, part = request.param
    root = tmp_path_factory.mktemp("study")
    config = PhantomConfig(
        "study", seed=11, subjects=2, vendors=(vendor,), body_parts=(part,), matrix=40, slices=12, faults=False
    )
    generate(root / "study", root / "answers", config)
    (root / "nifti").mkdir()
    command = [str(DCM2NIIX), "-z", "n", "-f", "%j", "-o", str(root / "nifti"), str(root / "study")]
    subprocess.run(command, check=True, capture_output=True)
    truth = json.loads((root / "answers" / "truth.json").read_text())
    return truth, {uid: root / "nifti" / f"{uid}.nii" for uid in truth}


def _on_grid_of(image: nib.Nifti1Image, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stored integers and affine of an image, its axes permuted and flipped to those of another affine."""
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.io_orientation(affine))
    stored = np.asarray(image.dataobj.get_unscaled())
    shape = image.shape[:3]
    return nib.apply_orientation(stored, turn), image.affine @ nib.orientations.inv_ornt_aff(turn, shape)


def test_every_series_has_its_voxels_where_the_truth_has_them(converted):
    truth, files = converted
    assert len(truth) == 8
    for uid, expected in truth.items():
        affine = np.reshape(expected["affine"], (4, 4))
        stored, found = _on_grid_of(nib.load(files[uid]), affine)
        np.testing.assert_allclose(found, affine, atol=2e-3)
        if stored.ndim == 3:
            stored = stored[..., None]
        digest = hashlib.sha256(np.ascontiguousarray(stored, dtype="<i4").tobytes()).hexdigest()
        assert digest == expected["voxels_sha256"], expected["contrast"]


def test_diffusion_has_its_b_values_and_directions(converted):
    truth, files = converted
    diffusion = {uid: facts for uid, facts in truth.items() if facts["contrast"] == "DWI"}
    assert len(diffusion) == 2
    for uid, expected in diffusion.items():
        assert np.loadtxt(files[uid].with_suffix(".bval")).tolist() == [0, 1000, 1000, 1000] == expected["bvals"]
        # FSL's vectors count along the image's axes, the first one turned where the axes are right-handed
        vectors = np.loadtxt(files[uid].with_suffix(".bvec"))
        affine = nib.load(files[uid]).affine
        if np.linalg.det(affine) > 0:
            vectors[0] *= -1
        axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        np.testing.assert_allclose((axes @ vectors).T * [-1, -1, 1], expected["gradients_lps"], atol=1e-3)


def test_scaling_and_settings_are_read_as_meant(converted):
    truth, files = converted
    for uid, expected in truth.items():
        sidecar = json.loads(files[uid].with_suffix(".json").read_text())
        assert sidecar["EchoTime"] == pytest.approx(expected["echo_time"] / 1000)
        assert sidecar["RepetitionTime"] == pytest.approx(expected["repetition_time"] / 1000)
        assert sidecar.get("InversionTime") == (
            pytest.approx(expected["inversion_time"] / 1000) if expected["inversion_time"] else None
        )
        assert sidecar["Manufacturer"].lower() == expected["vendor"]
        if expected["vendor"] == Vendor.PHILIPS:
            assert sidecar["PhilipsRescaleSlope"] == pytest.approx(expected["slope"], rel=1e-4)
            assert sidecar["PhilipsScaleSlope"] == pytest.approx(1 / expected["true_slope"], rel=1e-4)
