"""Names are those of the standard where it has one, and never two alike."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.export import bids
from tests import synthetic


def _named(*rows):
    pairs = [(row, synthetic.series_row(row)) for row in rows]
    return bids.names(pairs)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"contrast": "T1"}, "sub-S1/anat/sub-S1_acq-axial_T1w"),
        ({"contrast": "FLAIR", "part": "unknown"}, "sub-S1/anat/sub-S1_acq-axial_FLAIR"),
        (
            {"contrast": "DWI", "kind": "diffusion", "shape": [4, 4, 4, 3], "bvecs": [0.0] * 9},
            "sub-S1/dwi/sub-S1_acq-axial_dwi",
        ),
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
            "series": st.sampled_from(["1", "2"]),
            "echo_time": st.sampled_from([None, 4.9, 7.4]),
            "inversion_time": st.sampled_from([None, 100.0, 400.0, 900.0]),
            "chemistry": st.sampled_from([None, "water"]),
            "phase_encoding": st.sampled_from([None, "j-"]),
            "affine": st.sampled_from([[1.0] * 16, [2.0] * 16]),
            "bvecs": st.sampled_from([None, [0.0] * 9]),
            "study": st.sampled_from(["1", "2"]),
            "contrast": st.sampled_from(["T1", "DWI", "BOLD", "unknown", "fieldmap"]),
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
