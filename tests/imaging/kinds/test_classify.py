"""A series is named for what was measured; a name alone counts less, and doubt is answered with "unknown"."""

import json
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from benchmarks.classification import acquisitions, scored, shared
from imaging.headers.header import Header
from imaging.headers.reading import read_header
from imaging.kinds.classify import body_part_of, classify, stated
from schemas.classification import QUESTIONS
from tests.imaging.headers.test_multiframe import enhanced, group

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
    found = classify(SERIES[expected]).contrast
    assert found.value == expected.split(maxsplit=1)[0]
    assert 0.5 <= found.confidence <= 1


@pytest.mark.parametrize(
    ("image_type", "contrast"),
    [
        (("DERIVED", "PRIMARY", "DIFFUSION", "FA"), "derived"),
        (("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"), "DWI"),
        (("DERIVED", "SECONDARY", "MPR"), "derived"),
        (("DERIVED", "PRIMARY", "PROJECTION IMAGE", "COLLAPSE"), "derived"),
        (("DERIVED", "PRIMARY", "T1 MAP"), "derived"),
        (("DERIVED", "PRIMARY", "PERFUSION", "RCBF"), "derived"),
        (("ORIGINAL", "PRIMARY", "PERFUSION", "NONE"), "perfusion"),
        (("DERIVED", "PRIMARY", "M", "NORM", "DIS2D"), "T2"),
    ],
)
def test_maps_and_projections_are_derived_and_filtered_originals_are_not(image_type, contrast):
    measured = [replace(h, image_type=image_type) for h in series(echo_time=100, repetition_time=5000)]
    assert classify(measured).contrast.value == contrast


@pytest.mark.parametrize(
    ("word", "contrast"),
    [("DIFFUSION", "DWI"), ("FLUID_ATTENUATED", "FLAIR"), ("PROTON_DENSITY", "PD"), ("T2_STAR", "T2*"), ("TOF", "MRA")],
)
def test_acquisition_contrast_of_enhanced_instances_counts(word, contrast):
    assert classify(series(sequence=(), acquisition_contrast=(word,))).contrast.value == contrast


def test_measured_values_win_over_what_a_scanner_states_loosely():
    found = classify(series(echo_time=100, repetition_time=5000, acquisition_contrast=("T1",)))
    assert found.contrast.value == "T2"


def test_echoes_of_two_weightings_have_answers_of_their_own():
    pd, t2 = (series(echo_time=te, repetition_time=4300) for te in (11, 92))
    assert [classify(h).contrast.value for h in (pd, t2, pd + t2)] == ["PD", "T2", "unknown"]


def test_a_name_that_agrees_adds_confidence_and_one_that_contradicts_takes_it():
    plain = series(echo_time=100, repetition_time=5000)
    agreeing = [replace(h, series_description="AX T2 TSE") for h in plain]
    contradicting = [replace(h, series_description="AX T1") for h in plain]
    confidences = [classify(h).contrast.confidence for h in (contradicting, plain, agreeing)]
    assert confidences == sorted(set(confidences))


def test_a_name_chooses_among_what_the_same_physics_allows():
    echo_planar = series(sequence=("EP", "GR"), echo_time=30, repetition_time=2000)
    named = [replace(h, series_description="pcasl_tra") for h in echo_planar]
    assert [classify(h).contrast.value for h in (echo_planar, named)] == ["BOLD", "perfusion"]


def test_a_name_alone_answers_with_less_confidence_than_physics():
    found = classify(series(sequence=(), series_description="Sag T1 MPRAGE")).contrast
    assert found.value == "T1"
    assert found.confidence < classify(SERIES["T1"]).contrast.confidence


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
    found = classify(headers).contrast
    assert (found.value, found.confidence) == ("unknown", 0)


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [(AXIAL, "axial"), (CORONAL, "coronal"), (SAGITTAL, "sagittal"), ((0.7071, 0.7071, 0, 0, 0, -1.0), "oblique")],
)
def test_planes(orientation, plane):
    assert classify(series(orientation=orientation)).plane.value == plane


