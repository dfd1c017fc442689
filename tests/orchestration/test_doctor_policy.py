"""`larmor doctor policy` says what leaves, why, and what changed; a wrong document is refused by field and remedy."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from orchestration import cli

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "policy.yaml"


@pytest.fixture
def doctor(capsys, monkeypatch):
    """Run the verb in this process; exit code, output, errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["larmor", "doctor", "policy", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told, code = capsys.readouterr(), end.value.code
        return (1, told.out, told.err + code) if isinstance(code, str) else (code or 0, told.out, told.err)

    return run


def write(path, **content):
    path.write_text(yaml.safe_dump({"extends": "safe_harbor.yaml", "name": "own", "version": 1} | content))
    return path


def test_each_element_is_explained_with_rule_reason_action_and_option(doctor):
    code, out, _ = doctor("safe_harbor", "--json")
    answer = json.loads(out)
    assert code == 0
    rows = {row["keyword"]: row for row in answer["rows"]}
    age = rows["PatientAge"]
    assert (age["tag"], age["rule"], age["basic"], age["option"]) == (
        "(0010,1010)", "patient-characteristics", "X", "113108"
    )  # fmt: skip
    assert "above 89" in age["happens"]
    assert all(row["reason"] and row["happens"] and row["action"] in "KCUDZ" for row in answer["rows"])
    assert (rows["EchoTime"]["basic"], rows["EchoTime"]["option"]) == ("", "")
    assert rows["DeviceSerialNumber"]["action"] == "D"
    private = [row for row in answer["rows"] if row["tag"].startswith("(0019,xx0C SIEMENS")]
    assert [row["option"] for row in private] == ["113111"]
    assert "113108" in answer["options"]


def test_the_terminal_groups_elements_by_rule_and_says_why(doctor):
    code, out, _ = doctor()
    assert code == 0
    assert out.startswith("Policy safe_harbor")
    assert "descriptors: names of protocols" in out
    assert "113105 Clean Descriptors Option" in out
    line = next(line for line in out.splitlines() if "SeriesDescription" in line)
    assert line.split()[0] == "(0008,103E)"
    assert line.split()[-2:] == ["X", "113105"]


def test_changes_against_another_policy(doctor):
    code, out, _ = doctor(EXAMPLE, "--against", "safe_harbor", "--json")
    changes = {change["what"]: (change["before"], change["now"]) for change in json.loads(out)["changes"]}
    assert code == 0
    assert changes.pop("faces") == ("clean", "hold")
    assert changes.pop("(0010,1030) PatientWeight")[1] == ""
    assert changes.pop("(0010,1020) PatientSize")[1] == ""
    assert changes.pop("(0040,0254) PerformedProcedureStepDescription") == ("", "cleaned to known words (113105)")
    assert all(what.startswith("(0043,xx0") and not before for what, (before, _) in changes.items())
    assert len(changes) == 3
    assert "keeps what safe_harbor keeps" in doctor("safe_harbor", "--against", "safe_harbor")[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"dates": "weekly"}, "own.yaml: dates: Input should be"),
        ({"keep": [{"id": "r", "reason": "x", "elements": ["EchoTme"]}]}, "rule r: found EchoTme, which is no keyword"),
        ({"clean": [{"id": "r", "reason": "x", "elements": ["InstitutionName"]}]}, "needed `option: 113112` in its"),
        ({"keep": [{"id": "r", "elements": ["EchoTime"]}]}, "reason: Field required"),
        ({"extends": "elsewhere.yaml"}, "the shipped ones are"),
    ],
)
def test_a_wrong_document_is_refused_with_field_and_remedy(content, said, doctor, tmp_path):
    code, _, err = doctor(write(tmp_path / "own.yaml", **content))
    assert code == 1
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_shipped_policies_are_found_from_any_folder(doctor, tmp_path):
    (tmp_path / "safe_harbor.yaml").write_text("extends: safe_harbor.yaml\nname: own\n")
    assert "Policy own" in doctor(tmp_path / "safe_harbor.yaml")[1]
    assert "Policy own" in doctor(write(tmp_path / "own.yaml", extends="expert_determination"))[1]
