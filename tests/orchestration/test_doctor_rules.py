"""`larmor doctor` looks at a lake's own classification rules before a run does."""

from lake.settings import Settings
from orchestration.doctor import examine


def finding(settings):
    return next((f for f in examine(settings) if f.what == "classification rules"), None)


def test_rules_are_examined_where_there_are_some(tmp_path):
    rules = tmp_path / "rules.yaml"
    settings = Settings(root=tmp_path / "lake", classification_rules=rules)
    assert finding(Settings(root=tmp_path / "lake")) is None
    assert "found no file" in finding(settings).found
    rules.write_text("name: own\ncontrst: {}\n", encoding="utf-8")
    wrong = finding(settings)
    assert not wrong.ok
    assert "contrst" in wrong.found
    assert "extend-classification" in wrong.remedy
    rules.write_text("name: own\n", encoding="utf-8")
    assert (finding(settings).ok, finding(settings).found) == (True, "own, shipped")
