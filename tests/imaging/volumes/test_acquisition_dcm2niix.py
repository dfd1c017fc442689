"""What dcm2niix, which was not made by us, reads of how a series was acquired is what we read.

dcm2niix works in single precision, and to 1/128 s where it takes slice times from times of day; and it writes its
facts along the axes of its file, so that the comparison turns them.
"""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from imaging.headers.reading import read_header
from imaging.phantom import BodyPart, PhantomConfig, Vendor, generate
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import plan

DCM2NIIX = Path(sys.executable).with_name("dcm2niix")
needs_dcm2niix = pytest.mark.skipif(
    not DCM2NIIX.is_file(), reason="found no dcm2niix, needed it beside python: make setup"
)

CLOCK_STEP_S = 1 / 128
RASTER_S = 0.0025
"""Siemens rounds times of mosaic slices to it, and volumes of a series differ by one; dcm2niix takes either."""
ORIENTATIONS = {"axial": [1, 0, 0, 0, 1, 0], "coronal": [1, 0, 0, 0, 0, -1], "sagittal": [0, 1, 0, 0, 0, -1]}
OFFSETS = (0.0, 0.8, 0.4, 1.2, 1.6)


def converted(folder, out):
    """Affine and sidecar of each image, which overlays are not, that dcm2niix makes of a folder."""
    out.mkdir()
    command = [str(DCM2NIIX), "-b", "y", "-ba", "n", "-z", "n", "-f", "%s_%j", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    sidecars = [(path.with_suffix(".nii"), json.loads(path.read_text())) for path in out.glob("*.json")]
    return [(nib.load(image).affine, sidecar) for image, sidecar in sidecars]


def ours(paths):
    """The volumes of files."""
    files = [path.read_bytes() for path in paths]
    headers = [read_header(data) for data in files]
    found = plan(headers)
    return [assemble(volume, lambda i: stored_pixels(files[i], headers[i])) for volume in found.volumes]


def assert_alike(volume, affine, sidecar, slice_tolerance=1e-5):
    """The facts of a volume are those of a sidecar whose file has this affine."""
    acquisition, turn = volume.acquisition, nib.io_orientation(affine)
    assert acquisition.phase_encoding == turned(sidecar.get("PhaseEncodingDirection"), turn)
    planar = sidecar.get("TotalReadoutTime")
    assert acquisition.readout_time == (None if planar is None else pytest.approx(planar, rel=1e-5))
    times = sidecar.get("SliceTiming")
    assert (acquisition.slice_times is None) == (times is None)
    if times is not None:
        assert acquisition.slice_axis == turn[2, 0]
        times = times[::-1] if turn[2, 1] < 0 else times
        np.testing.assert_allclose(acquisition.slice_times, times, atol=slice_tolerance)
    for name, field, unit in (
        ("echo_time", "EchoTime", 1000),
        ("repetition_time", "RepetitionTime", 1000),
        ("flip_angle", "FlipAngle", 1),
        ("inversion_time", "InversionTime", 1000),
    ):
        stated = sidecar.get(field)
        assert getattr(acquisition, name) == (None if stated is None else pytest.approx(stated * unit, rel=1e-5))
    if volume.kind == "dynamic" and volume.times is not None:
        assert np.diff(volume.times) == pytest.approx(sidecar["RepetitionTime"], abs=1e-3)


def turned(direction, turn):
    """A direction along the axes of a file, along those of the closest canonical ones."""
    if direction is None:
        return None
    axis, sign = turn["ijk".index(direction[0])]
    return "ijk"[int(axis)] + ("-" if direction.endswith("-") != (sign < 0) else "")


@needs_dcm2niix
@pytest.mark.parametrize("maker", ["SIEMENS", "GE MEDICAL SYSTEMS", "UIH", "Philips"])
def test_made_up_functional_series_of_all_planes_and_phase_axes(dataset, file_of, tmp_path, maker):
    stated = {
        "SIEMENS": (0x0021, "SIEMENS MR SDI 02", 0x1C, "IS"),
        "UIH": (0x0065, "Image Private Header", 0x58, "IS"),
    }
    cases = list(product(ORIENTATIONS, ("COL", "ROW"), (0, 1)))
    for number, (plane, axis, polarity) in enumerate(cases):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        orientation = ORIENTATIONS[plane]
        normal = np.cross(orientation[:3], orientation[3:])
        for step, place in product(range(2), range(5)):
            image = dataset(
                np.full((8, 8), 10 * step + place, np.int16),
                Manufacturer=maker, ImageOrientationPatient=orientation, SeriesNumber=number,
                ImagePositionPatient=[float(x) for x in normal * 3 * place], SliceThickness=3,
                InstanceNumber=step * 5 + place + 1, AcquisitionNumber=step + 1, InPlanePhaseEncodingDirection=axis,
                AcquisitionDate="20200101", AcquisitionTime=f"{101500 + 2 * step + OFFSETS[place]:013.6f}",
                EchoTime=30, RepetitionTime=2000, FlipAngle=70, MRAcquisitionType="2D", ScanningSequence=["EP", "GR"],
                AcquisitionMatrix=[8, 0, 0, 8], ScanOptions="EPI_GEMS", StudyDate="20200101", StudyTime="101000",
            )  # fmt: skip
            if maker in stated:
                group, creator, low, vr = stated[maker]
                image.private_block(group, creator, create=True).add_new(low, vr, polarity)
            if maker == "SIEMENS":
                image.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x28, "FD", 24.4)
            if maker.startswith("GE"):
                image.RectilinearPhaseEncodeReordering = ["LINEAR", "REVERSE_LINEAR"][polarity]
                block = image.private_block(0x0043, "GEMS_PARM_01", create=True)
                block.add_new(0x2C, "SS", 500)
                block.add_new(0x83, "DS", ["1", "1"])
            (folder / f"{step}{place}.dcm").write_bytes(file_of(image))
        (volume,) = ours(sorted(folder.iterdir()))
        ((affine, sidecar),) = converted(folder, tmp_path / f"{number}.out")
        assert_alike(volume, affine, sidecar, CLOCK_STEP_S)


