"""Philips' numbers of a volume are read, in whichever representation its releases write them."""

import pytest

from imaging.headers.philips import PhilipsNumbers
from imaging.headers.reading import read_header


@pytest.mark.parametrize("representation", ["IS", "SL"])
@pytest.mark.parametrize("number", [1, 9, 48, 57, 300])
def test_numbers_are_whole_in_both_representations(dataset, file_of, representation, number):
    made = dataset(Manufacturer="Philips", SoftwareVersions="11.1\\11.1.0")
    made.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x08, "IS", 2)
    own = made.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    own.add_new(0x12, representation, number)
    own.add_new(0x13, representation, number + 1)
    own.add_new(0x29, "CS", "LABEL")
    made.private_block(0x2005, "Philips MR Imaging DD 006", create=True).add_new(0x96, "IS", 7)
    found = read_header(file_of(made)).philips
    assert found == PhilipsNumbers(11, order=7, label="LABEL", phase=2, b_value=number, direction=number + 1)


def test_other_vendors_have_none(dataset, file_of):
    assert read_header(file_of(dataset(Manufacturer="ACME", SoftwareVersions="5"))).philips is None


def test_a_release_that_is_no_number_is_none(dataset, file_of):
    assert read_header(file_of(dataset(Manufacturer="Philips", SoftwareVersions="R5"))).philips == PhilipsNumbers()


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": 0}, (0.5, -7.0)),
        ({"RescaleSlope": 2, "RescaleIntercept": 0}, (2.0, -7.0)),
        ({"RescaleSlope": 2, "RescaleIntercept": 3}, (2.0, 3.0)),
        ({}, (0.5, -7.0)),
    ],
)
def test_a_rescale_that_changes_nothing_gives_way_to_the_real_world(dataset, file_of, stated, expected):
    made = dataset(Manufacturer="Philips", **stated)
    made.RealWorldValueSlope, made.RealWorldValueIntercept = 0.5, -7.0
    header = read_header(file_of(made))
    assert (header.slope, header.intercept) == expected
