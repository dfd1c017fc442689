"""Strata tell groups of people apart and never one person."""

import numpy as np
import pytest

from training.config.evaluate import EvaluateConfig
from training.evaluation.intervals import Scored, mean_of
from training.evaluation.strata import age_band, strata

CONFIG = EvaluateConfig(bootstrap=100, strata=("sex", "age", "field_strength"))


def scored(count):
    subjects = tuple(f"s{i}" for i in range(count))
    volumes = tuple(f"v{i}" for i in range(count))
    measures = {("mean_dice",): mean_of(np.linspace(0, 1, count), subjects)}
    return Scored("model", subjects, volumes, measures, ("mean_dice",), {})


def told(rows):
    found = scored(len(rows))
    return strata(found, dict(zip(found.volumes, rows, strict=True)), CONFIG)


def test_a_stratum_of_few_is_named_and_not_measured():
    rows = [{"sex": "F"}] * 12 + [{"sex": "M"}] * 2
    women, men = told(rows)["sex"]
    assert men == {"stratum": "M", "subjects": "fewer than 5", "estimate": None}
    assert women["subjects"] == "at least 10", "12 of 14 would tell that there are 2 men"
    assert women["estimate"]["subjects"] == 10
    assert women["estimate"]["mean"] is not None


def test_without_small_strata_counts_are_exact():
    women, men = told([{"sex": "F"}] * 7 + [{"sex": "M"}] * 6)["sex"]
    assert (women["subjects"], men["subjects"]) == ("7", "6")
    assert women["estimate"]["mean"] < men["estimate"]["mean"]


def test_what_is_not_known_is_a_stratum_and_comes_last():
    rows = [{"field_strength": 3.0}] * 5 + [{"field_strength": 1.5}] * 5 + [{}] * 5
    assert [row["stratum"] for row in told(rows)["field_strength"]] == ["1.5 T", "3 T", "unknown"]


@pytest.mark.parametrize(("age", "band"), [(0, "0 to 17"), (17, "0 to 17"), (18, "18 to 39"), (90, "80 and over")])
def test_ages_are_told_as_bands(age, band):
    assert age_band(age, (18, 40, 60, 80)) == band


def test_without_rows_there_are_no_strata():
    assert strata(scored(6), {}, CONFIG) == {}
