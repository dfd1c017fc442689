"""`larmor evaluate` takes models or a release, and tells people what it found."""

import json

import pytest

from lake.zones import Lake
from orchestration.verbs.evaluate import _asked, found
from schemas.checkpoint import CheckpointManifest
from training.errors import CheckpointError

MANIFEST = CheckpointManifest(
    name="heads-tiny", kind="pretrained", task="masked", weights_sha256="0", config_sha256="0", release="heads",
    release_sha256="0", exposure_sha256="0", steps=1, world_size=1, code_version="0", created="2026-01-01T00:00:00Z",
)  # fmt: skip


@pytest.fixture
def lake(tmp_path, monkeypatch):
    opened = Lake.open(tmp_path)
    folder = tmp_path / "models" / "heads-tiny"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(MANIFEST.model_dump_json())
    monkeypatch.setattr("lake.releases.names", lambda _lake: ["heads"])
    return opened


def test_models_are_evaluated_on_the_release_that_the_first_was_trained_on(lake):
    assert _asked(lake, ("heads-tiny",), None) == (["heads-tiny"], "heads")
    assert _asked(lake, ("heads-tiny", "other"), "elsewhere") == (["heads-tiny", "other"], "elsewhere")


def test_a_folder_is_known_by_its_whole_path(lake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (known,), release = _asked(lake, ("models/heads-tiny",), None)
    assert known == str(tmp_path / "models" / "heads-tiny")
    assert release == "heads"


def test_a_release_stands_for_its_models(lake):
    assert _asked(lake, ("heads",), None) == ([], "heads")


def test_a_model_that_is_not_there_is_told_with_those_that_are(lake):
    with pytest.raises(CheckpointError, match="beside it: heads-tiny"):
        _asked(lake, ("ghost",), None)


def test_people_are_told_values_intervals_and_the_page(tmp_path):
    told = {"mean": 0.8, "interval": [0.7, 0.9], "subjects": 9, "undefined": 0}
    metrics = {
        "main": ["linear", "sex", "auroc"], "split": "test", "subjects": 9, "volumes": 12,
        "checkpoints": {"heads-tiny": {"linear": {"sex": {"auroc": told}}}},
        "few_shot": [{"model": "heads-tiny-4", "labels": 4, "value": told | {"interval": None}}],
    }  # fmt: skip
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    text = found(tmp_path)
    assert text.splitlines()[0] == "auroc of sex of linear on test"
    assert "0.7  0.9" in text
    assert "heads-tiny-4" in text
    assert str(tmp_path / "evaluation.html") in text
