"""Verbs that show, export and plan: what they print, what scripts get, and how they refuse."""

import json
import sys

import pytest

from orchestration import cli
from schemas.contract import Zone
from schemas.tables import ACCESS, IDENTIFIERS
from tests import synthetic


@pytest.fixture
def filled(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.land(lake, {"a": ["S1", "S2"]})
    synthetic.fill(lake, {"a": ["S1", "S2"]}, contrasts=("T1", "T2"))
    synthetic.frozen(lake, splits=(0.5, 0.5, 0.0))
    return lake


@pytest.fixture
def larmor(filled, capsys, monkeypatch):
    """Run a verb on the lake; exit code, output, errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["larmor", "--root", str(filled.settings.root), *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return (1, told.out, told.err + end.value.code) if isinstance(end.value.code, str) else (end.value.code, *told)

    return run


def test_look_prints_the_page_and_the_next_step(larmor, tmp_path):
    page = tmp_path / "look.html"
    code, out, _ = larmor("look", "--release", "cohort", "--out", page)
    assert code == 0
    assert str(page) in out
    assert "Next: " in out
    code, out, _ = larmor("look", "--where", "contrast = 'T1'", "--out", page, "--json")
    assert json.loads(out) | {"page": ""} == {"page": "", "volumes": 2, "found": 2, "sealed": 0}


def test_export_prints_the_folder_and_refuses_a_second_time(larmor, tmp_path):
    code, out, _ = larmor("export", "cohort", "--to", tmp_path / "out", "--split", "train", "--json")
    made = json.loads(out)
    assert (code, made["volumes"], made["labels"]) == (0, 2, 1)
    code, _, err = larmor("export", "cohort", "--to", tmp_path / "out")
    assert code == 1
    assert "needed a new folder" in err
    code, _, err = larmor("export", "cohort", "--to", tmp_path / "sealed", "--split", "test")
    assert code == 2
    assert "test" in err


def test_tiers_shows_costs_and_says_that_nothing_moved(larmor):
    code, out, _ = larmor("tiers")
    assert code == 0
    for words in ("curated/volumes", "S3 Glacier Deep Archive", "Nothing was moved", "stays: sealed", "2026-06-05"):
        assert words in out
    found = json.loads(larmor("tiers", "--reads", "2", "--json")[1])
    assert found["moved"] is False
    assert {table["reads"] for table in found["tables"]} == {2.0}


def test_tiers_of_an_empty_lake_names_the_next_step(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["larmor", "--root", str(tmp_path / "none"), "tiers"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "Next: larmor ingest" in capsys.readouterr().out


def test_withdraw_plans_and_says_that_it_only_plans(larmor, filled):
    code, out, _ = larmor("withdraw", "--subject", "S1")
    assert code == 0
    for words in (
        "This is a plan",
        "Nothing was changed or deleted",
        "curated/volumes",
        "cohort",
        "Steps, in this order",
    ):
        assert words in out
    found = json.loads(larmor("withdraw", "--delivery", "a", "--json")[1])
    assert found["carried_out"] is False
    assert found["scope"] == {"kind": "delivery", "value": "a"}
    assert found["secrets"] == 0
    assert found["steps"]
    assert not filled.location(Zone.RESTRICTED).exists("vault")


def test_withdraw_counts_the_secrets_of_the_vault(larmor, filled):
    from stages.identity import open_vault

    vault = open_vault(filled)
    code = vault.subject("Hospital Consortium", "patient-1").code
    vault.subject("Hospital Consortium", "patient-2")
    synthetic.fill(filled, {"b": [code]})
    assert json.loads(larmor("withdraw", "--subject", code, "--json")[1])["secrets"] == 1
    (filled.location(Zone.RESTRICTED, "vault").path / "vault.key").write_text("0" * 64)
    assert json.loads(larmor("withdraw", "--subject", code, "--json")[1])["secrets"] is None
    assert "its key is not here" in larmor("withdraw", "--subject", code)[1]


def test_withdraw_is_carried_out_once_its_plan_is_confirmed(larmor, filled):
    from stages.identity import open_vault

    code = open_vault(filled).subject("Hospital Consortium", "patient-1").code
    synthetic.fill(filled, {"b": [code]})
    digits = json.loads(larmor("withdraw", "--subject", code, "--json")[1])["confirm"]
    refused, _, err = larmor("withdraw", "--subject", code, "--confirm", "00000000")
    assert refused == 1
    assert "another confirmation" in err
    done, out, _ = larmor("withdraw", "--subject", code, "--confirm", digits)
    assert done == 0
    assert "Withdrawn. Certificate: " in out
    assert "Nothing of this subject is held" in larmor("withdraw", "--subject", code)[1]


def test_the_exit_code_of_a_withdrawal_says_whether_something_is_left(larmor, filled):
    """A script that goes by the exit code must not report a person as gone who is not."""
    from stages.identity import open_vault

    code = open_vault(filled).subject("Hospital Consortium", "patient-1").code
    synthetic.fill(filled, {"b": [code]})
    synthetic.put(filled, IDENTIFIERS, "b", [{"subject": code, "kind": "id", "value": "PID88123"}])
    digits = json.loads(larmor("withdraw", "--subject", code, "--json")[1])["confirm"]
    (filled.settings.root / "landing").mkdir(exist_ok=True)
    (filled.settings.root / "landing" / "note.txt").write_text("a call about PID88123")
    left, out, _ = larmor("withdraw", "--subject", code, "--confirm", digits)
    assert (left, "Not complete. What is left: " in out) == (1, True)


def test_a_model_is_exported_to_a_recipient_and_no_other_way(larmor, filled, tmp_path):
    for wrong in ((), ("cohort", "--model", "net"), ("--model", "net"), ("cohort", "--country", "DE")):
        code, _, err = larmor("export", *wrong, "--to", tmp_path / "out")
        assert (code, "needed" in err) == (2, True), wrong
    code, _, err = larmor("export", "--model", "net", "--recipient", "Site B", "--to", tmp_path / "out")
    assert (code, "found no model of this name" in err) == (1, True)


def test_scan_tells_what_it_looked_at_and_its_exit_code_says_whether_it_found_something(larmor, filled):
    synthetic.put(filled, IDENTIFIERS, "a", [{"subject": "S1", "kind": "id", "value": "PID88123"}])
    code, out, _ = larmor("doctor", "scan")
    assert (code, "1 delivery, " in out, "0 identifiers found" in out) == (0, True, True)
    before = {path for path in filled.settings.root.rglob("*") if path.is_file()}
    (filled.settings.root / "audit" / "note.txt").write_text("of PID88123")
    code, out, _ = larmor("doctor", "scan", "a", "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["findings"][0]["where"]) == (1, False, "around them")
    new = {path for path in filled.settings.root.rglob("*") if path.is_file()} - before
    assert {path.relative_to(filled.settings.root).parts[0] for path in new} == {"audit"}, "nothing else is touched"


def test_looking_at_quarantine_is_an_access(larmor, filled, tmp_path):
    for arguments in ((), ("--list", tmp_path / "held.csv")):
        assert larmor("quarantine", *arguments)[0] == 0
    rows = sorted(filled.table(ACCESS).rows(), key=lambda row: row["time"])
    said = [(row["subject_of_access"], row["purpose"]) for row in rows if row["subject_of_access"].startswith("restr")]
    assert said == [
        ("restricted/quarantine", "quarantine worklist"), ("restricted/quarantine", "quarantine list of files"),
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [(), ("--subject", "S1", "--delivery", "a")])
def test_withdraw_needs_exactly_one_thing(larmor, arguments):
    code, _, err = larmor("withdraw", *arguments)
    assert code == 2
    assert "needed exactly one" in err


def test_predict_names_the_models_that_there_are(larmor, tmp_path):
    (tmp_path / "image.nii").write_bytes(b"x")
    code, _, err = larmor("predict", "nobody", tmp_path / "image.nii", "--out", tmp_path / "labels.nii")
    assert code == 1
    assert "found no checkpoint" in err
