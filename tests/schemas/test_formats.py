"""Documents that Larmor keeps: those of older versions are read, those of newer ones refused with the remedy."""

import json

import pytest

from schemas.checkpoint import CheckpointManifest
from schemas.formats import FormatNewer
from schemas.release import ReleaseManifest

RELEASE = {
    "name": "old", "created": "2026-01-02T00:00:00+00:00", "tables": {"curated/volumes": 1}, "members_sha256": "0" * 64,
    "spec": {
        "name": "old", "cohort": "true", "deliveries": [], "splits": {"train": 1.0, "validation": 0.0, "test": 0.0},
        "seed": 0, "purpose": "model-training", "label_task": None,
    },
    "counts": {}, "licences": {}, "policies": [], "train_models": True, "share_models": True, "export": True,
}  # fmt: skip
CHECKPOINT = {
    "name": "old", "kind": "pretrained", "task": "masked", "weights_sha256": "0" * 64, "config_sha256": "0" * 64,
    "release": "old", "release_sha256": "0" * 64, "parent": None, "parent_weights_sha256": None, "licences": {},
    "share_models": True, "exposure_sha256": "0" * 64, "steps": 1, "world_size": 1, "code_version": "0.1.0",
    "created": "2026-01-02T00:00:00Z",
}  # fmt: skip
FIRST = [
    pytest.param(ReleaseManifest, RELEASE, id="release"),
    pytest.param(CheckpointManifest, CHECKPOINT, id="checkpoint"),
]
"""Manifests with the fields that those of the first state of the project had."""


@pytest.mark.parametrize(("model", "content"), FIRST)
def test_the_first_manifests_are_read(model, content):
    read = model.model_validate_json(json.dumps(content))
    assert read.format == 1
    assert read.terms is None
    assert json.loads(read.model_dump_json()).items() >= {"format": 1, "name": "old"}.items()


@pytest.mark.parametrize(("model", "content"), FIRST)
def test_a_newer_one_is_refused_before_its_fields_are_found_wrong(model, content):
    newer = content | {"format": 3, "colour": "blue"}
    with pytest.raises(FormatNewer, match=r"manifest: found format 3, this version reads up to 1; upgrade Larmor"):
        model.model_validate_json(json.dumps(newer))
