"""`larmor report certificate` writes a page for a delivery, and says what to do where there is none."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deid.policy import load_policy
from lineage.evidence.certificates import CertificateError
from orchestration.cli import cli
from schemas.tables import DECISIONS, INSTANCES
from stages.certificates import certify_series
from stages.second_look.residual import Residue, keep
from tests.synthetic import fill, put


@pytest.fixture
def certified(lake):
    fill(lake, {"d": ["S1", "S2"]}, contrasts=("T1",))
    digest = load_policy("safe_harbor").digest
    for table in (INSTANCES, DECISIONS):
        rows = lake.table(table).rows([column.name for column in table.columns])
        put(lake, table, "d", [row | {"policy": digest} for row in rows])
    keep(lake, "d", Residue(7, 100, {}, ()))
    certify_series(lake, "d")
    return lake


def test_the_page_of_a_delivery_lists_its_series(certified):
    told = CliRunner().invoke(
        cli, ["--root", str(certified.settings.root), "report", "certificate", "d", "--json"], catch_exceptions=False
    )
    page = json.loads(told.stdout)["page"]
    html = Path(page).read_text(encoding="utf-8")
    for row in certified.table(INSTANCES).rows(["series"]):
        assert row["series"] in html


def test_a_name_without_certificates_says_what_to_do(certified):
    told = CliRunner().invoke(cli, ["--root", str(certified.settings.root), "report", "certificate", "nobody"])
    assert isinstance(told.exception, CertificateError)
    assert "larmor run" in str(told.exception)
