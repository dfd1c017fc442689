"""b-values and gradient directions come out in one frame, whatever the vendor's dialect."""

import numpy as np
import pytest

from imaging.errors import ImagingError
from imaging.headers.reading import read_header

AXIAL, CORONAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]


def siemens(made, b_value, direction):
    block = made.private_block(0x19, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", b_value)
    if direction:
        block.add_new(0x0E, "FD", direction)


def philips(made, b_value, direction):
    made.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", float(b_value))
    block = made.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    for low, component in zip((0xB0, 0xB1, 0xB2), direction or (0.0, 0.0, 0.0), strict=True):
        block.add_new(low, "FL", component)


def standard(made, b_value, direction):
    made.DiffusionBValue = float(b_value)
    if direction:
        made.DiffusionGradientOrientation = direction


def ge(made, b_value, direction, phase="COL", orientation=AXIAL):
    made.ImageOrientationPatient = orientation
    made.InPlanePhaseEncodingDirection = phase
    made.private_block(0x43, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [1_000_000_000 + b_value, 0, 0, 0])
    block = made.private_block(0x19, "GEMS_ACQU_01", create=True)
    for low, component in zip((0xBB, 0xBC, 0xBD), direction or (0.0, 0.0, 0.0), strict=True):
        block.add_new(low, "DS", f"{component:.6f}")


@pytest.mark.parametrize("dialect", [siemens, philips, standard], ids=lambda f: f.__name__)
@pytest.mark.parametrize("crowded", [False, True], ids=["first block", "second block"])
def test_dialects_in_patient_coordinates_agree(dataset, file_of, dialect, crowded):
    for b_value, direction in ((0, None), (1000, [0.6, 0.0, 0.8])):
        made = dataset()
        if crowded:
            for group in (0x19, 0x2001, 0x2005):
                made.private_block(group, "SOMEBODY ELSE", create=True).add_new(0x0C, "IS", 7)
        dialect(made, b_value, direction)
        header = read_header(file_of(made))
        assert header.b_value == b_value
        assert header.gradient == pytest.approx(direction or ())


def test_an_image_without_a_single_direction_has_none(dataset, file_of):
    made = dataset()
    philips(made, 1000, (0.0, 0.0, 0.0))
    header = read_header(file_of(made))
    assert (header.b_value, header.gradient) == (1000, ())


@pytest.mark.parametrize(
    ("orientation", "phase", "expected"),
    [  # rows: where dcm2niix 1.0.20260724 puts frequency, phase and slice, as (row, column, normal)
        (AXIAL, "COL", [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]),
        (AXIAL, "ROW", [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
        (CORONAL, "COL", [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        (CORONAL, "ROW", [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        (SAGITTAL, "COL", [[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
        (SAGITTAL, "ROW", [[0, -1, 0], [1, 0, 0], [0, 0, -1]]),
    ],
)
def test_ge_logical_axes_become_patient_axes(dataset, file_of, orientation, phase, expected):
    row, column = np.array(orientation, float).reshape(2, 3)
    frame = np.stack([row, column, np.cross(row, column)])
    for direction, along in zip(np.eye(3), expected, strict=True):
        made = dataset()
        ge(made, 1000, direction.tolist(), phase, orientation)
        header = read_header(file_of(made))
        assert header.b_value == 1000
        assert header.gradient == pytest.approx(np.array(along) @ frame)


def test_ge_shells_are_the_nominal_value_times_the_squared_length(dataset, file_of):
    made = dataset()
    ge(made, 3000, (0.57735, 0.0, 0.0))
    header = read_header(file_of(made))
    assert header.b_value == 1000
    assert np.linalg.norm(header.gradient) == pytest.approx(1)


def test_a_negative_b_value_is_refused(dataset, file_of):
    made = dataset()
    siemens(made, -5, None)
    with pytest.raises(ImagingError, match="negative b-value"):
        read_header(file_of(made))


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({(0x19, "GEMS_ACQU_01", 0xE0, "DS"): "30"}, 0),
        ({}, 0),
        ({(0x19, "GEMS_ACQU_01", 0xE0, "DS"): "0"}, 1000),
        ({(0x43, "GEMS_PARM_01", 0x30, "SS"): 14}, 0),
        ({(0x43, "GEMS_PARM_01", 0x30, "SS"): 3}, 1000),
        ({(0x21, "GEMS_RELA_01", 0x5A, "SL"): 3}, 1000),
    ],
    ids=["tensor", "unknown", "no directions", "unweighted of a tensor", "another kind", "another kind of series"],
)
def test_ge_images_without_direction_are_unweighted_in_a_tensor_scan_alone(dataset, file_of, elements, expected):
    made = dataset()
    ge(made, 1000, None)
    for (group, creator, low, representation), value in elements.items():
        made.private_block(group, creator, create=True).add_new(low, representation, value)
    assert read_header(file_of(made)).b_value == expected


def test_impossible_directions_of_old_siemens_scanners_are_unweighted(dataset, file_of):
    made = dataset()
    siemens(made, 1000, [-1.5, -1.5, -1.5])
    header = read_header(file_of(made))
    assert (header.b_value, header.gradient) == (0, ())


def test_united_imagings_own_direction_counts_more_than_the_standards(dataset, file_of):
    made = dataset(DiffusionBValue=990.0, DiffusionGradientOrientation=[0.0, 0.0, 1.0])
    block = made.private_block(0x65, "Image Private Header", create=True)
    block.add_new(0x09, "FD", 1000.0)
    block.add_new(0x37, "FD", [0.6, 0.8, 0.0])
    header = read_header(file_of(made))
    assert header.b_value == 1000
    assert header.gradient == pytest.approx((0.6, 0.8, 0.0))
