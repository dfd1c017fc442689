"""What the UI shows first of an evaluation: each model's value with its interval, and where the page is."""

import json

from assets.evaluations import _headline


def test_people_read_a_line_a_model_and_what_is_not_defined_says_so(tmp_path):
    estimate = {"mean": 0.54619177, "interval": [0.51563, 0.56597], "subjects": 4, "undefined": 0}
    metrics = {
        "main": ["mean_dice"], "split": "test", "few_shot": [],
        "checkpoints": {"tuned": {"mean_dice": estimate}, "alone": {"mean_dice": estimate | {"interval": None}}},
    }  # fmt: skip
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    shown = _headline(tmp_path)
    assert [record.data for record in shown["mean_dice on test"].records] == [
        {"model": "tuned", "value": 0.5462, "low": 0.5156, "high": 0.566},
        {"model": "alone", "value": 0.5462, "low": "none", "high": "none"},
    ]
    assert shown["page"].value == str(tmp_path / "evaluation.html")