@needs_dcm2niix
@pytest.mark.parametrize("vendor", list(Vendor))
def test_every_series_of_a_phantom(tmp_path, vendor):
    config = PhantomConfig(
        "study", seed=5, subjects=1, vendors=(vendor,), body_parts=(BodyPart.HEAD,), matrix=32, slices=8, faults=False
    )
    generate(tmp_path / "study", tmp_path / "answers", config)
    series = {}
    for path in (tmp_path / "study").rglob("*"):
        if path.is_file() and (data := path.read_bytes())[128:132] == b"DICM":
            header = read_header(data)
            series.setdefault((header.series_number, header.series_uid), []).append(path)
    sidecars = {s["SeriesNumber"]: (affine, s) for affine, s in converted(tmp_path / "study", tmp_path / "out")}
    assert len(series) == len(sidecars) == 4
    for (number, _), paths in series.items():
        (volume,) = ours(sorted(paths))
        affine, sidecar = sidecars[number]
        planar = "EP" in sidecar["ScanningSequence"]
        assert (volume.acquisition.readout_time is not None) == (planar and vendor is not Vendor.PHILIPS)
        assert (volume.acquisition.slice_times is not None) == (planar and vendor is Vendor.SIEMENS)
        assert_alike(volume, affine, sidecar, CLOCK_STEP_S)


GE_SERIES = [(f"In/20180918GE/mr_000{n}", f"Ref/DCM2NIIX_regression_test_{n}") for n in (4, 5, 6, 7)]
SIEMENS_SERIES = [
    (f"In/20180918Si/mr_000{n}", f"Ref/EPI_PE={way}_{n}") for n, way in ((3, "AP"), (4, "PA"), (5, "RL"), (6, "LR"))
]
REFERENCES = [
    *(("dcm_qa_nih", *pair) for pair in GE_SERIES + SIEMENS_SERIES),
    ("dcm_qa_enh", "In/Siemens/XA10", "Ref/Siemens_REST1_w_SMS_PF7-8_6"),
    ("dcm_qa_ts", "In/1.dcm", "Ref/1"),
]


@pytest.mark.data
@pytest.mark.parametrize(("dataset_name", "given", "reference"), REFERENCES, ids=lambda text: text.rpartition("/")[2])
def test_scanners_own_series_equal_their_references(shared_data, dataset_name, given, reference):
    path, stem = shared_data / dataset_name / given, shared_data / dataset_name / reference
    (volume,) = ours([path] if path.is_file() else sorted(path.iterdir()))
    sidecar = json.loads(Path(f"{stem}.json").read_text())
    assert {"SliceTiming", "PhaseEncodingDirection", "TotalReadoutTime"} <= sidecar.keys()
    assert_alike(volume, nib.load(f"{stem}.nii").affine, sidecar, RASTER_S)


@pytest.mark.data
def test_a_philips_field_map_states_no_polarity_and_no_read_out(shared_data):
    echo, field = ours(sorted((shared_data / "dcm_qa_enh/In/Philips").iterdir()))
    assert echo.acquisition.echo_time == pytest.approx(1.52)
    for volume in (echo, field):
        assert volume.acquisition.phase_encoding is None
        assert volume.acquisition.readout_time is None
        assert volume.acquisition.slice_times is None
        assert volume.acquisition.repetition_time == pytest.approx(3.8045)
