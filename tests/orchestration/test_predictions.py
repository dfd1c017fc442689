"""A prediction on DICOM or on a volume of the lake is written as asked, refers to its source, and is on the record."""

import io
import json
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from click.testing import CliRunner

from imaging.errors import ImagingError
from imaging.labels.drawings import Grid, paint
from imaging.labels.segmentations import read
from lake.voxels import payload
from lineage.ledger import ledger
from lineage.terms.refusal import Refusal
from orchestration import overlays, predictions
from orchestration.cli import cli
from orchestration.predicted_folder import predict_many
from orchestration.predictions import predict
from schemas.checkpoint import CheckpointManifest
from schemas.tables import INSTANCES, VOLUMES
from stages import sources
from tests import synthetic
from tests.imaging.conftest import make_dataset, to_bytes
from training.data.labelled import Classes
from training.errors import TrainingError
from training.running.hardware import device_of
from training.tasks.task import Prediction


class Bright:
    """Labels what is brighter than the middle: the model's place in tests that are not about models."""

    manifest = CheckpointManifest(
        name="bright", kind="finetuned", task="tissue", weights_sha256="1" * 64, config_sha256="2" * 64,
        release="cohort", release_sha256="3" * 64, exposure_sha256="4" * 64, steps=1, world_size=1, code_version="0",
        created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    digest = "d" * 64
    model = SimpleNamespace(
        classes=Classes({0: "background", 1: "white matter"}),
        task=SimpleNamespace(answer="labels"),
        config=SimpleNamespace(task="segmentation"),
    )
    scheme = model.classes.names
    check = predictions.Predictor.check

    @staticmethod
    def labels(volume):
        first = volume.array if volume.array.ndim == 3 else volume.array[..., 0]
        return (first > np.median(first)).astype(np.uint8)

    def says(self, volume):
        return Prediction(self.labels(volume))


@pytest.fixture(autouse=True)
def bright(monkeypatch):
    monkeypatch.setattr(predictions.Predictor, "load", lambda *_: Bright())


def files(echoes=1):
    draw = np.random.default_rng(0)
    return [
        to_bytes(
            make_dataset(
                draw.integers(0, 900, (6, 5)).astype(np.uint16), ImagePositionPatient=[-10.0, -20.0, 5 + 2.5 * place],
                InstanceNumber=echo * 10 + place, SOPInstanceUID=f"1.2.5.{echo}.{place}", FrameOfReferenceUID="1.2.9",
                EchoTime=20.0 * (echo + 1), EchoNumbers=echo + 1, PatientID="P1",
            )
        )
        for echo in range(echoes)
        for place in range(4)
    ]  # fmt: skip


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for number, data in enumerate(files()):
        (folder / f"{number}.dcm").write_bytes(data)
    (folder / "notes.txt").write_text("no image")
    return folder


def _recorded(lake):
    return json.loads([e for e in ledger.entries(lake) if e["type"] == "predicted"][-1]["event"])["facts"]


def test_a_release_with_a_file_to_write_is_told_to_name_a_folder(lake, monkeypatch):
    monkeypatch.setattr("lake.releases.names", lambda _: ["heads"])
    told = CliRunner().invoke(
        cli, ["--root", str(lake.settings.root), "predict", "bright", "heads", "--out", "a.nii.gz"]
    )
    assert (told.exit_code, "needed a folder" in told.output) == (2, True)


def test_a_series_in_a_folder_is_segmented_as_dicom_and_as_nifti(lake, series, tmp_path):
    source = sources.of_folder(series)
    labels = Bright.labels(source.volume)
    made = predict(lake, "bright", str(series), tmp_path / "labels.dcm")
    seg = (tmp_path / "labels.dcm").read_bytes()
    (painted,) = paint(read(seg), Grid(source.volume.affine, source.volume.shape))
    np.testing.assert_array_equal(painted.map.array, labels)
    assert read(seg).references == {f"1.2.5.0.{place}" for place in range(4)}
    (segment,) = pydicom.dcmread(io.BytesIO(seg)).SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("bright", Bright.digest)
    event = _recorded(lake)
    assert (event["format"], event["content_sha256"]) == ("dicom-seg", made.sha256)
    predict(lake, "bright", str(series), tmp_path / "labels.nii.gz")
    image = nib.load(tmp_path / "labels.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), labels)
    np.testing.assert_allclose(image.affine, source.volume.affine, atol=1e-5)
    assert made.classes[0].voxels == labels.sum()


def test_of_a_series_with_several_volumes_one_is_chosen(lake, tmp_path):
    folder = tmp_path / "echoes"
    folder.mkdir()
    for number, data in enumerate(files(echoes=2)):
        (folder / f"{number}.dcm").write_bytes(data)
    with pytest.raises(ImagingError, match=r"found 2 volumes .*2: 4 slices of 5 x 6.* choose it with --number"):
        predict(lake, "bright", str(folder), tmp_path / "labels.dcm")
    with pytest.raises(ImagingError, match="needed --number from 1 to 2"):
        predict(lake, "bright", str(folder), tmp_path / "labels.dcm", number=3)
    predict(lake, "bright", str(folder), tmp_path / "labels.dcm", number=2)
    assert read((tmp_path / "labels.dcm").read_bytes()).references == {f"1.2.5.1.{place}" for place in range(4)}


@pytest.fixture
def filled(lake, series):
    """A lake with the series, and one volume that did not come as DICOM."""
    synthetic.know(lake, synthetic.licence())
    volume = sources.of_folder(series).volume
    frame = payload.encode(volume.array)
    row = synthetic.volume_row("a", "S1") | {
        "sources": [f"1.2.5.0.{place}" for place in range(4)], "affine": volume.affine.ravel().tolist(),
        "shape": list(volume.shape), "spacing": list(volume.spacing), "dtype": str(volume.array.dtype),
        "part": volume.part, "slope": 1.0, "intercept": 0.0, "voxels": frame, "voxels_bytes": len(frame),
    }  # fmt: skip
    plain = synthetic.volume_row("a", "S2") | {"sources": []}
    synthetic.put(lake, VOLUMES, "a", [row, plain])
    kept = {name: row[name] for name in ("delivery", "subject", "study", "series", "licence", "policy")}
    instances = [
        kept | {"instance": f"1.2.5.0.{place}", "sop_class": "1.2", "transfer_syntax": "1.2", "modality": "MR",
                "frames": 1, "dicom_bytes": len(data), "dicom": data}
        for place, data in enumerate(files())
    ]  # fmt: skip
    synthetic.put(lake, INSTANCES, "a", instances)
    return SimpleNamespace(lake=lake, row=row, plain=plain)


def test_a_volume_of_the_lake_is_segmented_on_its_de_identified_files(filled, tmp_path):
    predict(filled.lake, "bright", filled.row["volume"], tmp_path / "labels.dcm")
    found = read((tmp_path / "labels.dcm").read_bytes())
    assert found.references == set(filled.row["sources"])
    predict(filled.lake, "bright", filled.plain["volume"], tmp_path / "labels.nii")
    assert nib.load(tmp_path / "labels.nii").shape == synthetic.SHAPE


def test_what_a_licence_forbids_does_not_leave_as_a_prediction_either(filled, tmp_path):
    synthetic.know(filled.lake, synthetic.licence(export=False))
    with pytest.raises(Refusal, match="export"):
        predict(filled.lake, "bright", filled.row["volume"], tmp_path / "labels.dcm")
    assert not (tmp_path / "labels.dcm").exists()


def test_what_a_segmentation_cannot_refer_to_is_told(filled, series, tmp_path):
    lake, out = filled.lake, tmp_path / "labels.dcm"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)), tmp_path / "image.nii")
    for source, said in (
        (filled.plain["volume"], "did not come as DICOM"),
        (str(tmp_path / "image.nii"), "found a NIfTI image"),
        ("nothing-of-that-name", "neither a file nor a folder nor a volume"),
    ):
        with pytest.raises(TrainingError, match=said):
            predict(lake, "bright", source, out)
    with pytest.raises(TrainingError, match="another ending"):
        predict(lake, "bright", str(series), tmp_path / "labels.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImagingError, match="needed a series of MR images"):
        predict(lake, "bright", str(tmp_path / "empty"), out)
    assert not out.exists()


def test_a_release_is_predicted_on_into_a_folder_that_the_gallery_lays_over_it(lake, tmp_path):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3"]}, contrasts=("T1",))
    release = synthetic.frozen(lake, labels=False)
    told = []
    done = predict_many(lake, "bright", "cohort", tmp_path / "out", purpose="research", report=told.append)
    wanted = {member.volume for split in ("train", "validation") for member in release.members(split)}
    assert {path.name.removesuffix(".nii.gz") for path in (tmp_path / "out").glob("*.nii.gz")} == wanted
    assert told[-1] == f"{len(wanted)} of {len(wanted)} images"
    for volume in wanted:
        label_map = overlays.over(tmp_path / "out", volume)
        np.testing.assert_allclose(nib.load(label_map).affine, synthetic.AFFINE, atol=1e-5)
        assert overlays.scheme_of(label_map) == {"0": "background", "1": "white matter"}
    again = predict_many(lake, "bright", "cohort", tmp_path / "out", purpose="research")
    assert (len(done.made), again.there, again.made) == (len(wanted), len(wanted), [])


def test_a_stopped_batch_goes_on_and_one_bad_image_stops_no_other(lake, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        array = np.random.default_rng(number).integers(0, 900, (6, 5, 4)).astype(np.int16)
        nib.save(nib.Nifti1Image(array, np.eye(4)), images / f"image{number}.nii.gz")
    (images / "broken.nii").write_bytes(b"no image")
    done = predict_many(lake, "bright", str(images), tmp_path / "out")
    assert [made.out.name for made in done.made] == [f"image{number}.nii.gz" for number in range(3)]
    assert list(done.failed) == ["broken"]
    (tmp_path / "out" / "image1.nii.gz").unlink()
    again = predict_many(lake, "bright", str(images), tmp_path / "out")
    assert [made.out.name for made in again.made] == ["image1.nii.gz"]


def test_every_volume_of_a_folder_of_dicom_gets_a_segmentation(lake, tmp_path):
    folder = tmp_path / "echoes"
    folder.mkdir()
    for number, data in enumerate(files(echoes=2)):
        (folder / f"{number}.dcm").write_bytes(data)
    predict_many(lake, "bright", str(folder), tmp_path / "out", form="dicom")
    for number in (1, 2):
        found = read((tmp_path / "out" / f"{number:03}.dcm").read_bytes())
        assert found.references == {f"1.2.5.{number - 1}.{place}" for place in range(4)}


def test_a_folder_holds_the_predictions_of_one_model(lake, series, tmp_path, monkeypatch):
    predict_many(lake, "bright", str(series), tmp_path / "out")
    monkeypatch.setattr(Bright, "digest", "e" * 64)
    with pytest.raises(TrainingError, match="found predictions of another model"):
        predict_many(lake, "bright", str(series), tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match="found other files"):
        predict_many(lake, "bright", str(series), tmp_path / "other")
    with pytest.raises(TrainingError, match="neither a release nor a folder"):
        predict_many(lake, "bright", "nothing", tmp_path / "third")


def test_images_of_the_same_names_are_not_taken_for_those_that_are_done(lake, series, tmp_path):
    """Another person's series is number 001 too, and another folder has an `image.nii` of its own."""
    predict_many(lake, "bright", str(series), tmp_path / "out")
    before = (tmp_path / "out" / "001.nii.gz").read_bytes()
    (series / "0.dcm").unlink()
    another = predict_many(lake, "bright", str(series), tmp_path / "out")
    assert (another.there, another.made, list(another.failed)) == (0, [], ["001"])
    assert "another image" in another.failed["001"]
    assert (tmp_path / "out" / "001.nii.gz").read_bytes() == before
    for number in range(2):
        (tmp_path / f"images{number}").mkdir()
        array = np.random.default_rng(number).integers(0, 900, (6, 5, 4)).astype(np.int16)
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / f"images{number}" / "image.nii")
    predict_many(lake, "bright", str(tmp_path / "images0"), tmp_path / "niftis")
    assert list(predict_many(lake, "bright", str(tmp_path / "images1"), tmp_path / "niftis").failed) == ["image"]
    assert predict_many(lake, "bright", str(tmp_path / "images0"), tmp_path / "niftis").there == 1


def test_a_cut_short_slice_is_told_by_its_number(lake, series, tmp_path):
    third = series / "2.dcm"
    third.write_bytes(third.read_bytes()[:-20])
    with pytest.raises(ImagingError, match="DICOM image 3 of 4"):
        predict(lake, "bright", str(series), tmp_path / "labels.dcm")


def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_recorded(lake, series, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TrainingError, match="found a file where the output's folder is to be"):
        predict(lake, "bright", str(series), tmp_path / "file" / "labels.nii.gz")
    with pytest.raises(TrainingError, match="found a file where the output's folder is to be"):
        predict_many(lake, "bright", str(series), tmp_path / "file")
    monkeypatch.setattr("os.access", lambda place, mode: False)
    with pytest.raises(TrainingError, match="may not be written to"):
        predict(lake, "bright", str(series), tmp_path / "labels.nii.gz")
    assert [e for e in ledger.entries(lake) if e["type"] == "predicted"] == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--split", "train", "--out", "out"], "found --split without a release"),
        (["--number", "1", "--out", "out"], "found --number and a folder"),
        (["--format", "dicom", "--out", "out.nii.gz"], "found --format and one file"),
    ],
)
def test_options_that_would_do_nothing_are_refused(lake, series, given, told):
    ended = CliRunner().invoke(cli, ["--root", str(lake.settings.root), "predict", "bright", str(series), *given])
    assert (ended.exit_code, told in ended.output) == (2, True)


def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(TrainingError, match="found no GPU"):
        device_of("cuda" if not torch.cuda.is_available() else pytest.skip("found a GPU"))
    assert device_of("cpu").type == "cpu"
    with pytest.raises(TrainingError, match="found 'gpu', needed one of: auto, cpu, cuda"):
        device_of("gpu")


def test_the_verb_says_what_failed_and_ends_with_an_exit_code(lake, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    draw = np.random.default_rng(0).integers(0, 900, (6, 5, 4)).astype(np.int16)
    nib.save(nib.Nifti1Image(draw, np.eye(4)), images / "good.nii")
    (images / "bad.nii").write_bytes(b"no image")
    common = ["--root", str(lake.settings.root), "predict", "bright", str(images), "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(cli, [*common, "--json"])
    assert ended.exit_code == 1
    said = json.loads(ended.stdout)
    assert (len(said["made"]), list(said["failed"])) == (1, ["bad"])
    (images / "bad.nii").unlink()
    again = CliRunner().invoke(cli, common)
    assert (again.exit_code, "1 were there already" in again.stdout) == (0, True)
