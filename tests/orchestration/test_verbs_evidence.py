"""Evidence is handed over, checked and signed off from the command line, and mistakes end with what to do."""

import json
import zipfile

import pytest
from click import UsageError
from click.testing import CliRunner

from lineage.evidence.reviews import ReviewError
from lineage.ledger import ledger
from orchestration.cli import cli
from schemas.tables import REVIEWS
from tests import synthetic


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3", "S4"]}, contrasts=("T1",))
    synthetic.frozen(lake)
    return lake


@pytest.fixture
def larmor(filled):
    def run(*arguments):
        words = ["--root", str(filled.settings.root), *map(str, arguments)]
        return CliRunner().invoke(cli, words, standalone_mode=False)

    return run


def test_a_bundle_is_written_once_and_checked_with_the_key(filled, larmor, tmp_path):
    to, key = tmp_path / "q1.zip", filled.settings.root / "audit" / "seals" / "public.pem"
    told = larmor("report", "--bundle", to, "--recipient", "Ethics board", "--json")
    assert json.loads(told.stdout)["events"] == ledger.size(filled) - 1
    assert isinstance(larmor("report", "--bundle", to).exception, UsageError)
    checked = larmor("report", "--check", to, "--key", key)
    assert checked.return_value == 0
    assert "The bundle holds" in checked.stdout


def test_a_bundle_that_was_changed_ends_with_exit_code_1(larmor, tmp_path):
    to = tmp_path / "q1.zip"
    larmor("report", "--bundle", to)
    with zipfile.ZipFile(to) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(to, "w") as archive:
        for name, content in inside.items():
            archive.writestr(
                name, content.replace(b'"principal":"', b'"principal":"x') if "events" in name else content
            )
    told = larmor("report", "--check", to, "--json")
    assert told.return_value == 1
    assert any("events.jsonl" in finding for finding in json.loads(told.stdout)["findings"])


def test_a_day_as_moment_means_its_end_and_options_of_a_bundle_need_one(larmor, tmp_path):
    early = larmor("report", "--bundle", tmp_path / "old.zip", "--as-of", "2020-01-01", "--json")
    assert json.loads(early.stdout)["events"] == 0
    assert isinstance(larmor("report", "--until", "2020-01-01").exception, UsageError)


def test_a_review_is_an_event_and_a_row_and_what_it_cannot_say_is_an_error(filled, larmor):
    told = json.loads(larmor("review", "--meaning", "approval", "--exception", "0:other", "--json").stdout)
    assert (told["first"], told["last"], told["entry"]) == (0, ledger.size(filled) - 2, ledger.size(filled) - 1)
    assert filled.table(REVIEWS).read(["entry"]).num_rows == 1
    assert isinstance(larmor("review", "--meaning", "approval", "--exception", "0:bad").exception, ReviewError)
    assert isinstance(larmor("review", "--meaning", "whatever").exception, UsageError)


def test_disclosures_of_a_person_are_listed_or_said_to_be_none(larmor):
    told = larmor("disclosures", "S1", "--page")
    assert "0 disclosures" in told.stdout
    assert "disclosures-S1.html" in told.stdout
