"""Sidecars state nothing that is not known, in the standard's units; tables of persons tell no more than is sure."""

import numpy as np

from imaging.volumes.volume import Volume
from stages import sidecars
from stages.export import dataset
from tests import synthetic


def test_the_sidecar_is_in_the_standard_s_units_and_leaves_out_what_is_not_known():
    row = synthetic.volume_row("a", "S1", "T2")
    facts = sidecars.sidecar(row, synthetic.series_row(row, flip_angle=None, description=None), "sub-S1_T2w")
    assert (facts["EchoTime"], facts["RepetitionTime"], facts["MagneticFieldStrength"]) == (0.084, 5.2, 3.0)
    assert (facts["MissingSlices"], facts["MissingSlicesAxis"]) == ([2], "k")
    assert (facts["Slope"], facts["Intercept"], facts["Volume"]) == (1.5, -2.0, row["volume"])
    assert not {"FlipAngle", "InversionTime", "SeriesDescription"} & facts.keys()
    assert "MissingSlices" not in sidecars.sidecar(synthetic.volume_row("a", "S1"), {}, "sub-S1_T1w")


def test_an_echo_time_of_a_series_with_several_volumes_is_nobody_s():
    row = synthetic.volume_row("a", "S1")
    facts = sidecars.sidecar(row, synthetic.series_row(row, volumes=2), "sub-S1_T1w")
    assert "EchoTime" not in facts
    assert "FlipAngle" not in facts
    assert facts["RepetitionTime"] == 5.2


def test_a_functional_series_states_the_time_between_its_volumes():
    row = synthetic.volume_row("a", "S1") | {"times": [0.0, 2.2, 4.4]}
    facts = sidecars.sidecar(row, synthetic.series_row(row), "sub-S1_task-unknown_bold")
    assert (facts["RepetitionTime"], facts["TaskName"]) == (2.2, "unknown")


def test_gradients_are_in_fsl_s_convention():
    bvecs = np.array([[0, 0, 0], [0.6, 0.8, 0], [0, 0, 1.0]])
    array, bvals = np.zeros((2, 2, 2, 3), np.int16), np.array([0, 1000, 1000.5])
    upright = Volume(array, np.diag([2.0, 2, 2, 1]), kind="diffusion", bvals=bvals, bvecs=bvecs)
    assert sidecars.gradients(upright) == {".bval": "0 1000 1000.5\n", ".bvec": "0 -0.6 0\n0 0.8 0\n0 0 1\n"}
    mirrored = Volume(array, np.diag([-2.0, 2, 2, 1]), kind="diffusion", bvals=bvals, bvecs=bvecs)
    assert sidecars.gradients(mirrored)[".bvec"].splitlines()[0] == "0 0.6 0"
    trace = Volume(array, np.diag([2.0, 2, 2, 1]), kind="diffusion", bvals=bvals)
    assert list(sidecars.gradients(trace)) == [".bval"]
    assert sidecars.gradients(Volume(array, np.eye(4))) == {}


def test_a_person_whose_age_differs_between_images_has_none():
    people = [
        ("S1", "train", {"age": 40, "sex": "F"}),
        ("S1", "train", {"age": 41, "sex": "F"}),
        ("S2", "validation", {}),
    ]
    assert dataset.participants(people) == (
        "participant_id\tage\tsex\tsplit\nsub-S1\tn/a\tF\ttrain\nsub-S2\tn/a\tn/a\tvalidation\n"
    )
