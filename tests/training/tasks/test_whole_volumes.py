"""Classification, regression and retrieval learn what is said of volumes, and say what is missing."""

import json

import numpy as np
import pytest
import torch

from schemas.document import DocumentError
from training import checkpoint
from training.data.tokens import Key
from training.data.whole import TARGET
from training.errors import TrainingError
from training.evaluation.gallery import Gallery, vector_of_text
from training.evaluation.inference import answer, open_model, predict
from training.finetune import finetune
from training.tasks import TASKS
from training.tasks.retrieval import supervised_contrastive
from training.tasks.task import make_task

OPTIONS = {
    "classification": {"target": "finding", "found_in": "diagnosis"},
    "regression": {"target": "age", "unit": "a"},
    "retrieval": {"target": "contrast", "width": 8},
}


def batch(served, step=0, count=4):
    return served.collate([served.dataset[Key(step, slot)] for slot in range(count)])


@pytest.fixture(scope="module")
def models(tmp_path_factory, known, settings):
    """A model of each task, and one of retrieval by text."""
    root = tmp_path_factory.mktemp("whole")
    for task, options in OPTIONS.items():
        finetune(settings(task, options), known, root / task, lambda _: None)
    finetune(settings("retrieval", {"alike": "text", "width": 8}), known, root / "text", lambda _: None)
    return root


