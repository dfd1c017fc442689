"""`larmor releases stage` and `unstage`: what they print, what they leave, and how they refuse."""

import json
import sys

import pytest

from orchestration import cli
from tests import synthetic


@pytest.fixture
def larmor(lake, capsys, monkeypatch):
    """Run a verb on a lake with a release; exit code, output, errors."""
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"]}, contrasts=("T1",))
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["larmor", "--root", str(lake.settings.root), *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return (1, told.out, told.err + end.value.code) if isinstance(end.value.code, str) else (end.value.code, *told)

    return run


def test_a_release_is_staged_and_unstaged(larmor, tmp_path, monkeypatch):
    monkeypatch.setenv("LARMOR_STAGING", str(tmp_path / "staging"))
    code, out, err = larmor("releases", "stage", "cohort")
    assert code == 0
    assert "2 files of" in out
    assert "Next: larmor train cohort" in out
    assert "2 of 2 files staged" in err
    _, out, _ = larmor("releases", "stage", "cohort", "--json")
    assert json.loads(out)["copied"] == 0
    _, out, _ = larmor("releases", "unstage", "cohort", "--json")
    assert json.loads(out)["files"] == 2
    assert not list((tmp_path / "staging" / "objects").glob("*/*"))


def test_staging_without_a_folder_says_which_setting_is_missing(larmor):
    code, _, err = larmor("releases", "stage", "cohort")
    assert code == 1
    assert "set LARMOR_STAGING" in err
