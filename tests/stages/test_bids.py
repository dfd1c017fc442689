"""Names are those of the standard where it has one, never two alike, and sidecars state nothing that is not known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.volume import Volume
from stages import bids
from tests import synthetic


def _named(*rows):
    pairs = [(row, synthetic.series_row(row)) for row in rows]
    return bids.names(pairs)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"contrast": "T1"}, "sub-S1/anat/sub-S1_acq-axial_T1w"),
        ({"contrast": "FLAIR", "part": "unknown"}, "sub-S1/anat/sub-S1_acq-axial_FLAIR"),
        ({"contrast": "DWI", "kind": "diffusion"}, "sub-S1/dwi/sub-S1_acq-axial_dwi"),
        (
            {"contrast": "BOLD", "kind": "dynamic", "shape": [4, 4, 4, 9]},
            "sub-S1/func/sub-S1_task-unknown_acq-axial_bold",
        ),
        ({"contrast": "T2", "part": "phase"}, "sub-S1/anat/sub-S1_acq-axial_part-phase_T2w"),
        ({"contrast": "SWI"}, "sub-S1/other/sub-S1_acq-axial_MR"),
        ({"contrast": "unknown"}, "sub-S1/other/sub-S1_acq-axial_MR"),
        ({"contrast": "perfusion", "kind": "dynamic", "shape": [4, 4, 4, 9]}, "sub-S1/other/sub-S1_acq-axial_MR"),
        ({"subject": "S_1-x"}, "sub-S1x/anat/sub-S1x_acq-axial_T1w"),
    ],
    ids=["T1", "FLAIR", "diffusion", "functional", "phase", "no name in BIDS", "unknown", "other dynamic", "label"],
)
def test_a_volume_is_named_as_the_standard_names_it(changes, path):
    row = synthetic.volume_row("a", "S1") | changes
    assert _named(row) == {row["volume"]: path}


def test_alike_volumes_are_runs_whose_number_stands_before_the_part():
    rows = [synthetic.volume_row("a", "S1") | {"volume": v, "part": "phase"} for v in ("v2", "v1")]
    assert _named(*rows) == {
        "v1": "sub-S1/anat/sub-S1_acq-axial_run-1_part-phase_T1w",
        "v2": "sub-S1/anat/sub-S1_acq-axial_run-2_part-phase_T1w",
    }


def test_a_second_study_of_anybody_puts_sessions_into_all_names():
    rows = [
        synthetic.volume_row("a", "S1", study=7) | {"volume": "v1"},
        synthetic.volume_row("a", "S1", study=3) | {"volume": "v2"},
        synthetic.volume_row("a", "S2") | {"volume": "v3"},
    ]
    assert _named(*rows) == {
        "v1": "sub-S1/ses-2/anat/sub-S1_ses-2_acq-axial_T1w",
        "v2": "sub-S1/ses-1/anat/sub-S1_ses-1_acq-axial_T1w",
        "v3": "sub-S2/ses-1/anat/sub-S2_ses-1_acq-axial_T1w",
    }


_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "subject": st.sampled_from(["S1", "S2"]),
            "study": st.sampled_from(["1", "2"]),
            "contrast": st.sampled_from(["T1", "DWI", "BOLD", "unknown", "SWI"]),
            "kind": st.sampled_from(["static", "dynamic", "diffusion"]),
            "part": st.sampled_from(["magnitude", "phase", "unknown"]),
            "shape": st.sampled_from([[4, 4, 4], [4, 4, 4, 3]]),
        }
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(_ROWS, st.sampled_from(["axial", "unknown"]), st.randoms(use_true_random=False))
def test_every_volume_has_a_name_of_its_own_whatever_the_order(rows, plane, random):
    pairs = [(row | {"volume": f"v{number:02}"}, {"plane": plane}) for number, row in enumerate(rows)]
    names = bids.names(pairs)
    assert len(set(names.values())) == len(rows)
    random.shuffle(pairs)
    assert bids.names(pairs) == names


def test_the_sidecar_is_in_the_standard_s_units_and_leaves_out_what_is_not_known():
    row = synthetic.volume_row("a", "S1", "T2")
    facts = bids.sidecar(row, synthetic.series_row(row, flip_angle=None, description=None), "sub-S1_T2w")
    assert (facts["EchoTime"], facts["RepetitionTime"], facts["MagneticFieldStrength"]) == (0.084, 5.2, 3.0)
    assert (facts["MissingSlices"], facts["MissingSlicesAxis"]) == ([2], "k")
    assert (facts["Slope"], facts["Intercept"], facts["Volume"]) == (1.5, -2.0, row["volume"])
    assert not {"FlipAngle", "InversionTime", "SeriesDescription"} & facts.keys()
    assert "MissingSlices" not in bids.sidecar(synthetic.volume_row("a", "S1"), {}, "sub-S1_T1w")


def test_an_echo_time_of_a_series_with_several_volumes_is_nobody_s():
    row = synthetic.volume_row("a", "S1")
    facts = bids.sidecar(row, synthetic.series_row(row, volumes=2), "sub-S1_T1w")
    assert "EchoTime" not in facts
    assert "FlipAngle" not in facts
    assert facts["RepetitionTime"] == 5.2


def test_a_functional_series_states_the_time_between_its_volumes():
    row = synthetic.volume_row("a", "S1") | {"times": [0.0, 2.2, 4.4]}
    facts = bids.sidecar(row, synthetic.series_row(row), "sub-S1_task-unknown_bold")
    assert (facts["RepetitionTime"], facts["TaskName"]) == (2.2, "not stated")


def test_gradients_are_in_fsl_s_convention():
    bvecs = np.array([[0, 0, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    array, bvals = np.zeros((2, 2, 2, 3), np.int16), np.array([0, 1000, 1000.5])
    upright = Volume(array, np.diag([2.0, 2, 2, 1]), kind="diffusion", bvals=bvals, bvecs=bvecs)
    assert bids.gradients(upright) == {".bval": "0 1000 1000.5\n", ".bvec": "0 -0.6 0\n0 0.8 0\n0 0 1\n"}
    mirrored = Volume(array, np.diag([-2.0, 2, 2, 1]), kind="diffusion", bvals=bvals, bvecs=bvecs)
    assert bids.gradients(mirrored)[".bvec"].splitlines()[0] == "0 0.6 0"
    trace = Volume(array, np.diag([2.0, 2, 2, 1]), kind="diffusion", bvals=bvals)
    assert list(bids.gradients(trace)) == [".bval"]
    assert bids.gradients(Volume(array, np.eye(4))) == {}


def test_a_person_whose_age_differs_between_images_has_none():
    people = [
        ("S1", "train", {"age": 40, "sex": "F"}),
        ("S1", "train", {"age": 41, "sex": "F"}),
        ("S2", "validation", {}),
    ]
    assert bids.participants(people) == (
        "participant_id\tage\tsex\tsplit\nsub-S1\tn/a\tF\ttrain\nsub-S2\tn/a\tn/a\tvalidation\n"
    )
