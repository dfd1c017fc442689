"""A job that cannot be done says why, in words, and never with a trace."""

import json

import pytest

from schemas.document import DocumentError
from training.errors import CheckpointError, TrainingError
from training.run import main, run
from training.running.interruption import EXIT_CODE, Stopped


def test_a_misspelt_job_is_refused_by_field():
    with pytest.raises(DocumentError, match="realese"):
        run({"kind": "pretrain", "realese": "x", "name": "m"}, print)


def test_an_unknown_release_is_told_with_what_there_is(lake_root, tmp_path, capsys):
    job = tmp_path / "job.yaml"
    job.write_text(f"kind: pretrain\nroot: {lake_root}\nrelease: nothing\nname: m\n")
    assert main([str(job)]) == 1
    event = json.loads(capsys.readouterr().out)
    assert event["event"] == "failed"
    assert "found no release nothing, needed one of: synthetic" in event["error"]


def test_a_training_that_was_told_to_stop_has_an_exit_code_of_its_own(lake_root, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise Stopped("saved step 3")

    monkeypatch.setattr("training.run.do", stop)
    job = tmp_path / "job.yaml"
    job.write_text(f"kind: pretrain\nroot: {lake_root}\nrelease: synthetic\nname: m\n")
    assert main([str(job)]) == EXIT_CODE == 75
    assert "failed" not in capsys.readouterr().out


def test_an_evaluation_of_nothing_and_of_a_model_that_is_not_there_are_refused(lake_root):
    job = {"kind": "evaluate", "root": str(lake_root), "release": "synthetic", "name": "e"}
    with pytest.raises(TrainingError, match="checkpoints: found none"):
        run(job, print)
    with pytest.raises(CheckpointError, match=r"found no checkpoint at .*ghost"):
        run({**job, "checkpoints": ["ghost"]}, print)


def test_where_a_staging_folder_is_set_the_release_is_staged_before_it_is_read(lake_root, tmp_path, monkeypatch):
    from lake.staging.files import StagedFiles

    sources, told = [], []

    def do(job, release, out, report):
        sources.extend((release.volumes()._source, release.labels()._source))

    monkeypatch.setenv("LARMOR_STAGING", str(tmp_path / "staging"))
    monkeypatch.setattr("training.run.do", do)
    monkeypatch.setattr("training.record.trained", lambda *_: None)
    run({"kind": "pretrain", "root": str(lake_root), "release": "synthetic", "name": "m"}, told.append)
    assert all(isinstance(source, StagedFiles) for source in sources)
    assert told[0]["event"] == "staged"
    assert told[0]["copied"] == told[0]["bytes"] > 0


def test_a_release_that_does_not_fit_is_told(lake_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LARMOR_STAGING", str(tmp_path / "staging"))
    monkeypatch.setenv("LARMOR_STAGING_BYTES", "10")
    job = tmp_path / "job.yaml"
    job.write_text(f"kind: pretrain\nroot: {lake_root}\nrelease: synthetic\nname: m\n")
    assert main([str(job)]) == 1
    assert "found room for 10 bytes in the staging folder" in json.loads(capsys.readouterr().out)["error"]
