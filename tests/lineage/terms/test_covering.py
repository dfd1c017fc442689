"""What covered series S on date D, as known on date K."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.zones import Lake
from lineage.terms import terms
from lineage.terms.covering import NotFound, covering, standing
from schemas.tables import SERIES
from tests import synthetic
from tests.lineage.terms.documents import DAY, document

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROW = synthetic.series_row(synthetic.volume_row("hospital-1", "S1", of="licence-1"))


def _later(days):
    return FIRST + dt.timedelta(days=days)


@pytest.fixture
def held(lake):
    synthetic.put(lake, SERIES, "hospital-1", [ROW])
    return lake


def _found(lake, on=DAY, known=None):
    return {cover.term: (cover.why, cover.state) for cover in covering(lake, ROW["series"], on, known)}


def test_everything_that_binds_a_series_is_told_with_its_state(held):
    terms.learn(held, document("licence-1", requires=["dua", "ethics-approval", "lost"]))
    terms.learn(held, document("dua", "data-use-agreement", valid_until="2026-03-01"))
    terms.learn(held, document("board", "ethics-approval"))
    terms.learn(held, document("elsewhere", "ethics-approval", deliveries=["clinic-*"]))
    terms.learn(held, document("form", "consent", withdrawn=["S1"]))
    terms.learn(held, document("others", "consent", subjects=["S2"]))
    assert _found(held) == {
        "licence-1": ("licence", "in force"),
        "dua": ("requires of licence-1", "over"),
        "board": ("requires of licence-1", "in force"),
        "lost": ("requires of licence-1", "missing"),
        "form": ("consent", "does not cover (withdrawn)"),
    }


def test_valid_time_and_known_time_are_two_questions(held):
    terms.learn(held, document("licence-1", valid_until="2026-12-31"), FIRST)
    terms.learn(held, document("licence-1", revoked="2026-03-01"), _later(100))
    july = dt.date(2026, 7, 1)
    assert _found(held, july, _later(50)) == {"licence-1": ("licence", "in force")}
    assert _found(held, july) == {"licence-1": ("licence", "revoked")}
    assert _found(held, dt.date(2026, 2, 1)) == {"licence-1": ("licence", "in force")}
    assert _found(held, july, _later(-1)) == {"licence-1": ("licence", "missing")}
    (before,), (now,) = (covering(held, ROW["series"], july, at) for at in (_later(50), None))
    assert (before.known_from, before.known_until) == ("2026-01-01T00:00:00.000000Z", now.known_from)
    assert now.known_until is None


def test_a_series_that_nobody_holds_is_told(held):
    with pytest.raises(NotFound, match="curated/series"):
        covering(held, "2.25.404", DAY)


def test_standing_lists_every_document_as_known(lake):
    terms.learn(lake, document("licence-1"), FIRST)
    terms.learn(lake, document("expert-1", "expert-determination", valid_until="2026-05-01"), _later(20))
    assert [(c.term, c.state) for c in standing(lake, DAY)] == [("expert-1", "over"), ("licence-1", "in force")]
    assert [c.term for c in standing(lake, DAY, _later(10))] == ["licence-1"]


LATER = st.lists(st.tuples(st.booleans(), st.integers(1, 200), st.integers(1, 300)), min_size=1, max_size=4)


@settings(max_examples=10, deadline=None)
@given(LATER, st.integers(0, 400), st.integers(0, 400))
def test_an_answer_about_the_past_is_the_same_for_ever(tmp_path_factory, corrections, on, known):
    lake = Lake.open(tmp_path_factory.mktemp("past"), principal="tester")
    synthetic.put(lake, SERIES, "hospital-1", [ROW])
    terms.learn(lake, document("licence-1"), FIRST)
    day, moment = FIRST.date() + dt.timedelta(days=on), _later(known)
    at, answers = 0, []
    for export, gap, end in corrections:
        at += gap
        ends = str(FIRST.date() + dt.timedelta(days=end))
        terms.learn(lake, document("licence-1", export=export, valid_until=ends), _later(at))
        if at > known:
            answers.append([(c.state, c.digest) for c in covering(lake, ROW["series"], day, moment)])
    assert len({str(answer) for answer in answers}) <= 1
