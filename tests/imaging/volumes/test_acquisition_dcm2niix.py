"""What dcm2niix, which was not made by us, reads of how a series was acquired is what we read.

dcm2niix works in single precision, and to 1/128 s where it takes slice times from times of day; and it writes its
facts along the axes of its file, so that the comparison turns them.
"""

import gzip
import json
import struct
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


def assert_alike(volume, affine, sidecar, slice_tolerance=1e-5, pause=0.0):
    """The facts of a volume are those of a sidecar whose file has this affine.

    The pause after each volume of GE is in dcm2niix's repetition time, and here in the times of the steps alone.
    """
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
        if field == "RepetitionTime" and pause:
            stated -= pause
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


def alike(folder, files, pause=0.0):
    """The one volume of files, by name, if it has the facts that dcm2niix finds."""
    folder.mkdir()
    for name, data in files.items():
        (folder / f"{name}.dcm").write_bytes(data)
    (volume,) = ours(sorted(folder.iterdir()))
    ((affine, sidecar),) = converted(folder, folder.with_suffix(".out"))
    assert_alike(volume, affine, sidecar, pause=pause)
    return volume


PLANAR = {
    "SeriesNumber": 1,
    "SliceThickness": 3, "SpacingBetweenSlices": 3, "InPlanePhaseEncodingDirection": "COL", "EchoTime": 30,
    "FlipAngle": 70, "MRAcquisitionType": "2D", "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "AcquisitionMatrix": [8, 0, 0, 8], "StudyDate": "20200101", "StudyTime": "101000",
}  # fmt: skip


