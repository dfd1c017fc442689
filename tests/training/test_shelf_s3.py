"""A model on S3 is there complete or not at all, and is fetched once by whoever reads it."""

import pytest

from lake.stores.aws import StoreError
from lake.zones import Lake
from lineage.terms import terms
from schemas.checkpoint import RETIRED
from schemas.contract import Zone
from tests.training.conftest import LICENCE
from training.checkpoint import read_manifest
from training.errors import BusyError, CheckpointError
from training.shelf import desk, fetched, put_up, reserved

pytestmark = pytest.mark.s3

FILES = {"weights.safetensors": b"w" * 9_000_000, "config.yaml": b"c", "plots/loss.png": b"p", "manifest.json": b"{}"}


@pytest.fixture
def far(tmp_path, faults, monkeypatch):
    """A lake whose models lie in the bucket."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    return Lake.open(tmp_path / "lake", models="s3://lake/models")


def made(lake, name, files):
    for file, data in files.items():
        path = desk(lake, name) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return desk(lake, name)


def test_a_model_that_was_put_up_is_fetched_whole_elsewhere(far, tmp_path):
    put_up(far, made(far, "m", FILES))
    other = Lake.open(tmp_path / "other", models="s3://lake/models")
    folder = fetched(other, "m")
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == FILES
    assert fetched(other, "m") == folder


def test_a_model_that_is_trained_again_replaces_the_one_before(far, tmp_path):
    put_up(far, made(far, "m", FILES | {"old.txt": b"x"}))
    other = Lake.open(tmp_path / "other", models="s3://lake/models")
    fetched(other, "m")
    (desk(far, "m") / "old.txt").unlink()
    put_up(far, made(far, "m", {"config.yaml": b"new", "manifest.json": b'{"n":1}'}))
    assert (fetched(other, "m") / "config.yaml").read_bytes() == b"new"
    assert not (fetched(other, "m") / "old.txt").exists()


def test_a_model_that_was_put_up_in_part_is_absent(far, tmp_path, faults):
    faults.add("failed", "PUT", "weights")
    faults.add("failed", "POST", "weights")
    with pytest.raises(StoreError):
        put_up(far, made(far, "m", FILES))
    other = Lake.open(tmp_path / "other", models="s3://lake/models")
    assert not far.location(Zone.MODELS, "m").exists("manifest.json")
    assert not (fetched(other, "m") / "manifest.json").exists()


def test_an_evaluation_is_complete_with_its_metrics(far):
    put_up(far, made(far, "e", {"evaluation.html": b"page", "metrics.json": b"{}"}))
    assert far.location(Zone.MODELS, "e").walk() == ["evaluation.html", "metrics.json"]


def test_a_model_that_a_withdrawal_took_out_of_use_leaves_the_desks_that_fetched_it(far, tmp_path):
    put_up(far, made(far, "m", FILES))
    other = Lake.open(tmp_path / "other", models="s3://lake/models")
    fetched(other, "m")
    zone = far.location(Zone.MODELS, "m")
    zone.write_bytes(RETIRED, zone.read_bytes("manifest.json"))
    zone.delete("manifest.json")
    folder = fetched(other, "m")
    assert [path.name for path in folder.iterdir()] == [RETIRED]
    with pytest.raises(CheckpointError, match="took out of use"):
        read_manifest(folder)


def test_two_machines_do_not_make_one_model(far, tmp_path):
    other = Lake.open(tmp_path / "other", models="s3://lake/models")
    with reserved(far, desk(far, "m")):
        with pytest.raises(BusyError, match="in use by process"), reserved(other, desk(other, "m")):
            pass
        with reserved(other, desk(other, "another")):
            pass
    with reserved(other, desk(other, "m")):
        pass


def test_a_job_puts_up_what_it_made_before_it_is_recorded(far, tmp_path, lake_root, monkeypatch):
    from training.run import run

    there = []
    monkeypatch.setenv("LARMOR_MODELS", "s3://lake/models")
    monkeypatch.setattr("training.run.do", lambda job, release, out, report: made(far, out.name, FILES) and out)
    monkeypatch.setattr(
        "training.record.trained", lambda lake, *_: there.extend(lake.location(Zone.MODELS, "m").walk())
    )
    root = tmp_path / "lake"
    terms.learn(far, LICENCE)
    monkeypatch.setenv("LARMOR_CURATED", str(lake_root / "curated"))
    run({"kind": "pretrain", "root": str(root), "release": "synthetic", "name": "m"}, print)
    assert there == sorted(FILES)
