"""What stands out among series of one site and scanner is flagged, and nothing is where too few are alike."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.quality.quality import Quality
from lake.zones import Lake
from schemas.tables import SERIES, VOLUMES
from stages.quality import LEAST_SERIES, MEASURES, by_scanner, faults, outliers, with_quality, worst
from tests import synthetic
from tests.stages.conftest import NAME

SAFE = {"missing_slices": 0, "empty_slices": 0, "body_part": "head"}
SCANNER = {"licence": "l", "manufacturer": "Maker", "model": "One", "field_strength": 3.0, "contrast": "T1"}
USUAL = {"snr": 30.0, "snr_air": 40.0, "cnr": 9.0, "fber": 500.0, "efc": 0.5, "ghosting": 0.01, "fwhm": 4.0}


def series(seed=0, **changes):
    """A series of a scanner, of usual quality give or take a few percent."""
    random = np.random.default_rng(seed)
    measures = {m.name: None for m in MEASURES} | {n: v * random.normal(1, 0.03) for n, v in USUAL.items()}
    return SAFE | SCANNER | measures | changes


def many(number=12, **changes):
    return [series(seed, **changes) for seed in range(number)]


WORSE = {"snr": 8.0, "snr_air": 10.0, "cnr": 2.0, "fber": 20.0, "efc": 0.8, "ghosting": 0.2, "fwhm": 12.0}


@pytest.mark.parametrize("name", WORSE)
def test_what_is_worse_than_others_of_its_kind_is_flagged_for_that(name):
    bad = series(99, **{name: WORSE[name]})
    assert outliers([*many(), bad])[-1] == [name]
    assert not any(outliers([*many(), bad])[:-1])


@pytest.mark.parametrize("name", WORSE)
def test_what_is_better_than_others_is_not_flagged(name):
    better = USUAL[name] ** 2 / WORSE[name]
    assert outliers([*many(), series(99, **{name: better})])[-1] == []


def test_small_groups_are_not_judged():
    assert not any(outliers([*many(LEAST_SERIES - 2), series(99, snr=1.0)]))
    assert outliers([*many(LEAST_SERIES - 1), series(99, snr=1.0)])[-1] == ["snr"]


def test_a_scanner_with_few_series_is_compared_with_its_maker_in_that_contrast():
    odd = series(99, snr=1.0, model="Two", licence="other", field_strength=1.5)
    assert outliers([odd], many()) == [["snr"]]
    assert outliers([odd | {"contrast": "T2"}], many()) == [[]]
    assert outliers([odd | {"manufacturer": "Another"}], many()) == [[]]


def test_sites_and_scanners_have_their_own_usual():
    poor = many(snr=8.0, licence="poor") + many(snr=8.0, model="Old") + many(snr=8.0, field_strength=0.5)
    assert not any(outliers(poor, many(40)))


def test_spelling_and_rounding_make_no_other_scanner():
    odd = series(99, snr=1.0, manufacturer=" MAKER", field_strength=2.98)
    assert outliers([odd], many()) == [["snr"]]


def test_among_equals_a_hair_is_no_outlier():
    alike = [series() for _ in range(20)]
    assert not any(outliers([*alike, series(snr=alike[0]["snr"] * 0.9)]))


@given(st.permutations(range(13)))
@settings(max_examples=15, deadline=None)
def test_order_does_not_matter(order):
    rows = [*many(), series(99, snr=5.0)]
    assert [bool(flags) for flags in outliers([rows[i] for i in order])] == [i == 12 for i in order]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"missing_slices": 2}, ["missing_slices"]),
        ({"empty_slices": 1}, ["empty_slices"]),
        ({"saturation": 0.02}, ["saturation"]),
        ({"cut_off": 0.6}, ["cut_off"]),
        ({"cut_off": 0.6, "body_part": "knee"}, []),
        ({}, []),
    ],
    ids=str,
)
def test_faults_need_no_comparison(changes, found):
    assert faults(series(**changes)) == found


def test_a_series_is_as_good_as_its_worst_volume():
    first = dataclasses.asdict(Quality(snr=20.0, motion=0.2, fwhm=(2.0, 2.0, 2.0), empty_slices=1, bad_slices=0))
    second = dataclasses.asdict(Quality(snr=30.0, motion=0.9, fwhm=(1.0, 4.0, 16.0), empty_slices=2, bad_slices=None))
    volumes = [{k: list(v) if k == "fwhm" and v else v for k, v in each.items()} for each in (first, second)]
    found = worst(volumes)
    assert (found["snr"], found["motion"], found["fwhm"]) == (20.0, 0.9, pytest.approx(4.0))
    assert (found["empty_slices"], found["bad_slices"], found["tsnr"]) == (3, 0, None)


def test_every_measure_has_a_column_in_both_tables():
    stored, summed = ({c.name for c in table.columns} for table in (VOLUMES, SERIES))
    assert {f.name for f in dataclasses.fields(Quality)} <= stored
    assert {m.name for m in MEASURES} <= {f.name for f in dataclasses.fields(Quality)} & summed


def test_a_series_is_compared_with_all_that_the_lake_holds(tmp_path):
    lake = Lake.open(tmp_path / "lake", workers=1)
    for delivery, quality in (("a", [series(i)["snr"] for i in range(10)]), ("b", [5.0])):
        rows = [synthetic.volume_row(delivery, f"S{i}", of="l", snr=snr) for i, snr in enumerate(quality)]
        synthetic.put(lake, VOLUMES, delivery, rows)
        described = [synthetic.series_row(row) for row in rows]
        synthetic.put(lake, SERIES, delivery, with_quality(lake, delivery, described))
    assert [row["quality_flags"] for row in lake.table(SERIES).rows(None, {"delivery": "a"})] == [[]] * 10
    (flagged,) = lake.table(SERIES).rows(None, {"delivery": "b"})
    assert flagged["quality_flags"] == ["snr"]
    assert by_scanner(lake, "b") == [
        {"site": "l", "scanner": "Maker One 3.0 T", "contrast": "T1", "series": 1, "flagged": 1, "flags": "snr 1"}
    ]


def test_a_series_without_volumes_is_not_judged(tmp_path):
    lake = Lake.open(tmp_path / "lake", workers=1)
    row = synthetic.series_row(synthetic.volume_row("a", "S1"))
    (judged,) = with_quality(lake, "a", [row])
    assert judged["quality_flags"] is None
    assert judged["snr"] is None


def test_phantoms_come_with_their_quality(treated):
    rows = treated.lake.table(SERIES).rows(None, {"delivery": NAME})
    assert all(row["quality_flags"] is not None for row in rows if row["volumes"])
    assert all(row["snr"] > 3 for row in rows if row["part"] == "magnitude" and row["volumes"])
    gaps = {row["series"] for row in rows if row["missing_slices"]}
    assert {row["series"] for row in rows if "missing_slices" in (row["quality_flags"] or [])} == gaps
    sheet = by_scanner(treated.lake, NAME)
    assert sum(line["series"] for line in sheet) == len(rows)
