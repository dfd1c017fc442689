"""An older lake from the command line: doctor tells, a run refuses with the remedy, `larmor upgrade` does it once."""

import json
import os

import pytest
from deltalake import DeltaTable

from lake.settings import Settings
from lake.zones import Lake
from lineage.ledger import ledger
from orchestration.doctor import examine
from schemas.tables import QUARANTINE, SERIES
from stages.upkeep import upgrade
from tests.older import OLDER, contracts, filled
from tests.orchestration.test_cli import larmor

NAMES = [QUARANTINE.path, SERIES.path]


@pytest.fixture
def root(tmp_path):
    """A lake of two tables of the first version."""
    for path in NAMES:
        filled(Lake.open(tmp_path), contracts(OLDER[0])[path])
    os.chmod(tmp_path / "restricted", 0o700)  # noqa: PTH101
    return tmp_path


def told(root):
    return next(finding for finding in examine(Settings(root=root)) if finding.what == "format")


def test_an_older_lake_is_told_brought_forward_and_well(capsys, monkeypatch, root):
    finding = told(root)
    assert (finding.ok, finding.found) == (False, f"of an older version: {', '.join(NAMES)}")
    assert "larmor upgrade" in finding.remedy
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "upgrade", "--dry-run")
    assert code == 0
    assert out.splitlines()[0] == "Would bring forward"
    assert "contrast_agent, fat_suppression, dimensions, snr, ..." in out
    assert not told(root).ok, "a dry run changes nothing"
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "upgrade", "--json")
    rows = {row["table"]: row for row in json.loads(out)}
    assert (code, rows[QUARANTINE.path]) == (
        0, {"table": QUARANTINE.path, "format": 1, "to": 1, "columns": ["line"], "version": 2},
    )  # fmt: skip
    assert len(rows[SERIES.path]["columns"]) == 20
    assert (told(root).ok, told(root).found) == (True, "of this version")
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "upgrade")
    assert (code, out.strip()) == (0, "Every table is of this version; nothing is to be done.")


def test_what_a_stopped_upgrade_left_untold_is_told(capsys, monkeypatch, root):
    with monkeypatch.context() as broken:
        broken.setattr(upgrade.ledger, "append_many", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert larmor(capsys, broken, "--root", root, "upgrade")[0] == 1
    assert ledger.size(Lake.open(root)) == 0
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "upgrade")
    assert (code, out.strip()) == (0, "Recorded what an upgrade that was stopped had done: 2 tables.")
    assert ledger.size(Lake.open(root)) == 2


def test_a_newer_lake_is_told_and_refused(capsys, monkeypatch, tmp_path):
    table = Lake.open(tmp_path).table(SERIES)
    table.append([])
    DeltaTable(table.location.uri).alter.set_table_properties({"larmor.format": "9"}, raise_if_not_exists=False)
    assert "curated/series: found format 9" in told(tmp_path).found
    assert not told(tmp_path).ok
    code, _, err = larmor(capsys, monkeypatch, "--root", tmp_path, "upgrade")
    assert (code, "upgrade Larmor on this machine" in err) == (1, True)
