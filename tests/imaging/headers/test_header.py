"""A header says what the file says, in our units; a bad element is named and its value kept secret."""

import pickle

import numpy as np
import pytest

from imaging.errors import ImagingError
from imaging.headers.frames import require_image
from imaging.headers.reading import read_header
from schemas.reasons import Reason


def test_values_units_and_absences(instance):
    header = read_header(
        instance(
            AcquisitionTime="101530.25",
            PatientAge="030M",
            RepetitionTime=500,
            ImageType=["ORIGINAL", "PRIMARY", "M"],
            RescaleSlope=2,
            RescaleIntercept=-1,
            SeriesDescription="t1",
        )
    )
    assert header.acquisition_time == 10 * 3600 + 15 * 60 + 30.25
    assert header.age == 2
    assert (header.repetition_time, header.echo_time) == (500, None)
    assert header.image_type == ("ORIGINAL", "PRIMARY", "M")
    assert (header.slope, header.intercept) == (2, -1)
    assert (header.rows, header.columns, header.pixel_spacing) == (6, 5, (0.5, 0.75))
    assert header.frames == 1


def test_a_description_in_another_alphabet_survives(instance):
    header = read_header(instance(SpecificCharacterSet="ISO_IR 192", SeriesDescription="Schädel koronar"))
    assert header.series_description == "Schädel koronar"


@pytest.mark.parametrize(
    ("element", "value", "tag"),
    [
        ("PixelSpacing", b"nan\\1 ", "0028,0030"),
        ("PixelSpacing", b"0\\1 ", "0028,0030"),
        ("ImagePositionPatient", b"1\\inf\\3 ", "0020,0032"),
        ("ImagePositionPatient", b"1\\2 ", "0020,0032"),
        ("EchoTime", b"SECRET", "0018,0081"),
        ("RepetitionTime", b"1_0", "0018,0080"),
        ("InstanceNumber", b"1.5 ", "0020,0013"),
        ("AcquisitionTime", b"SECRET", "0008,0032"),
        ("RescaleSlope", b"0 ", "0028,1053"),
    ],
)
def test_a_bad_value_is_refused_by_element_and_never_quoted(dataset, file_of, element, value, tag):
    made = dataset(EchoTime=1, RepetitionTime=1, AcquisitionTime="10", RescaleSlope=1)
    data = file_of(made)
    old = made[element]
    marker = bytes([old.tag.group & 255, old.tag.group >> 8, old.tag.element & 255, old.tag.element >> 8])
    start = data.index(marker + old.VR.encode())
    length = int.from_bytes(data[start + 6 : start + 8], "little")
    bad = data[: start + 6] + len(value).to_bytes(2, "little") + value + data[start + 8 + length :]
    with pytest.raises(ImagingError, match=tag) as caught:
        read_header(bad)
    assert caught.value.reason is Reason.HEADER_INVALID
    assert value.decode().strip() not in str(caught.value).replace(tag, "")


def test_an_error_comes_back_from_a_worker_process_with_its_reason():
    error = pickle.loads(pickle.dumps(ImagingError(Reason.NOT_MR, "found another modality")))
    assert (error.reason, str(error)) == (Reason.NOT_MR, "found another modality")


def test_philips_scale_slope_gives_measured_values_not_displayed_ones(dataset, file_of):
    made = dataset(Manufacturer="Philips", RescaleSlope=2.5, RescaleIntercept=5)
    made.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.5)
    header = read_header(file_of(made))
    assert (header.slope, header.intercept) == (2.0, 4.0)  # (stored * 2.5 + 5) / (2.5 * 0.5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Modality": "CT"}, Reason.NOT_MR),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.UNSUPPORTED),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, Reason.UNSUPPORTED),
        ({"NumberOfFrames": 2, "ImageType": ["ORIGINAL", "PRIMARY"]}, Reason.UNSUPPORTED),
        ({"BitsStored": 17}, Reason.PIXELS_INVALID),
        ({"HighBit": 3}, Reason.PIXELS_INVALID),
        ({"Rows": 0}, Reason.PIXELS_INVALID),
    ],
    ids=str,
)
def test_what_is_no_grey_mr_slice_is_refused(instance, changes, reason):
    with pytest.raises(ImagingError) as caught:
        require_image(read_header(instance(**changes)))
    assert caught.value.reason is reason


def test_an_object_without_pixels_is_no_image(dataset, file_of):
    made = dataset()
    del made.PixelData
    with pytest.raises(ImagingError) as caught:
        require_image(read_header(file_of(made)))
    assert caught.value.reason is Reason.NOT_AN_IMAGE


def test_ge_raw_data_type_names_the_part(dataset, file_of):
    made = dataset(Manufacturer="GE MEDICAL SYSTEMS", ImageType=["ORIGINAL", "PRIMARY", "OTHER"])
    made.private_block(0x43, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)
    assert read_header(file_of(made)).component == "PHASE"
    assert read_header(file_of(dataset(np.zeros((2, 2), np.int16)))).component == ""


def test_a_number_of_frames_of_zero_is_one_frame(instance):
    """As some writers state that there are none besides the one."""
    assert read_header(instance(NumberOfFrames=0)).frames == 1
