"""Real images of odd shapes with byte voxels go through fine-tuning and come back as label maps."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.config.presets import configured
from training.evaluation.inference import open_model, predict
from training.finetune import finetune

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "hippocampus"
SCHEME = {0: "background", 1: "anterior", 2: "posterior"}


@pytest.mark.data
@pytest.mark.skipif(not FOLDER.exists(), reason="needs ../shared/data/hippocampus")
def test_hippocampus_images_are_learned_from_at_their_own_shape(build_release, small, tmp_path):
    import nibabel

    release = build_release(train=4, validation=0, contrasts=("T1",))
    names = sorted((FOLDER / "labels").glob("*.nii*"))[:4]
    for volume, path in zip(sorted(release.images.facts), names, strict=True):
        image = np.asanyarray(nibabel.load(FOLDER / "images" / path.name).dataobj)
        labels = np.asanyarray(nibabel.load(path).dataobj).astype(np.uint8)
        release.images.arrays[volume], release.maps.arrays[f"l-{volume}"] = image, labels
        release.images.facts[volume] |= {
            "shape": list(image.shape), "spacing": [1.0] * 3, "occupancy": b"",
            "percentiles": [float(p) for p in np.percentile(image, [0, 1, 5, 25, 50, 75, 95, 99, 100])],
        }  # fmt: skip
        release.maps.facts[f"l-{volume}"] |= {"scheme": json.dumps(SCHEME)}
    config = {**small, "steps": 12, "warmup_steps": 2, "labels": 4, "scratch": True, "report_every": 4}
    events = []
    finetune(configured("tiny", "finetune", config), release, tmp_path / "model", events.append)
    losses = [event["loss"] for event in events if event["event"] == "step"]
    assert losses[-1] < losses[0]
    volume = sorted(release.images.facts)[0]
    stored = release.images.arrays[volume]
    predicted = predict(open_model(tmp_path / "model"), stored, release.images.facts[volume])
    assert predicted.shape == stored.shape
    assert set(np.unique(predicted)) <= {0, 1, 2}
