"""Series as each vendor writes them, made up, are read as dcm2niix reads them: voxels, place, b-values, directions."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from imaging.headers.headers import HeaderReader
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan
from tests.imaging.vendor_forms import FORMS
from tests.imaging.vendor_series import LEFT_OUT, VARIANTS, Maker

DCM2NIIX = Path(sys.executable).with_name("dcm2niix")
SERIES = VARIANTS | FORMS

pytestmark = pytest.mark.skipif(not DCM2NIIX.is_file(), reason="found no dcm2niix, needed it beside python: make setup")


@pytest.fixture(scope="module")
def converted(dataset, file_of, tmp_path_factory):
    """Name of a series to its files and the NIfTI files that one run of dcm2niix made of all."""
    root = tmp_path_factory.mktemp("series")
    files = {}
    for number, (name, make) in enumerate(SERIES.items(), 100):
        maker = Maker(dataset, f"s{number}", number)
        make(maker)
        files[name] = [file_of(made) for made in maker.made]
        for k, data in enumerate(files[name]):
            (root / f"{number}-{k:03d}.dcm").write_bytes(data)
    out = tmp_path_factory.mktemp("nifti")
    subprocess.run([str(DCM2NIIX), "-z", "n", "-f", "%p_%s_%e", "-o", str(out), str(root)], capture_output=True)
    return {name: (files[name], sorted(out.glob(f"s{n}_*.nii"))) for n, name in enumerate(SERIES, 100)}


def ours(files):
    reader = HeaderReader()
    headers = [reader.read(data) for data in files]
    found = plan(headers)
    assert not found.rejected
    return [assemble(volume, lambda i: stored_pixels(files[i], headers[i])) for volume in found.volumes]


def along_axes(path, image):
    """dcm2niix's directions along the axes of the canonical image."""
    vectors = np.loadtxt(path.with_suffix(".bvec")).reshape(3, -1)
    if np.linalg.det(image.affine[:3, :3]) > 0:
        vectors = vectors * [[-1], [1], [1]]
    moved = np.zeros_like(vectors)
    for old, (new, flip) in enumerate(nib.io_orientation(image.affine)):
        moved[int(new)] = vectors[old] * flip
    return moved.T


def same(volume, path):
    image = nib.load(path)
    expected = nib.as_closest_canonical(image)
    values = np.asarray(expected.dataobj, dtype=np.float64)
    mine = volume.array.astype(np.float64) * volume.slope + volume.intercept
    if mine.shape != values.shape or np.abs(volume.affine - expected.affine).max() > 1e-3:
        return False
    if not np.allclose(mine, values, rtol=1e-6, atol=1e-6 * np.abs(values).max()):
        return False
    if not path.with_suffix(".bval").is_file():
        return True
    stated = volume.bvals is not None and np.allclose(np.loadtxt(path.with_suffix(".bval")), volume.bvals)
    return stated and np.abs(along_axes(path, image) - volume.bvecs).max() < 1e-3


@pytest.mark.parametrize("name", SERIES)
def test_volumes_are_those_of_dcm2niix(converted, name):
    files, references = converted[name]
    volumes = ours(files)
    matched = Counter(next((p.name for p in references if same(v, p)), "none") for v in volumes)
    assert len(references) - LEFT_OUT.get(name, 0) == sum(matched[p.name] for p in references) > 0
    assert set(matched.values()) == {1}
