"""What a model asset shows of its training, and when its check warns."""

import dagster as dg

from assets.training import _shown, unalarmed
from assets.training_process import line


def test_a_training_without_alarms_passes_its_check_and_one_with_warns():
    assert unalarmed({}, "learns").passed
    warned = unalarmed({"alarms": dg.MetadataValue.text("collapse: rank 1")}, "learns")
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.metadata["alarms"].value == "collapse: rank 1"


def test_the_curves_and_the_card_of_a_model_are_shown_and_an_evaluation_has_neither(tmp_path):
    place = {"folder": dg.MetadataValue.path(str(tmp_path))}
    assert _shown(place) == {}
    (tmp_path / "curves.png").write_bytes(b"png")
    (tmp_path / "card.html").write_text("<p>card</p>")
    shown = _shown(place)
    assert "data:image/png;base64,cG5n" in shown["curves"].value
    assert shown["model_card"].value == str(tmp_path / "card.html")


def test_probes_and_alarms_are_lines_of_progress():
    probe = {"event": "probe", "step": 4, "steps": 8, "probe": {"effective_rank": 3.25, "knn_contrast": 0.5}}
    assert line(probe) == "probe 4 of 8: effective_rank 3.25"
    assert line({"event": "alarm", "step": 4, "reason": "collapse"}) == "alarm (collapse)"