def test_classes_in_any_script_come_back_from_the_checkpoint(models, known):
    loaded = checkpoint.load(models / "classification")
    assert loaded.config["classes"] == {0: "läsion", 1: "β", 2: "健康"}
    (member, *_) = known.members("validation")
    found = answer(
        open_model(models / "classification"), known.images.arrays[member.volume], known.images.facts[member.volume]
    )
    assert found.voxels is None
    assert set(found.facts["probabilities"]) == {"läsion", "β", "健康"}
    assert sum(found.facts["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found.facts["classes"] == [max(found.facts["probabilities"], key=found.facts["probabilities"].get)]
    json.dumps(found.facts)


def test_a_number_is_told_in_its_own_unit(models, known):
    about = checkpoint.load(models / "regression").config
    assert about["mean"] == pytest.approx(42.5)
    (member, *_) = known.members("validation")
    model = open_model(models / "regression")
    stored, row = known.images.arrays[member.volume], known.images.facts[member.volume]
    assert answer(model, stored, row).facts["unit"] == "a"
    assert abs(answer(model, stored, row).facts["value"] - 42.5) < 5 * about["deviation"]
    with pytest.raises(TrainingError, match="needed one that speaks of voxels"):
        predict(model, stored, row)


def test_a_gallery_finds_a_volume_by_its_own_vector_and_survives_a_file(models, known, tmp_path):
    model, volumes = open_model(models / "retrieval"), sorted(known.images.facts)
    gallery = Gallery.of(model, known.images, volumes)
    gallery.save(tmp_path / "gallery.npz")
    again = Gallery.read(tmp_path / "gallery.npz")
    assert len(again) == len(volumes)
    nearest, *_ = again.query(gallery.vectors[3], k=2)
    assert nearest.likeness == pytest.approx(1, abs=1e-4)
    with pytest.raises(TrainingError, match="knows no texts"):
        vector_of_text(model, "T1 of the head")


def test_a_text_has_a_vector_in_the_space_of_the_volumes(models):
    vector = vector_of_text(open_model(models / "text"), "Report of s001.")
    assert vector.shape == (8,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)


def test_what_lies_together_costs_less_than_what_lies_apart():
    target = torch.tensor([1, 1, 2, 2])
    near = torch.nn.functional.one_hot(torch.tensor([0, 0, 1, 1]), 3).float()
    far = torch.nn.functional.one_hot(torch.tensor([0, 1, 0, 1]), 3).float()
    costs = [supervised_contrastive(v, v, target, target, 0, 0.1).mean() for v in (near, far)]
    assert costs[0] < 0.01 < costs[1]


def test_volumes_without_a_target_are_skipped_and_counted(known, settings, learn_of, build_release):
    release = learn_of(build_release(train=4, validation=0, contrasts=("T1",)))
    release.said = [*release.said[:3], (release.said[3][0], {"name": "finding", "value": "Unknown"})]
    served = make_task(settings("classification", OPTIONS["classification"])).serve(release)
    assert list(served.skipped.values()) == ["no target"]
    assert len(served.subjects) == 3
    assert served.about["counts"] == [1, 1, 1]


def test_a_volume_of_two_classes_is_skipped_or_has_both_as_asked(learn_of, build_release, settings):
    release = learn_of(build_release(train=3, validation=0, contrasts=("T1",)))
    release.said = [*release.said, (release.said[0][0], {"name": "finding", "value": "β"})]
    served = make_task(settings("classification", OPTIONS["classification"])).serve(release)
    assert list(served.skipped.values()) == ["several classes"]
    several = make_task(settings("classification", OPTIONS["classification"] | {"multi_label": True})).serve(release)
    assert not several.skipped
    assert several.about["counts"] == [1, 2, 1]
    assert batch(several, count=3).targets[TARGET].sum() == 4


def test_rare_classes_count_more(learn_of, build_release, settings):
    release = learn_of(build_release(train=4, validation=0, contrasts=("T1",)))
    task = make_task(settings("classification", OPTIONS["classification"]))
    about = task.serve(release).about
    assert about["counts"] == [2, 1, 1]
    assert np.dot(about["counts"], about["weights"]) == pytest.approx(4)
    assert about["weights"][1] == 2 * about["weights"][0]


def test_a_table_of_one_s_own_is_known_by_its_bytes(known, settings, tmp_path):
    table = tmp_path / "mine.csv"
    lines = [f"{member.subject},{'ja' if member.subject < 's003' else 'nein'}" for member in known.all_members]
    table.write_text("subject,Antwort\n" + "\n".join(dict.fromkeys(lines)), encoding="utf-8-sig")
    options = {"target": "Antwort", "found_in": "table", "table": str(table)}
    task = make_task(settings("classification", options))
    assert task.serve(known).about["classes"] == {0: "ja", 1: "nein"}
    assert task.config.options["table_sha256"] == task.options.table_sha256
    table.write_text(table.read_text().replace("nein", "vielleicht"))
    with pytest.raises(TrainingError, match="other bytes than when the training began"):
        task.serve(known)
    assert make_task(settings("classification", options)).config.digest != task.config.digest


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("classification", {"target": "nothing"}, "no column 'nothing' .* needed one of .*contrast"),
        ("classification", {"target": "x", "found_in": "diagnosis"}, "no diagnosis 'x' .* one of: finding"),
        ("classification", {"target": "body_part"}, "found 1 classes of 12 volumes, needed at least 2"),
        ("classification", {}, "needed the name of what task classification tells"),
        ("regression", {"target": "contrast"}, "found no number among"),
        ("regression", {"target": "missing_axis"}, "found one number for all 12"),
        ("retrieval", {"target": "body_part"}, "one target or text for all 12 volumes"),
    ],
)
def test_what_cannot_be_learned_is_told_before_a_step(known, settings, task, options, said):
    with pytest.raises(TrainingError, match=said):
        make_task(settings(task, options)).serve(known)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "found the columns none"),
        ("subject,other\ns000,1\n", "needed finding and one of volume"),
        ("subject,finding\ns000,a,b\n", "more cells than the heading"),
        (b"subject,finding\ns000,\xff\n", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_as_such(known, settings, tmp_path, content, said):
    table = tmp_path / "bad.csv"
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = {"target": "finding", "found_in": "table", "table": str(table)}
    with pytest.raises(TrainingError, match=said):
        make_task(settings("classification", options)).serve(known)


def test_one_subject_is_enough_where_it_differs_in_what_is_told(learn_of, build_release, settings):
    release = learn_of(build_release(train=1, validation=0))
    served = make_task(settings("classification", {"target": "contrast"})).serve(release)
    assert len(served.subjects) == 1
    with pytest.raises(TrainingError, match="found one number for all 2"):
        make_task(settings("regression", {"target": "age"})).serve(release)


def test_an_unknown_task_option_or_network_is_refused_with_what_there_is(settings, tmp_path):
    with pytest.raises(TrainingError, match=f"needed one of {', '.join(sorted(TASKS))}"):
        make_task(settings("prognosis"))
    with pytest.raises(DocumentError, match="options of task regression: tagret"):
        make_task(settings("regression", {"tagret": "age"}))
    with pytest.raises(DocumentError, match="found it without found_in: table"):
        make_task(settings("regression", {"target": "age", "table": "x.csv"}))
    with pytest.raises(TrainingError, match="table: found no such file"):
        make_task(settings("regression", {"target": "a", "found_in": "table", "table": str(tmp_path / "x.csv")}))
    with pytest.raises(TrainingError, match="needed vit for task regression"):
        make_task(settings("regression", OPTIONS["regression"], network="dynunet"))


def test_the_same_key_gives_the_same_sample(known, settings):
    served = make_task(settings("retrieval", OPTIONS["retrieval"])).serve(known)
    one, other = batch(served, 3), batch(served, 3)
    assert one.samples == (0, 0, 1, 1, 2, 2, 3, 3)
    assert torch.equal(one.tokens.patches[1], other.tokens.patches[1])
    assert not torch.equal(one.images[0], one.images[1]), "two views are drawn apart"
    assert sum(served.exposure(2).values()) == 4
