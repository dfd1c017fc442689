"""A series is named for what was measured; a name alone counts less, and doubt is answered with "unknown"."""

from dataclasses import replace

import pytest

from imaging.classify import classify
from imaging.header import Header

AXIAL, CORONAL, SAGITTAL = (1.0, 0, 0, 0, 1.0, 0), (1.0, 0, 0, 0, 0, -1.0), (0, 1.0, 0, 0, 0, -1.0)


def series(count=3, repeats=1, orientation=AXIAL, sequence=("SE",), **measured):
    one = Header(
        image_type=("ORIGINAL", "PRIMARY", "M"), scanning_sequence=sequence, orientation=orientation, **measured
    )
    return [replace(one, position=(0.0, 0.0, float(z))) for _ in range(repeats) for z in range(count)]


SERIES = {
    "T1": series(echo_time=10, repetition_time=500),
    "T1 prepared": series(sequence=("GR", "IR"), echo_time=3, repetition_time=2300, inversion_time=900),
    "T2": series(echo_time=100, repetition_time=5000),
    "PD": series(echo_time=20, repetition_time=3000),
    "FLAIR": series(sequence=("SE", "IR"), echo_time=120, repetition_time=9000, inversion_time=2500),
    "DWI": series(sequence=("EP", "SE"), echo_time=80, repetition_time=6000, b_value=1000),
    "BOLD": series(sequence=("EP", "GR"), echo_time=30, repetition_time=2000, repeats=20),
    "perfusion": series(sequence=("EP", "GR"), echo_time=30, repetition_time=1500, repeats=40, contrast_agent=True),
    "MRA": series(sequence=("GR",), echo_time=4, repetition_time=22, flip_angle=20, angio="Y", acquisition_type="3D"),
    "SWI": series(sequence=("GR",), echo_time=25, repetition_time=40, flip_angle=15, acquisition_type="3D"),
    "localizer": series(1) + series(1, orientation=CORONAL) + series(1, orientation=SAGITTAL),
    "ADC": [replace(h, image_type=("DERIVED", "PRIMARY", "DIFFUSION", "ADC")) for h in series(echo_time=80)],
}


@pytest.mark.parametrize("expected", SERIES)
def test_physics_alone_tells_the_contrast(expected):
    found = classify(SERIES[expected])
    assert found.contrast == expected.split(maxsplit=1)[0]
    assert 0.5 <= found.confidence <= 1


def test_a_name_that_agrees_adds_confidence_and_one_that_contradicts_takes_it():
    plain = series(echo_time=100, repetition_time=5000)
    agreeing = [replace(h, series_description="AX T2 TSE") for h in plain]
    contradicting = [replace(h, series_description="AX T1") for h in plain]
    assert classify(contradicting).confidence < classify(plain).confidence < classify(agreeing).confidence


def test_a_name_alone_answers_with_less_confidence_than_physics():
    found = classify(series(sequence=(), series_description="Sag T1 MPRAGE"))
    assert found.contrast == "T1"
    assert found.confidence < classify(SERIES["T1"]).confidence


@pytest.mark.parametrize(
    "headers",
    [
        series(sequence=()),
        series(echo_time=55, repetition_time=1400),
        series(sequence=("GR",), echo_time=25, repetition_time=40, flip_angle=15, acquisition_type="3D",
               series_description="t1 bravo"),
    ],
    ids=["nothing said", "between the classes", "weak physics against a name"],
)  # fmt: skip
def test_doubt_is_answered_with_unknown(headers):
    found = classify(headers)
    assert (found.contrast, found.confidence) == ("unknown", 0)


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [(AXIAL, "axial"), (CORONAL, "coronal"), (SAGITTAL, "sagittal"), ((0.7071, 0.7071, 0, 0, 0, -1.0), "oblique")],
)
def test_planes(orientation, plane):
    assert classify(series(orientation=orientation)).plane == plane


def test_several_planes_or_none_are_unknown():
    assert classify(SERIES["localizer"]).plane == "unknown"
    assert classify(series(orientation=())).plane == "unknown"
    assert classify(series(orientation=(1.0, 0, 0, 1.0, 0, 0))).plane == "unknown"


@pytest.mark.parametrize(
    ("measured", "part"),
    [
        ({"body_part": "BRAIN"}, "brain"),
        ({"body_part": "LSPINE"}, "lumbar spine"),
        ({"body_part": "ZZZ", "series_description": "Knee sag PD"}, "knee"),
        ({}, "unknown"),
    ],
)
def test_body_part_comes_from_the_element_then_from_names(measured, part):
    assert classify(series(**measured)).body_part == part


def test_parts_of_the_complex_image():
    magnitude = series()
    phase = [replace(h, image_type=("ORIGINAL", "PRIMARY", "P")) for h in magnitude]
    assert classify(magnitude).part == "magnitude"
    assert classify(phase).part == "phase"
    assert classify(magnitude + phase).part == "unknown"


def test_evidence_names_what_answered_and_quotes_no_free_text():
    found = classify(series(echo_time=100, repetition_time=5000, series_description="DOE^JANE knee T2 1970"))
    assert "spin echo" in found.evidence
    assert "description" in found.evidence
    assert not any(word in found.evidence.lower() for word in ("doe", "jane", "1970", "knee"))


def test_no_header_is_no_series():
    with pytest.raises(ValueError, match="needed at least one"):
        classify([])
