"""An officer reads of an evaluation what it found, in whom, and whether the models had seen them."""

import json

from lineage.evidence.scored import Score, scores

ESTIMATE = {"mean": 0.5, "interval": [0.4, 0.6], "subjects": 9, "undefined": 0}
METRICS = {
    "main": ["linear", "auroc"],
    "split": "test",
    "subjects": 9,
    "config": {"confidence": 0.95},
    "seen": {"base": 2},
    "proof": {"base": {"holds": False}},
    "checkpoints": {
        "base": {"linear": {"auroc": ESTIMATE}},
        "other": {"linear": {"auroc": ESTIMATE | {"mean": None, "interval": None}}},
    },
}


def test_each_model_has_its_value_its_interval_and_its_proof():
    found = scores(json.dumps(METRICS).encode())
    assert found.measure == "auroc of linear"
    assert (found.split, found.subjects, found.confidence) == ("test", 9, 0.95)
    assert found.models == [
        Score("base", 0.5, 0.4, 0.6, seen=2, apart=False),
        Score("other", None, None, None, seen=None, apart=None),
    ]


def test_numbers_of_another_kind_have_no_scores():
    assert scores(b'{"dice": 0.71}') is None
    assert scores(b"[1]") is None
    assert scores(b"") is None