def test_several_planes_or_none_are_unknown():
    assert classify(SERIES["localizer"]).plane.value == "unknown"
    assert classify(series(orientation=())).plane.value == "unknown"
    assert classify(series(orientation=(1.0, 0, 0, 1.0, 0, 0))).plane.value == "unknown"


@pytest.mark.parametrize(
    ("measured", "part"),
    [
        ({"body_part": "BRAIN"}, "brain"),
        ({"body_part": "LSPINE"}, "lumbar spine"),
        ({"body_part": "HEAD", "series_description": "brain_tra"}, "head"),
        ({"body_part": "ZZZ", "series_description": "Knee sag PD"}, "knee"),
        ({"series_description": "cardiac cine"}, "heart"),
        ({}, "unknown"),
    ],
)
def test_body_part_comes_from_the_element_then_from_names(measured, part):
    assert classify(series(**measured)).body_part.value == part


def test_a_name_that_contradicts_the_stated_body_part_takes_confidence():
    right, wrong = (series(body_part="HEAD", series_description=text) for text in ("brain", "knee"))
    assert classify(wrong).body_part.confidence < 0.7 < classify(right).body_part.confidence


def test_a_licensors_word_is_a_body_part_of_ours():
    assert [body_part_of(text) for text in ("Lumbar Spine", "KNIE_LI", "", "zzz")] == [
        "lumbar spine",
        "knee",
        "unknown",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("measured", "agent"),
    [
        ({"contrast_agent": True}, "given"),
        ({"contrast_agent": False}, "none"),
        ({"series_description": "t1_tra_post"}, "given"),
        ({"series_description": "t1_tra_nativ"}, "none"),
        ({}, "unknown"),
    ],
)
def test_contrast_agents_are_stated_or_named_and_silence_says_nothing(measured, agent):
    assert classify(series(**measured)).contrast_agent.value == agent


@pytest.mark.parametrize(
    ("measured", "answer"),
    [
        ({"scan_options": ("PFP", "FS")}, "suppressed"),
        ({"spectral": ("SUPPRESS_FAT",)}, "suppressed"),
        ({"spectral": ("SUPPRESS_NONE",)}, "none"),
        ({"spectral": ("EXCITE_WATER",)}, "suppressed"),
        ({"scan_options": ("PFP",), "manufacturer": "SIEMENS"}, "none"),
        ({"sequence": ("SE", "IR"), "inversion_time": 160}, "suppressed"),
        ({"series_description": "pd_tse_fs"}, "suppressed"),
        ({}, "unknown"),
    ],
)
def test_fat_suppression(measured, answer):
    assert classify(series(**measured)).fat_suppression.value == answer


def test_dixon_water_is_fat_suppressed_and_in_phase_is_not():
    water, inphase = (("DERIVED", "PRIMARY", "DIXON", word) for word in ("WATER", "IN_PHASE"))
    found = [classify([replace(h, image_type=words) for h in series()]).fat_suppression for words in (water, inphase)]
    assert [answer.value for answer in found] == ["suppressed", "none"]


@pytest.mark.parametrize(
    ("measured", "answer"),
    [
        ({"acquisition_type": "3D"}, "3D"),
        ({"sequence_name": "*tse2d1_7"}, "2D"),
        ({"sequence_name": "*spcR_42ns"}, "3D"),
        ({}, "unknown"),
    ],
)
def test_dimensions_are_stated_or_in_the_sequence_name(measured, answer):
    assert classify(series(**measured)).dimensions.value == answer


def test_parts_of_the_complex_image():
    magnitude = series()
    phase = [replace(h, image_type=("ORIGINAL", "PRIMARY", "P")) for h in magnitude]
    assert classify(magnitude).part.value == "magnitude"
    assert classify(phase).part.value == "phase"
    assert classify(magnitude + phase).part.value == "unknown"


