"""An evaluation as a job on a lake: an opening is on the ledger before anything is read, and so is what was trained."""

import json
import shutil

import pytest

from lake.zones import Lake
from lineage.exposures.exposures import exposures
from lineage.ledger.events import EventType
from lineage.ledger.ledger import entries
from training.errors import TrainingError
from training.run import run

CLASSES = {"classes": {0: "background", 1: "scalp", 2: "fluid", 3: "grey matter", 4: "white matter", 5: "lesion"}}
CALM = {"bootstrap": 100, "robustness": {"noise": [], "thickness": [], "missing_slices": []}}


@pytest.fixture
def lake(lake_root, tmp_path):
    """A lake of one's own."""
    shutil.copytree(lake_root, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def opened(lake):
    """Its release."""
    from lake.releases import Release

    return Release.open(lake, "synthetic")


def job(lake, **changes):
    return {"kind": "evaluate", "root": str(lake.settings.root), "release": "synthetic", "name": "told",
            "checkpoints": ["tuned"], **changes}  # fmt: skip


def of_type(lake, kind):
    return [json.loads(entry["event"]) for entry in entries(lake) if entry["type"] == kind]


def test_the_opening_of_the_sealed_split_is_recorded_though_the_evaluation_fails(lake, opened, write_finetuned):
    served = [m.volume for m in opened.members("train")][:2]
    write_finetuned(lake.settings.root / "models" / "tuned", opened, served, CLASSES)
    with pytest.raises(TrainingError, match="found no volume in split test"):
        run(job(lake, config={**CALM, "split": "test"}), lambda _event: None)
    (opening,) = of_type(lake, EventType.ACCESSED)
    assert opening["facts"]["action"] == "evaluate"
    assert opening["facts"]["split"] == "test"
    assert not of_type(lake, EventType.EVALUATED)


def test_a_baseline_is_a_model_with_exposures_and_an_evaluation_of_its_own(lake, opened, small, write_finetuned):
    served = [m.volume for m in opened.members("train")][:2]
    write_finetuned(
        lake.settings.root / "models" / "tuned", opened, served, CLASSES, network="dynunet", labels=1, steps=1,
        warmup_steps=0, batch_size=1, crop_mm=(60, 60, 60), precision="32",
    )  # fmt: skip
    result = run(job(lake, config={**CALM, "baselines": ["scratch"]}), lambda _event: None)
    assert result.metrics["trained_to_compare"] == ["tuned-scratch"]
    assert {row["model"] for row in exposures(lake, "tuned-scratch")} == {"tuned-scratch"}
    told = [event["facts"]["model"] for event in of_type(lake, EventType.EVALUATED)]
    assert sorted(told) == ["tuned", "tuned-scratch"]
