"""A checkpoint is opened in one line wherever it was copied, answers in the image's own grid, and leaves as a graph."""

import json
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import torch

import training
from schemas.checkpoint import CheckpointManifest
from training import opened, portable
from training.checkpoint import Checkpoint
from training.errors import CheckpointError, TrainingError
from training.evaluation.inference import Model
from training.networks.dynunet import ConvolutionalBaseline
from training.networks.restorer import Restorer
from training.tasks.task import Prediction


class Bright:
    """A task that labels what is above the mean, in the place of one that was learned."""

    answer = "labels"
    config = SimpleNamespace(network="dynunet", window_mm=(64.0, 64.0, 64.0), task="segmentation")

    def predict(self, network, about, scan, *, overlap):
        return Prediction((scan.values > scan.values.mean()).astype(np.uint16) * 2)


MANIFEST = CheckpointManifest(
    name="bright", kind="finetuned", task="segmentation", weights_sha256="1" * 64, config_sha256="2" * 64,
    release="cohort", release_sha256="3" * 64, exposure_sha256="4" * 64, steps=1, world_size=1, code_version="0",
    created="2026-01-01T00:00:00Z", licences={"open-licence": "5" * 64},
)  # fmt: skip
ABOUT = {"classes": {0: "background", 2: "bright"}}


def model(network=None):
    made = Model(network or ConvolutionalBaseline(2), Bright(), ABOUT)
    return opened.OpenModel(Checkpoint(Path("bright"), MANIFEST, ABOUT, {}, {}, {}), made)


@pytest.fixture
def image():
    array = np.random.default_rng(0).integers(0, 900, (9, 8, 7)).astype(np.int16)
    # left is first: the file's axes are not those that the model sees
    return nib.Nifti1Image(array, np.diag([-2.0, 2.0, 3.0, 1.0]))


def test_a_prediction_lies_on_the_grid_of_its_image(image, tmp_path):
    nib.save(image, tmp_path / "image.nii.gz")
    for asked in (image, tmp_path / "image.nii.gz", str(tmp_path / "image.nii.gz")):
        said = model().predict(asked)
        np.testing.assert_allclose(said.affine, image.affine)
        bright = np.asarray(said.dataobj) == 2
        assert image.get_fdata()[bright].min() > image.get_fdata()[~bright].max()
        assert said.get_data_dtype() == np.uint8


def test_a_model_says_what_it_is(image):
    assert model().classes == {0: "background", 2: "bright"}
    with pytest.raises(TrainingError, match="needed a pre-trained one"):
        model().features(image)
    assert repr(model()) == "<model bright: segmentation, 1 steps on release cohort>"
    for wrong in ("nowhere.nii.gz", Path()):
        with pytest.raises(TrainingError, match="larmor predict takes a folder"):
            model().predict(wrong)
    flat = nib.Nifti1Image(np.ones((4, 4, 4), np.int16), np.eye(4))
    with pytest.raises(TrainingError, match="needed one with intensities that differ"):
        model().predict(flat)


def test_a_folder_without_a_checkpoint_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="found no checkpoint"):
        training.open(tmp_path / "nothing")


def test_an_encoder_computes_where_it_is_told_to(monkeypatch):
    pretrained = MANIFEST.model_copy(update={"kind": "pretrained", "task": None})
    monkeypatch.setattr(opened, "load", lambda folder: Checkpoint(folder, pretrained, ABOUT, {}, {}, {}))
    monkeypatch.setattr(opened, "frozen", lambda _: SimpleNamespace(encoder=torch.nn.Linear(1, 1)))
    monkeypatch.setattr(opened, "device_of", torch.device)
    assert next(training.open("anywhere", "meta").network.parameters()).device.type == "meta"


def taught(mirror):
    """A restorer that adds something, as after a training; a new one adds nothing."""
    network = Restorer(8, 1, mirror=mirror)
    torch.nn.init.normal_(network.leave.weight, generator=torch.Generator().manual_seed(0))
    return network


NETWORKS = pytest.mark.parametrize(
    "network",
    [ConvolutionalBaseline(3), taught(mirror=False), taught(mirror=True)],
    ids=["dynunet", "restorer", "restorer of all sides"],
)


@NETWORKS
def test_a_graph_answers_as_its_network_for_every_shape(network, tmp_path):
    path = model(network.eval()).export(tmp_path / "new" / "graph.pt")
    graph = torch.jit.load(path)
    for shape in ((48, 24, 32), (64, 16, 16)):
        voxels = torch.randn(1, 1, *shape)
        wanted = torch.stack(network(SimpleNamespace(images=[voxels[0, 0]])))
        torch.testing.assert_close(graph(voxels), wanted, atol=1e-4, rtol=1e-4)
    about = json.loads(path.with_suffix(".json").read_text())
    assert (about["model"], about["licences"]) == ("bright", {"open-licence": "5" * 64})
    assert about["input"]["multiple_of"] == network.STRIDE <= min(about["input"]["at_least"])
    assert about["classes"] == {"0": "background", "2": "bright"}


@NETWORKS
def test_an_onnx_graph_answers_as_its_network(network, tmp_path):
    pytest.importorskip("onnx", reason="needed onnx, which writes the file")
    runtime = pytest.importorskip("onnxruntime")
    path = model(network.eval()).export(tmp_path / "graph.onnx")
    voxels = torch.randn(1, 1, 64, 24, 16)
    (found,) = runtime.InferenceSession(path).run(None, {"image": voxels.numpy()})
    wanted = torch.stack(network(SimpleNamespace(images=[voxels[0, 0]]))).detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_what_cannot_be_a_graph_says_why_and_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match=r"voxel size, needed dynunet or restorer.*training\.open"):
        model(torch.nn.Linear(1, 1)).export(tmp_path / "graph.pt")
    with pytest.raises(TrainingError, match=r"needed \.pt or \.onnx"):
        model().export(tmp_path / "graph.bin")
    (tmp_path / "there.pt").write_bytes(b"mine")
    with pytest.raises(TrainingError, match="found a file there"):
        model().export(tmp_path / "there.pt")
    monkeypatch.setattr(portable, "find_spec", lambda _: None)
    with pytest.raises(TrainingError, match="pip install onnx"):
        model().export(tmp_path / "graph.onnx")
