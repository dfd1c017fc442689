"""A prediction of a file lands on the file's grid and on the record, and a wrong file or model is told as such."""

import json

import nibabel as nib
import numpy as np
import pytest

from imaging.errors import ImagingError
from lake.zones import Lake
from lineage.ledger import ledger
from schemas.contract import Zone
from schemas.tables import ACCESS
from tests.training.conftest import FakeRelease
from training.config.presets import configured
from training.errors import CheckpointError, TrainingError
from training.evaluation.prediction import predict_file
from training.finetune import finetune

TUNED = {
    "steps": 2, "warmup_steps": 1, "report_every": 1, "save_every": 1, "batch_size": 1, "crop_mm": (60, 60, 60),
    "labels": 1, "channels": (4, 8, 8), "scratch": True, "network": "dynunet",
}  # fmt: skip

OTHERS = {
    "restored": {"task": "restoration", "network": "restorer", "learning_rate": 1e-3},
    "told": {"task": "classification", "network": "vit", "options": {"target": "contrast"}, "labels": 0},
}


class Described(FakeRelease):
    """A release that knows nothing of its series."""

    def described(self, volumes):
        return {}


@pytest.fixture(scope="module")
def lake(tmp_path_factory, release, small):
    """A lake whose models, one of each kind of answer, were trained for two steps."""
    lake = Lake.open(tmp_path_factory.mktemp("predicting"), principal="tester")
    config = configured("tiny", "finetune", {**small, **TUNED})
    models, known = lake.location(Zone.MODELS).path, Described(**vars(release))
    finetune(config, release, models / "tuned", lambda _: None)
    for name, fields in OTHERS.items():
        finetune(configured("tiny", "finetune", {**small, **TUNED, **fields}), known, models / name, lambda _: None)
    return lake


@pytest.fixture
def image(tmp_path, release):
    """A file whose axes are not canonical."""
    (member, *_) = release.members("validation")
    stored = release.images.arrays[member.volume]
    affine = np.diag([4.0, 4.0, 10.0, 1.0])
    orientation = nib.orientations.axcodes2ornt("PIR")
    turned = nib.Nifti1Image(stored, affine).as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), orientation)
    )
    nib.save(turned, tmp_path / "image.nii.gz")
    return tmp_path / "image.nii.gz"


def test_the_label_map_has_the_grid_of_the_file_and_is_recorded(lake, image, tmp_path):
    made = predict_file(lake, "tuned", image, tmp_path / "labels.nii.gz")
    labels, source = nib.load(made.out), nib.load(image)
    assert labels.shape == source.shape == made.shape
    np.testing.assert_allclose(labels.affine, source.affine, atol=1e-4)
    values, counts = np.unique(np.asarray(labels.dataobj), return_counts=True)
    told = {found.value: found.voxels for found in made.classes if found.voxels}
    assert told == {int(v): int(n) for v, n in zip(values, counts, strict=True) if v}
    assert all(found.millilitres == pytest.approx(found.voxels * 0.16) for found in made.classes)
    event = json.loads([e for e in ledger.entries(lake) if e["type"] == "predicted"][-1]["event"])["facts"]
    assert (event["model"], event["content_sha256"], event["volumes"]) == ("tuned", made.sha256, 1)
    assert lake.table(ACCESS).rows()[-1]["action"] == "predict"


def test_a_model_is_named_or_given_as_a_folder_and_predicts_the_same(lake, image, tmp_path):
    folder = lake.location(Zone.MODELS).path / "tuned"
    one = predict_file(lake, "tuned", image, tmp_path / "one.nii")
    other = predict_file(lake, str(folder), image, tmp_path / "other.nii")
    assert one.sha256 == other.sha256


def test_a_restored_image_has_the_grid_of_the_file_and_intensities_of_its_own(lake, image, tmp_path):
    made = predict_file(lake, "restored", image, tmp_path / "restored.nii.gz")
    found, source = nib.load(made.out), nib.load(image)
    assert found.shape == source.shape
    np.testing.assert_allclose(found.affine, source.affine, atol=1e-4)
    assert found.get_data_dtype() == np.float32
    assert np.corrcoef(found.get_fdata().ravel(), source.get_fdata().ravel())[0, 1] > 0.9
    assert made.classes == []


def test_what_is_said_of_a_whole_volume_is_json_that_names_its_model_and_is_recorded(lake, image, tmp_path):
    made = predict_file(lake, "told", image, tmp_path / "told.json")
    said = json.loads(made.out.read_text(encoding="utf-8"))
    assert set(said["probabilities"]) == {"T1", "T2"}
    assert (said["model"], said["task"]) == ("told", "classification")
    event = json.loads([e for e in ledger.entries(lake) if e["type"] == "predicted"][-1]["event"])["facts"]
    assert (event["format"], event["content_sha256"]) == ("json", made.sha256)


def test_what_cannot_be_predicted_is_told_before_anything_is_written_or_recorded(lake, image, tmp_path):
    before, out = ledger.size(lake), tmp_path / "labels.nii.gz"
    flat = tmp_path / "flat.nii"
    nib.save(nib.Nifti1Image(np.zeros((9, 9, 9), np.int16), np.eye(4)), flat)
    (tmp_path / "text.nii").write_text("no image")
    for model, source, target, error, said in (
        ("nobody", image, out, CheckpointError, "beside it: restored, told, tuned"),
        ("tuned", tmp_path / "none.nii", out, TrainingError, "no such image"),
        ("tuned", image, tmp_path / "labels.png", TrainingError, "another ending"),
        ("tuned", image, tmp_path / "labels.json", TrainingError, "segmentation, which speaks of voxels"),
        ("told", image, out, TrainingError, "classification, which speaks of whole volumes"),
        ("tuned", image, image, TrainingError, "already"),
        ("tuned", tmp_path / "text.nii", out, ImagingError, "no NIfTI"),
        ("tuned", flat, out, TrainingError, "needed one with intensities that differ"),
    ):
        with pytest.raises(error, match=said):
            predict_file(lake, model, source, target)
    assert not out.exists()
    assert ledger.size(lake) == before