@needs_dcm2niix
@pytest.mark.parametrize(
    "release",
    [
        "27\\LX\\MR Software release:RX27.0_R02_1831.a",
        "27\\LX\\MR Software release:RX27.0_R03_1831.b",
        "28\\LX\\MR29.1_EA_2039.g",
        "30\\LX\\SIGNA_LX1.MR30.0_R01_2233.a",
        "25\\LX\\MR Software release:DV25.0_R02_1549.b",
    ],
)
def test_ge_slices_that_are_excited_together(dataset, file_of, tmp_path, release):
    """Even and odd numbers of excitations, groups that lack a slice, either direction, with a pause and without."""
    packed = gzip.compress(b'SLICEORDER "1"\n')
    protocol = struct.pack("<I", len(packed)) + packed
    groups = product(((6, 1), (12, 2), (11, 3), (10, 2), (4, 2)), (False, True))
    for number, ((depth, together), downwards) in enumerate(groups):
        pause, files = 0.25 * downwards, {}
        for step, place in product(range(3), range(depth)):
            image = dataset(
                np.full((8, 8), 20 * step + place, np.int16), **PLANAR, Manufacturer="GE MEDICAL SYSTEMS",
                ImagePositionPatient=[0, 0, 3.0 * (depth - 1 - place if downwards else place)], RepetitionTime=2000,
                InstanceNumber=step * depth + place + 1, AcquisitionNumber=1, SoftwareVersions=release.split("\\"),
                ScanningSequence=["EP", "GR"], ScanOptions=["EPI_GEMS", "HYPERBAND_GEMS"], AcquisitionTime="101500",
                RectilinearPhaseEncodeReordering="LINEAR", NumberOfTemporalPositions=3, ImagesInAcquisition=3 * depth,
            )  # fmt: skip
            parameters = image.private_block(0x0043, "GEMS_PARM_01", create=True)
            for low, vr, value in ((0x2C, "SS", 500), (0x83, "DS", [1, 1]), (0xB6, "LO", [f"{together}", "4", "19"])):
                parameters.add_new(low, vr, value)
            if pause:
                parameters.add_new(0x7C, "FL", pause)
            names = image.private_block(0x0019, "GEMS_ACQU_01", create=True)
            names.add_new(0x9C, "LO", "epiRT")
            names.add_new(0x9E, "LO", "EPI")
            image.private_block(0x0021, "GEMS_RELA_01", create=True).add_new(0x4F, "SL", depth)
            image.private_block(0x0025, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", protocol)
            files[f"{step}{place:02d}"] = file_of(image)
        volume = alike(tmp_path / f"{number}", files, pause)
        assert np.diff(volume.times) == pytest.approx(2 + pause)
        assert (volume.acquisition.slice_times is None) == (together > 1 and "25.0" in release)


@needs_dcm2niix
@pytest.mark.parametrize(
    ("model", "variable", "release", "stated"),
    [
        ("SIGNA Architect", None, "28\\LX\\MR29.1_EA_2039.g", True),
        ("DISCOVERY MR750", None, "27\\LX\\MR Software release:RX27.0_R02_1831.a", True),
        ("DISCOVERY MR750", None, "25\\LX\\MR Software release:DV25.0_R02_1549.b", False),
        ("SIGNA Premier", None, "28\\LX\\MR29.1_EA_2039.g", False),
        ("SIGNA Premier", 0.72, "28\\LX\\MR29.1_EA_2039.g", True),
        ("SIGNA Premier", 0.53, "28\\LX\\MR29.1_EA_2039.g", False),
        ("SIGNA UHP", 0.53, "28\\LX\\MR29.1_EA_2039.g", True),
        ("SIGNA 7.0T", 0.0, "28\\LX\\MR29.1_EA_2039.g", False),
    ],
)
def test_ge_diffusion_of_models_that_cycle_and_others(dataset, file_of, tmp_path, model, variable, release, stated):
    packed = gzip.compress(b'SLICEORDER "1"\n')
    for number, (depth, together) in enumerate(((12, 2), (11, 3))):
        files = {}
        for step, place in product(range(3), range(depth)):
            image = dataset(
                np.full((8, 8), 20 * step + place, np.int16), **PLANAR, Manufacturer="GE MEDICAL SYSTEMS",
                ManufacturerModelName=model, SoftwareVersions=release.split("\\"), ScanningSequence=["EP", "SE"],
                ImagePositionPatient=[0, 0, 3.0 * place], InstanceNumber=step * depth + place + 1, RepetitionTime=4000,
                ScanOptions=["EPI_GEMS", "HYPERBAND_GEMS"], AcquisitionTime="101500", ImagesInAcquisition=3 * depth,
                RectilinearPhaseEncodeReordering="LINEAR", NumberOfTemporalPositions=3, AcquisitionNumber=1,
            )  # fmt: skip
            parameters = image.private_block(0x0043, "GEMS_PARM_01", create=True)
            weighting = [1000 * (step > 0), 8, 0, 0]
            for low, vr, value in ((0x2C, "SS", 500), (0x83, "DS", [1, 1]), (0x39, "IS", weighting)):
                parameters.add_new(low, vr, value)
            parameters.add_new(0xB6, "LO", [f"{together}", "4", "19"])
            sequence = image.private_block(0x0019, "GEMS_ACQU_01", create=True)
            sequence.add_new(0x9E, "LO", "EPI2")
            for low, value in ((0xBB, step == 1), (0xBC, step == 2), (0xBD, 0), (0xE0, 2), (0xB6, variable)):
                if value is not None:
                    sequence.add_new(low, "DS", float(value))
            image.private_block(0x0021, "GEMS_RELA_01", create=True).add_new(0x4F, "SL", depth)
            protocol = struct.pack("<I", len(packed)) + packed
            image.private_block(0x0025, "GEMS_SERS_01", create=True).add_new(0x1B, "OB", protocol)
            files[f"{step}{place:02d}"] = file_of(image)
        volume = alike(tmp_path / f"{number}", files)
        assert volume.kind == "diffusion"
        assert (volume.acquisition.slice_times is not None) == stated


@needs_dcm2niix
@pytest.mark.parametrize("axis", ["ROW", "COL"])
def test_read_out_of_ge_images_interpolated_or_not(dataset, file_of, tmp_path, axis):
    cases = product((16, 20), ((20, 24), (40, 32)), (1, 0.5, 0.333333), (False, True))
    for number, (lines, shape, factor, partial) in enumerate(cases):
        files, across = {}, shape[axis == "COL"]
        matrix = [0, across, lines, 0] if axis == "ROW" else [across, 0, 0, lines]
        for step, place in product(range(2), range(3)):
            image = dataset(
                np.full(shape, 20 * step + place, np.int16), **PLANAR | {"InPlanePhaseEncodingDirection": axis},
                Manufacturer="GE MEDICAL SYSTEMS", ImagePositionPatient=[0, 0, 3.0 * place], RepetitionTime=2000,
                InstanceNumber=step * 3 + place + 1, ScanningSequence=["EP", "GR"], AcquisitionTime="101500",
                ScanOptions=["EPI_GEMS", "PFF"] if partial else ["EPI_GEMS"], ImagesInAcquisition=6,
                NumberOfTemporalPositions=2, RectilinearPhaseEncodeReordering="LINEAR",
            )  # fmt: skip
            image.AcquisitionMatrix = matrix
            parameters = image.private_block(0x0043, "GEMS_PARM_01", create=True)
            parameters.add_new(0x2C, "SS", 500 + number)
            parameters.add_new(0x83, "DS", [factor, 1])
            files[f"{step}{place}"] = file_of(image)
        assert alike(tmp_path / f"{number}", files).acquisition.readout_time


@needs_dcm2niix
@pytest.mark.parametrize("repetition", [1200, 2000])
@pytest.mark.parametrize("mosaic", [True, False])
def test_siemens_first_volume_that_is_written_as_if_its_slices_were_alone(
    dataset, file_of, tmp_path, mosaic, repetition
):
    """Siemens XA with simultaneous slices: the second volume is right, be the first one within a repetition or not."""
    together = [0.0, 0.6, 0.3, 0.9] * 2
    alone = [
        share * (2.1 if repetition == 1200 else 1.05) for share in (0, 4 / 7, 1 / 7, 5 / 7, 2 / 7, 6 / 7, 3 / 7, 1)
    ]
    files = {}
    shared = PLANAR | {"Manufacturer": "SIEMENS", "SoftwareVersions": "syngo MR XA31", "ScanningSequence": "EP"}
    for step, times in enumerate((alone, together, together)):
        shared |= {"RepetitionTime": repetition, "AcquisitionNumber": step + 1}
        if mosaic:
            tiles = np.repeat(np.repeat(np.arange(9).reshape(3, 3), 8, 0), 8, 1).astype(np.uint16) + step
            image = dataset(
                tiles, **shared, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], InstanceNumber=step + 1,
                ImagePositionPatient=[0, 0, 0], AcquisitionTime=f"{101500 + step * repetition / 1000:013.6f}",
            )  # fmt: skip
            block = image.private_block(0x0019, "SIEMENS MR HEADER", create=True)
            block.add_new(0x0A, "US", 8)
            block.add_new(0x29, "FD", [1000 * time for time in times])
            image.private_block(0x0029, "LARMOR FACTS", create=True).add_new(0x01, "FD", [0.0, 0.0, 1.0])
            files[f"{step}"] = file_of(image)
            continue
        for place, time in enumerate(times):
            image = dataset(
                np.full((8, 8), 10 * step + place, np.uint16), **shared, InstanceNumber=step * 8 + place + 1,
                ImageType=["ORIGINAL", "PRIMARY", "M", "ND"], ImagePositionPatient=[0, 0, 3.0 * place],
            )  # fmt: skip
            start = f"{step * repetition / 1000 + time:.4f}"
            image.private_block(0x0021, "SIEMENS MR SDI 02", create=True).add_new(0x04, "DS", start)
            files[f"{step}{place}"] = file_of(image)
    assert alike(tmp_path / "series", files).acquisition.slice_times == tuple(together)
