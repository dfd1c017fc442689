"""A training through Slurm, from the asset to the record: one cluster that is not there, and one that may be."""

import json

import pytest

from lake.zones import Lake
from lineage.ledger.ledger import entries

pytestmark = pytest.mark.slow


@pytest.fixture
def on_slurm(root, slurm_document, tmp_path, monkeypatch):
    """Settings that have trainings run there."""
    document = tmp_path / "slurm.yaml"
    slurm_document(price={"per_hour": 2.0, "currency": "USD", "date": "2026-01-01", "source": "a bill"}).write(document)
    monkeypatch.setenv("LARMOR_LAUNCHER", "slurm")
    monkeypatch.setenv("LARMOR_LAUNCHING", str(document))
    monkeypatch.setenv("LARMOR_ROOT", str(root))


def shown(result):
    """What the materialization shows."""
    (event,) = result.asset_materializations_for_node("models__pretrained")
    return {name: value.value for name, value in event.metadata.items()}


def test_a_model_trained_on_slurm_is_recorded_as_one_that_was_trained_at_home(
    some_cluster, on_slurm, root, materialize
):
    result = materialize()
    assert result.success
    told = shown(result)
    assert told["launcher"] == "slurm"
    assert told["cost_at_most"] == 48.0
    assert told["folder"] == str(root / "models" / "synthetic-tiny")
    manifest = json.loads((root / "models" / "synthetic-tiny" / "manifest.json").read_text())
    trained = [json.loads(e["event"])["facts"] for e in entries(Lake.open(root)) if e["type"] == "trained"]
    assert [facts["weights_sha256"] for facts in trained] == [manifest["weights_sha256"]]
    assert trained[0]["samples"] == 8
    assert len(told["decision"]) == 64
    assert not (root / "scratch" / "jobs").exists() or not any((root / "scratch" / "jobs").iterdir())
