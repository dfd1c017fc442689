"""Who stands alone in a release is counted right, whatever the order, and is left out or blocks where that is asked."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.zones import Lake
from schemas.policy import Dates
from schemas.release import ReleaseSpec
from schemas.tables import INSTANCES, SERIES, VOLUMES
from stages.release import CohortError, freeze
from stages.risk import assessed, banded, exposed, upper_bound, week
from tests.synthetic import fill, know, licence, put, series_row, volume_row

PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "subject": st.sampled_from([f"S{n}" for n in range(12)]),
            "age": st.sampled_from([None, "30 to 40", "40 to 50"]),
            "sex": st.sampled_from(["F", "M"]),
            "site": st.sampled_from(["one", "two"]),
        }
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=50, deadline=None)
@given(PEOPLE, st.integers(1, 6), st.randoms())
def test_cells_are_those_of_a_plain_count(rows, k, chance):
    records = {}
    for row in rows:
        for name in ("age", "sex", "site"):
            records.setdefault(row["subject"], {}).setdefault(name, set()).add(row[name])
    keys = {subject: repr({n: sorted(map(str, v)) for n, v in r.items()}) for subject, r in records.items()}
    alike = Counter(keys.values())
    risk = assessed(rows, k)
    assert risk.subjects == len(records) == sum(int(size) * n for size, n in risk.by_size.items())
    assert risk.smallest == min(alike.values())
    assert risk.subjects_in_small_cells == sum(n for n in alike.values() if n < k)
    assert exposed(rows, k) == {subject for subject, key in keys.items() if alike[key] < k}
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert assessed(shuffled + shuffled[:3], k) == risk


@settings(max_examples=50, deadline=None)
@given(PEOPLE, st.integers(1, 6))
def test_without_those_who_stand_alone_nobody_stands_alone(rows, k):
    alone = exposed(rows, k)
    left = [row for row in rows if row["subject"] not in alone]
    assert not exposed(left, k)
    assert not left or assessed(left, k).smallest >= k
    risk = assessed(rows, k)
    # what is not known cannot make anybody stand out more
    assert all(number <= risk.subjects_in_small_cells for number in risk.without.values())


def test_a_subject_of_two_visits_is_one_record():
    visits = [{"subject": s, "age": age} for s, age in itertools.product(("S1", "S2"), ("30 to 40", "40 to 50"))]
    assert assessed(visits, 2).smallest == 2
    assert assessed(visits[:3], 2).smallest == 1


@pytest.mark.parametrize(
    ("date", "dates", "said"),
    [
        ("20240103", Dates.KEEP, "2024-W01"),
        ("20241230", Dates.KEEP, "2025-W01"),
        ("20240103", Dates.SHIFT, None),
        ("20240101", Dates.YEAR_ONLY, "2024"),
        (None, Dates.KEEP, None),
        ("2024", Dates.KEEP, None),
    ],
)
def test_a_shifted_date_tells_no_week(date, dates, said):
    assert week(date, dates) == said


def test_the_bound_is_the_rule_of_three():
    assert upper_bound(0) == 1.0
    assert upper_bound(2) == 1.0
    assert upper_bound(300) == pytest.approx(0.01)


@pytest.fixture
def lake(tmp_path):
    """Eleven women of forty, and one man of eighty who stands alone."""
    lake = Lake.open(tmp_path / "lake", principal="tester")
    know(lake, licence())
    subjects = [f"S{n}" for n in range(12)]
    fill(lake, {"d": subjects}, contrasts=("T1",))
    rows = [volume_row("d", subject) for subject in subjects]
    put(lake, VOLUMES, "d", rows)
    put(lake, SERIES, "d", [series_row(r, **({"sex": "M", "age": 80} if r["subject"] == "S3" else {})) for r in rows])
    return lake


def test_small_cells_are_reported_on_manifest_and_card(lake):
    release = freeze(lake, ReleaseSpec(name="told"))
    risk = release.manifest.risk
    assert (risk.k, risk.subjects, risk.smallest, risk.subjects_in_small_cells) == (11, 12, 1, 1)
    assert risk.values_below_k["sex"] == risk.values_below_k["age"] == 1
    assert risk.without["sex"] == 1
    card = (lake.settings.folder("curated") / "releases" / "told" / "card.html").read_text()
    assert "Subjects of the smallest cell" in card
    assert "None of the 12 series has a certificate" in card


def test_small_cells_are_left_out_where_that_is_asked(lake):
    release = freeze(lake, ReleaseSpec(name="hidden", risk="suppress"))
    members = [m.subject for split in ("train", "validation", "test") for m in release.members(split, sealed_ok=True)]
    assert "S3" not in members
    assert len(members) == 11
    assert release.manifest.risk.suppressed == 1
    assert release.manifest.risk.smallest == 11
    with pytest.raises(CohortError, match="none is left"):
        freeze(lake, ReleaseSpec(name="nobody", risk="suppress", k=50))


def test_small_cells_block_where_that_is_asked_and_nobody_is_named(lake):
    with pytest.raises(CohortError, match="1 subjects that fewer than 11 resemble") as refused:
        freeze(lake, ReleaseSpec(name="no", risk="block"))
    assert "S3" not in str(refused.value)
    assert freeze(lake, ReleaseSpec(name="yes", risk="block", k=1)).manifest.risk.small_cells == 0


def test_body_size_and_week_come_from_the_instances(lake):
    table = lake.table(INSTANCES)
    rows = table.rows([c.name for c in INSTANCES.columns])
    put(lake, INSTANCES, "d", [r | {"weight": 71.0, "height": 1.68, "study_date": "20240103"} for r in rows])
    known = banded(lake, [volume_row("d", "S1") | {"age": 44}])
    assert known[0] | {"subject": ""} == {
        "subject": "", "age": "40 to 50", "sex": None, "weight": "60 to 80", "height": "1.6 to 1.8",
        "site": "open-licence", "scanner": (None, None), "field_strength": None, "week": "2024-W01",
    }  # fmt: skip
