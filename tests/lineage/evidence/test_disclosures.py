"""The account of a person says what left, to whom and when, for six years, and what nobody can say any more."""

import datetime as dt

from lineage.evidence.disclosures import account, write
from lineage.ledger import ledger
from schemas.contract import Zone

TODAY = dt.datetime.now(dt.UTC).date()


def kinds(lines):
    return [line.entry.type for line in lines]


def test_exports_left_and_trainings_and_openings_were_uses(evident, persons):
    trained = account(evident, persons.train[0])
    assert kinds(trained.disclosures) == ["exported"]
    assert kinds(trained.uses) == ["trained"]
    assert trained.disclosures[0].certain
    assert trained.verified
    tested = account(evident, persons.test[0])
    assert (kinds(tested.disclosures), kinds(tested.uses)) == ([], ["accessed"])
    assert account(evident, "S9").disclosures == ()


def test_an_export_that_does_not_say_which_split_may_have_held_everybody(evident, persons):
    facts = {"target": "cohort", "release": "cohort", "rows": 99, "volumes": 99, "purpose": "research"}
    ledger.append(evident, "exported", facts | {"recipient": "University"})
    (line,) = account(evident, persons.validation[0]).disclosures
    assert (line.recipient, line.certain) == ("University", False)


def test_an_export_that_says_its_splits_held_nobody_else(evident, persons):
    facts = {"target": "cohort", "release": "cohort", "rows": 99, "volumes": 99, "purpose": "research"}
    ledger.append(evident, "exported", facts | {"splits": {"validation": {"volumes": 99}}})
    assert [line.certain for line in account(evident, persons.validation[0]).disclosures] == [True]
    assert len(account(evident, persons.train[0]).disclosures) == 1


def test_an_export_of_a_release_that_is_gone_is_undecided(evident, persons):
    ledger.append(evident, "exported", {"target": "lost", "release": "lost", "rows": 3, "purpose": "research"})
    made = account(evident, persons.train[0])
    assert [entry.facts["release"] for entry in made.undecided] == ["lost"]


def test_what_left_longer_ago_is_not_asked_for(evident, persons):
    assert account(evident, persons.train[0], until=TODAY + dt.timedelta(days=6 * 366)).disclosures == ()
    assert account(evident, persons.train[0], until=TODAY - dt.timedelta(days=1)).disclosures == ()
    assert account(evident, persons.train[0], until=dt.date(2028, 2, 29)).since == dt.date(2022, 2, 28)


def test_asking_is_an_access_that_does_not_say_about_whom(evident, persons):
    account(evident, persons.train[0])
    last = ledger.entries(evident)[-1]
    assert last["type"] == "accessed"
    assert "accounting of disclosures" in last["event"]
    assert persons.train[0] not in last["event"]


def test_the_page_shows_the_account(evident, persons):
    made = account(evident, persons.train[0])
    write(evident, made)
    page = evident.location(Zone.AUDIT, "reports").read_bytes(f"disclosures-{persons.train[0]}.html").decode()
    assert "release cohort, nifti" in page
    assert "1 disclosures" in page or "1 disclosure" in page
