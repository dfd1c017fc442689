"""What a compliance officer asks and does about terms, from the command line."""

import datetime as dt
import json

import pytest
from click.testing import CliRunner

from lake.zones import Lake
from lineage.ledger import ledger
from lineage.terms import terms
from lineage.terms.refusal import Refusal
from orchestration.cli import cli
from schemas.roles import Roles
from schemas.tables import SERIES
from tests import synthetic
from tests.lineage.terms.documents import document

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROW = synthetic.series_row(synthetic.volume_row("hospital-1", "S1", of="licence-1"))


@pytest.fixture
def asked(lake):
    """Calls the verb `terms` or `break-glass` on the lake, as whom one says."""

    def call(*arguments, who="grace"):
        environment = {"LARMOR_PRINCIPAL": who}
        result = CliRunner().invoke(cli, ["--root", str(lake.settings.root), *arguments], env=environment)
        if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_what_covered_a_series_on_a_day_as_known_on_a_day(lake, asked):
    synthetic.put(lake, SERIES, "hospital-1", [ROW])
    terms.learn(lake, document("licence-1"), FIRST)
    terms.learn(lake, document("licence-1", revoked="2026-03-01"), FIRST + dt.timedelta(days=120, hours=12))
    question = ("terms", "--series", ROW["series"], "--on", "2026-06-01", "--json")
    for known, state in (("2026-04-01", "in force"), ("2026-05-01", "revoked"), ("2026-05-01T06:00:00Z", "in force")):
        (found,) = json.loads(asked(*question, "--known", known).output)
        assert (found["term"], found["state"], found["known_from"] is not None) == ("licence-1", state, True)
        assert (found["known_until"] is None) == (state == "revoked")
    shown = asked("terms", "--series", ROW["series"], "--on", "2026-02-01").output
    assert "Terms of the series on 2026-02-01, as known now" in shown
    assert "known_until" in shown


def test_a_document_is_learned_corrected_and_shown_in_every_wording(lake, asked, tmp_path):
    file = tmp_path / "form.yaml"
    document("form", "consent", subjects=["S1"]).write(file)
    assert "Learned consent form" in asked("terms", "--add", str(file)).output
    assert "known already" in asked("terms", "--add", str(file)).output
    document("form", "consent", withdrawn=["S1"]).write(file)
    asked("terms", "--add", str(file))
    wordings = json.loads(asked("terms", "--id", "form", "--json").output)
    assert [w["document"].get("withdrawn") for w in wordings] == [[], ["S1"]]
    assert wordings[0]["known_until"] == wordings[1]["known_from"]
    assert [row["type"] for row in ledger.entries(lake)] == ["term_known", "term_known"]
    assert not (lake.licences / "form.yaml").exists(), "a consent names persons, and licences/ is no place for them"
    assert "form" in asked("terms").output


def test_a_licence_is_learned_and_kept_where_deliveries_find_it(lake, asked, tmp_path):
    document("licence-1").write(tmp_path / "granted.yaml")
    asked("terms", "--add", str(tmp_path / "granted.yaml"))
    assert terms.find(lake.licences, "licence-1") == terms.known(lake, "licence-1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--id", "nowhere"], "found no document nowhere"),
        (["--known", "yesterday"], "found no day and no moment"),
        (["--id", "a", "--series", "b"], "needed one at most"),
    ],
)
def test_a_question_that_cannot_be_asked_says_so(lake, asked, arguments, said):
    result = asked("terms", *arguments)
    assert result.exit_code != 0
    assert said in result.output


def test_glass_is_broken_and_opened_from_the_command_line(lake, asked, tmp_path):
    lake.settings.root.mkdir(parents=True)
    assert "without one nobody is denied" in asked("break-glass", "restricted", "--reason", "legal-order").output
    roles = {
        "officer": {"members": ["grace"], "zones": ["audit"], "approves": True},
        "scientist": {"members": ["ada"], "zones": ["curated"]},
    }
    Roles.model_validate({"roles": roles}).write(lake.settings.root / "roles.yaml")
    file = tmp_path / "licence.yaml"
    document("licence-1").write(file)
    with pytest.raises(Refusal, match="roles roles, audit"):
        asked("terms", "--add", str(file), who="ada")
    assert "needed one of patient-safety" in asked("break-glass", "audit", who="ada").output
    grant = json.loads(asked("break-glass", "audit", "--reason", "legal-order", "--json", who="ada").output)["name"]
    opened = json.loads(asked("break-glass", "--open", grant, "--json").output)
    assert (opened["holder"], opened["second"]) == ("ada", "grace")
    asked("terms", "--add", str(file), who="ada")
    assert grant in asked("break-glass").output
    assert terms.known(Lake.open(lake.settings.root), "licence-1")
