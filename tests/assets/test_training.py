"""What a model asset shows of its training, and when its check warns."""

import dagster as dg
import pytest

from assets import models
from assets.resources import LakeResource
from assets.training import Launcher, _shown, trained, unalarmed
from assets.training_process import line
from schemas.document import DocumentError


def test_a_training_without_alarms_passes_its_check_and_one_with_warns():
    assert unalarmed({}, "learns").passed
    warned = unalarmed({"alarms": dg.MetadataValue.text("collapse: rank 1")}, "learns")
    assert not warned.passed
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.metadata["alarms"].value == "collapse: rank 1"


def test_the_curves_and_the_card_of_a_model_are_shown_and_an_evaluation_has_neither(tmp_path):
    place = {"folder": dg.MetadataValue.path(str(tmp_path))}
    assert _shown(place) == {}
    (tmp_path / "curves.png").write_bytes(b"png")
    (tmp_path / "card.html").write_text("<p>card</p>")
    shown = _shown(place)
    assert "data:image/png;base64,cG5n" in shown["curves"].value
    assert shown["model_card"].value == str(tmp_path / "card.html")


def test_probes_and_alarms_are_lines_of_progress():
    probe = {"event": "probe", "step": 4, "steps": 8, "probe": {"effective_rank": 3.25, "knn_contrast": 0.5}}
    assert line(probe) == "probe 4 of 8: effective_rank 3.25"
    assert line({"event": "alarm", "step": 4, "reason": "collapse"}) == "alarm (collapse)"


@pytest.fixture
def jobs_of(monkeypatch):
    """The jobs that a fine-tuning starts, each without being run."""

    def started(wanted):
        jobs = []
        monkeypatch.setattr(models, "trained", lambda _context, _lake, job, *_: jobs.append(job) or {})
        # what the step does, without asking a lake's roles
        step = models.finetuned.op.compute_fn.decorated_fn.__wrapped__.__wrapped__
        step(dg.build_asset_context(partition_key="heads"), LakeResource(), Launcher(), wanted)
        return jobs

    return started


def test_a_model_of_a_task_is_trained_for_that_task(jobs_of):
    jobs = jobs_of(models.Finetuning(task="regression"))
    assert [(job["name"], job["config"]["task"]) for job in jobs] == [
        ("heads-tiny-regression", "regression"), ("heads-tiny-regression-scratch", "regression"),
    ]  # fmt: skip


@pytest.mark.parametrize("given", [{"network": "dynunet"}, {"scratch": "true"}], ids=str)
def test_what_no_pre_trained_encoder_fits_is_trained_from_scratch_only(jobs_of, given):
    """The first of two jobs would ask for a parent that the network cannot use."""
    (job,) = jobs_of(models.Finetuning(overrides=given))
    assert (job["name"], job["parent"], job["config"]["scratch"]) == ("heads-tiny-segmentation-scratch", None, True)


@pytest.mark.parametrize(
    ("given", "trained"),
    [
        ({"labels": "2"}, [("segmentation", 2, False), ("segmentation", 2, True)]),
        ({"task": "regression"}, [("regression", 4, False), ("regression", 4, True)]),
        ({"scratch": "false"}, [("segmentation", 4, False)]),
    ],
    ids=str,
)
def test_a_value_that_is_given_counts_though_a_field_of_the_step_says_it_too(jobs_of, given, trained):
    jobs = jobs_of(models.Finetuning(overrides=given))
    assert [tuple(job["config"][field] for field in ("task", "labels", "scratch")) for job in jobs] == trained
    assert all(trained[0][0] in job["name"] for job in jobs)


def test_another_model_of_the_name_is_replaced_where_that_is_asked_alone(jobs_of):
    """The refusal names `replace: true` as its remedy."""
    assert [job["replace"] for job in jobs_of(models.Finetuning())] == [False, False]
    assert [job["replace"] for job in jobs_of(models.Finetuning(replace=True))] == [True, True]


@pytest.mark.parametrize(
    ("preset", "config", "said"),
    [("tinny", {}, "found no preset 'tinny', needed one of"), ("tiny", {"stepz": 3}, "stepz")],
)
def test_what_is_wrong_with_a_job_is_told_before_anything_is_asked_or_started(preset, config, said):
    job = {"kind": "finetune", "release": "heads", "name": "x", "preset": preset, "parent": "y", "config": config}
    with pytest.raises(DocumentError, match=said):
        trained(dg.build_asset_context(), LakeResource(root="/nowhere"), job, ranks=1)