def test_evidence_names_what_answered_and_quotes_no_free_text():
    found = classify(series(echo_time=100, repetition_time=5000, series_description="DOE^JANE knee T2 1970"))
    assert "spin-echo-t2" in found.contrast.evidence
    assert "echo time 65 to 1200" in found.contrast.evidence
    assert "names (t2-words)" in found.contrast.evidence
    said = " ".join(answer["evidence"] for answer in json.loads(found.evidence).values()).lower()
    assert not any(word in said for word in ("doe", "jane", "1970"))


def test_evidence_is_a_document_with_value_confidence_and_evidence_for_each_question():
    found = json.loads(classify(SERIES["FLAIR"]).evidence)
    assert tuple(found) == QUESTIONS
    assert all(set(answer) == {"value", "confidence", "evidence"} for answer in found.values())
    assert found["contrast"]["value"] == "FLAIR"


def test_what_is_stated_by_somebody_who_knows_is_sure_and_the_rest_unknown():
    found = stated({"contrast": "T1", "plane": "unknown"}, "stated by the licensor")
    assert (found.contrast.value, found.contrast.confidence) == ("T1", 1.0)
    assert found.plane.value == found.body_part.value == "unknown"


def test_an_answer_that_is_not_sure_enough_for_its_use_is_unknown():
    found = classify(series(sequence=(), series_description="t1"))
    assert (found.sure("contrast", 0.5), found.sure("contrast", 0.7)) == ("T1", "unknown")


def test_no_header_is_no_series():
    with pytest.raises(ValueError, match="needed at least one"):
        classify([])


@pytest.mark.parametrize("half", ["tuned", "held"])
def test_public_acquisitions_are_named_rightly_or_not_at_all(half):
    cases = list(acquisitions(half))
    kinds = [scored(classify(case.headers), case.truth)["contrast"] for case in cases]
    assert len(cases) >= 25
    assert not [case.truth for case, kind in zip(cases, kinds, strict=True) if "wrong" in kind]
    assert sum("right" in kind for kind in kinds) >= 0.75 * len(cases)


@pytest.mark.data
def test_shared_series_are_named_rightly(shared_data):
    for case in shared():
        assert all("right" in kinds for kinds in scored(classify(case.headers), case.truth).values()), case.truth


def test_elements_that_classification_needs_are_read(instance):
    region = Dataset()
    region.CodeMeaning = "Knee joint"
    made = read_header(
        instance(
            AnatomicRegionSequence=Sequence([region]),
            AcquisitionContrast="T2",
            SpectrallySelectedSuppression="FAT",
            PulseSequenceName="TSE",
            ContrastBolusAgent="NONE",
        )
    )
    assert (made.body_part, made.acquisition_contrast, made.spectral) == ("KNEE JOINT", ("T2",), ("SUPPRESS_FAT",))
    assert (made.sequence_name, made.contrast_agent) == ("TSE", False)
    assert read_header(instance(ContrastBolusVolume="7.5")).contrast_agent is True
    assert read_header(instance(ContrastBolusVolume="0")).contrast_agent is None


def test_enhanced_instances_are_told_by_their_functional_groups(dataset, file_of):
    def tell(made):
        shared = made.SharedFunctionalGroupsSequence[0]
        shared.MRImageFrameTypeSequence = group(
            FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"], AcquisitionContrast="T1", ComplexImageComponent="MAGNITUDE"
        )
        shared.MREchoSequence = group(EffectiveEchoTime=10.0)
        shared.MRModifierSequence = group(SpectrallySelectedExcitation="WATER")
        shared.ContrastBolusUsageSequence = group(ContrastBolusAgentAdministered="YES")
        shared.FrameAnatomySequence = group(AnatomicRegionSequence=group(CodeMeaning="Knee joint"))
        made.EchoPulseSequence, made.EchoPlanarPulseSequence, made.MRAcquisitionType = "SPIN", "NO", "3D"
        shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime = 600.0

    data, _ = enhanced(dataset, file_of, [(place, 0, {}) for place in range(3)], change=tell)
    assert classify([read_header(data)]).values == {
        "body_part": "knee",
        "plane": "axial",
        "contrast": "T1",
        "contrast_agent": "given",
        "fat_suppression": "suppressed",
        "dimensions": "3D",
        "part": "magnitude",
    }
