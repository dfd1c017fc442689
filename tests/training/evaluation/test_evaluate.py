"""What an evaluation leaves behind: numbers with intervals, a proof, and a page that a person can read."""

import dataclasses
import json

import numpy as np
import pytest

from training import checkpoint
from training.config.presets import configured
from training.errors import CheckpointError, TrainingError
from training.evaluation.evaluate import evaluate
from training.evaluation.finetuned import examiner

CLASSES = {"classes": {0: "background", 1: "scalp", 2: "fluid", 3: "grey matter", 4: "white matter", 5: "lesion"}}
CALM = {"robustness.noise": [], "robustness.thickness": [], "robustness.missing_slices": []}
CALM_CONFIG = configured("tiny", "evaluate", CALM)


@pytest.fixture(scope="module")
def described(build_release):
    """A release of small heads whose scanners and persons are known."""
    found = build_release(train=4, validation=7, shape=(24, 24, 6), spacing=(8.0, 8.0, 20.0))
    for number, member in enumerate(sorted(found.all_members, key=lambda m: m.volume)):
        contrast = found.images.facts[member.volume]["contrast"]
        who = {"sex": "M" if int(member.subject[1:]) == 10 else "F", "age": 20 + number, "manufacturer": "A"}
        found.series[member.volume] = {"series": member.series, "contrast": contrast, "plane": "axial", **who}
    return found


@pytest.fixture(scope="module")
def train_volumes(described):
    """Volumes of the training split."""
    return [m.volume for m in described.members("train")]


@pytest.fixture(scope="module")
def models(tmp_path_factory, described, train_volumes, write_pretrained, write_finetuned):
    """A folder with a pre-trained model and three of segmentation, two of which differ in their seed."""
    root = tmp_path_factory.mktemp("models")
    write_pretrained(root / "base", described, train_volumes)
    for name, changes in {"first": {}, "second": {"seed": 1}, "other": {"network": "dynunet"}}.items():
        write_finetuned(root / name, described, train_volumes[:2], CLASSES, **changes)
    return root


def run(release, models, names, out="out", train=None, recipe=None, **changes):
    events = []
    config = configured("tiny", "evaluate", {"bootstrap": 100, **CALM, **changes})
    result = evaluate(config, release, [models / n for n in names], models / out, events.append,
                      train=train, recipe=recipe)  # fmt: skip
    page = (models / out / "evaluation.html").read_text()
    return json.loads((models / out / "metrics.json").read_text()), page, events, result


@pytest.fixture(scope="module")
def segmentation(described, models):
    """An evaluation of three models of segmentation, under one disturbance."""
    return run(described, models, ["first", "second", "other"], "segmentation", **{"robustness.noise": [0.1]})


def test_every_checkpoint_has_overlap_and_distances_with_intervals_over_people(segmentation):
    metrics, _, events, _ = segmentation
    assert set(metrics["checkpoints"]) == {"first", "second", "other"}
    assert metrics["subjects"] == 7
    for numbers in metrics["checkpoints"].values():
        low, high = numbers["mean_dice"]["interval"]
        assert low <= numbers["mean_dice"]["mean"] <= high
        assert set(numbers["hausdorff95"]) == set(list(CLASSES["classes"].values())[1:])
    assert [event["event"] for event in events[:2]] == ["proved", "scored"], "the proof comes before any number"


def test_checkpoints_are_compared_on_the_same_people_and_seeds_are_averaged(segmentation):
    metrics = segmentation[0]
    assert set(metrics["differences"]) == {"second", "other"}
    (group,) = metrics["seeds"]
    assert group["checkpoints"] == ["first", "second"]
    means = [metrics["checkpoints"][name]["mean_dice"]["mean"] for name in ("first", "second")]
    assert group["mean"] == pytest.approx(np.mean(means))
    assert group["between_seeds"] == pytest.approx(np.std(means, ddof=1))


def test_changes_under_a_disturbance_are_told_for_each_checkpoint(segmentation):
    (row,) = segmentation[0]["robustness"]
    assert row["kind"] == "noise"
    for name, told in row["checkpoints"].items():
        clean = segmentation[0]["checkpoints"][name]["mean_dice"]["mean"]
        assert told["change"]["mean"] == pytest.approx(told["value"]["mean"] - clean)


def test_the_one_man_among_women_is_not_measured(segmentation):
    strata = {row["stratum"]: row for row in segmentation[0]["strata"]["first"]["sex"]}
    assert strata["M"] == {"stratum": "M", "subjects": "fewer than 5", "estimate": None}
    assert strata["F"]["subjects"] == "at least 5"


def test_the_page_needs_no_other_file_and_names_no_one(segmentation, described):
    metrics, page, _, _ = segmentation
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "Proved: nothing of this split was trained on." in page
    assert "Missing series left out: volumes are scored one by one" in page
    assert metrics["release_sha256"] in page
    for member in described.all_members:
        assert member.volume not in page
        assert member.series not in page
    assert page.count("<figure>") == 6  # boxes, robustness, three worst cases, curves
    assert len(metrics["worst"]) == 3


def test_the_catalogue_is_shown_the_main_numbers_only(segmentation):
    shown = segmentation[3].metrics
    assert shown["checkpoints"]["first"].keys() == {"mean_dice"}
    assert shown["proved"] is True


def test_a_semi_supervised_model_is_compared_with_a_supervised_one(described, models, train_volumes, write_finetuned):
    write_finetuned(
        models / "taught", described, train_volumes, CLASSES, task="semi", batch_size=2, options={"unlabelled": 1}
    )
    metrics, page, _, _ = run(described, models, ["taught", "first"], "how")
    assert metrics["differences"]["first"]["mean"] is not None
    assert "counts as 0 in Dice" in page


def test_regions_that_overlap_are_each_scored_whatever_else_a_voxel_is_in(
    described, models, train_volumes, write_finetuned
):
    regions = {"brain": ["grey matter", "white matter", "lesion"], "white": ["white matter", "lesion"]}
    about = {"classes": dict(enumerate(["background", "brain", "white", "brain + white"])), "inside": []}
    write_finetuned(
        models / "nested", described, train_volumes[:2], about, task="regions", options={"regions": regions}
    )
    metrics, _, _, _ = run(described, models, ["nested"], "nested-out")
    numbers = metrics["checkpoints"]["nested"]
    assert numbers["dice"].keys() == {"brain", "white"}
    means = [numbers["dice"][name]["mean"] for name in regions]
    assert numbers["mean_dice"]["mean"] == pytest.approx(np.mean(means))
    examined = examiner(checkpoint.load(models / "nested"), described, described.members("validation"), CALM_CONFIG)
    member = described.members("validation")[0]
    labels, truth = described.maps.arrays[member.label], examined.truth(member)
    np.testing.assert_array_equal(truth == 3, labels >= 4)
    same = examined.compared(truth, truth, (8.0, 8.0, 20.0), surfaces=False)
    assert same["dice"].tolist() == [1, 1]
    assert examined.compared(truth & 1, truth, (8.0, 8.0, 20.0), surfaces=False)["dice"].tolist() == [1, 0]


def test_images_ask_for_texts_and_texts_for_images_each_beside_its_own_chance(
    described, models, train_volumes, write_finetuned
):
    own = {"task": "retrieval", "options": {"alike": "text", "width": 8}}
    write_finetuned(models / "search", described, train_volumes, {}, **own)
    metrics, page, _, _ = run(described, models, ["search"], "found")
    numbers = metrics["checkpoints"]["search"]
    there, back = (numbers["notes"][name] for name in ("retrieval_chance", "text_to_image_chance"))
    assert numbers["recall_at_1"]["mean"] is not None
    assert numbers["text_to_image"]["recall_at_1"]["mean"] is not None
    assert there["gallery"] < back["gallery"] == metrics["volumes"], "equal texts are one, images are not"
    assert "image to text, first 1" in page
    assert "text to image, first 10" in page


def test_frozen_features_are_asked_and_what_cannot_be_asked_is_told(described, models):
    metrics, page, _, _ = run(described, models, ["base"], "pretrained", probes=["contrast", "plane", "age", "colour"])
    numbers = metrics["checkpoints"]["base"]
    assert 0.5 <= numbers["linear"]["contrast"]["auroc"]["mean"] <= 1
    assert numbers["linear"]["age"]["mean_absolute_error"]["subjects"] == 7
    assert numbers["retrieval"]["contrast"]["recall_at_1"]["mean"] is not None
    about = numbers["notes"]["questions"]["contrast"]
    assert about["retrieval_chance"]["gallery"] == 12, "seven people with two volumes, without one's own"
    assert about["chosen_on"] == "a fifth of the training subjects", "the validation split is what is scored"
    assert numbers["notes"]["left_out"].keys() == {"plane", "colour"}
    assert "the same for all volumes of the training split" in page
    assert "by chance" in page


def test_features_with_nothing_to_ask_are_refused(described, models):
    with pytest.raises(TrainingError, match=r"no label that features can be asked for \(plane: the same for all"):
        run(described, models, ["base"], probes=["plane"])


def test_few_labels_and_baselines_are_trained_by_the_same_budget(described, models, small, write_finetuned):
    asked = {}

    def train(name, config, parent):
        asked[name] = config
        labelled = [m.volume for m in described.members("train")][: 2 * config.labels]
        more = {"task": config.task, "network": config.network, "scratch": config.scratch}
        return write_finetuned(models / name, described, labelled, CLASSES, parent, **more)

    recipe = configured("tiny", "finetune", {**small, "steps": 7, "warmup_steps": 1})
    metrics, page, _, _ = run(
        described, models, ["base"], "shots", train, recipe, probes=["plane"], few_shot=[2], baselines=["dynunet"]
    )
    assert [row["what"] for row in metrics["few_shot"]] == ["frozen", "finetuned", "dynunet"]
    assert metrics["trained_to_compare"] == [f"base-2-labels-{what}" for what in ("frozen", "finetuned", "dynunet")]
    assert {config.steps for config in asked.values()} == {7}
    assert {config.labels for config in asked.values()} == {2}
    assert asked["base-2-labels-frozen"].adapt == "probe"
    assert metrics["few_shot"][2]["finetuned_minus_this"]["subjects"] == 7
    assert "Few labels" in page


def test_models_to_train_need_somebody_who_trains_them(described, models):
    with pytest.raises(TrainingError, match="found 1 models to train"):
        run(described, models, ["first"], baselines=["scratch"])


def test_an_empty_split_is_told(described, models):
    with pytest.raises(TrainingError, match="found no volume in split test of release synthetic"):
        run(described, models, ["first"], split="test")


def test_one_person_gives_numbers_without_intervals(described, models):
    kept = [m for m in described.all_members if m.split == "train" or m.subject == "s004"]
    alone = dataclasses.replace(described, all_members=kept)
    metrics, page, _, _ = run(alone, models, ["first", "other"], "alone")
    assert metrics["checkpoints"]["first"]["mean_dice"]["mean"] is not None
    assert metrics["checkpoints"]["first"]["mean_dice"]["interval"] is None
    assert "with one subject there are none" in page


def test_checkpoints_of_different_tasks_are_not_compared(described, models):
    with pytest.raises(TrainingError, match=r"different tasks \(pretrained, segmentation\)"):
        run(described, models, ["first", "base"])
    with pytest.raises(TrainingError, match="found first twice"):
        run(described, models, ["first", "first"])


def test_labels_that_a_checkpoint_does_not_know_are_told(described, models, train_volumes, write_finetuned):
    write_finetuned(models / "blind", described, train_volumes[:2], {"classes": {0: "background", 1: "scalp"}})
    with pytest.raises(TrainingError, match=r"found label values \[2, 3, 4, 5\] that blind does not know"):
        run(described, models, ["blind"])
    with pytest.raises(TrainingError, match="checkpoints with different classes"):
        run(described, models, ["first", "blind"])


def test_a_truncated_checkpoint_is_told_and_nothing_is_scored(described, models, train_volumes, write_finetuned):
    folder = write_finetuned(models / "cut", described, train_volumes[:2], CLASSES)
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="digest of the manifest"):
        run(described, models, ["first", "cut"], "never")
    assert not (models / "never").exists()


def test_what_was_trained_on_is_scored_only_when_it_is_said_so(described, models):
    with pytest.raises(TrainingError, match="of split train that first or an ancestor was trained on"):
        run(described, models, ["first"], split="train")
    metrics, page, _, _ = run(described, models, ["first"], "seen", split="train", allow_seen=True)
    assert metrics["seen"] == {"first": 2}
    assert "Not proved: parts of this split may have been trained on." in page


@pytest.mark.parametrize(
    ("task", "options", "about", "main"),
    [
        ("classification", {"target": "contrast"}, {"classes": {0: "T1", 1: "T2"}, "weights": [1, 1]}, "auroc"),
        ("regression", {"target": "age", "unit": "a"}, {"mean": 30.0, "deviation": 5.0}, "mean_absolute_error"),
        ("retrieval", {"target": "contrast", "width": 8}, {}, "recall_at_1"),
        ("restoration", {}, {}, "mean_psnr"),
    ],
)
def test_each_task_is_scored_by_its_own_measures(
    described, models, train_volumes, write_finetuned, task, options, about, main
):
    write_finetuned(models / task, described, train_volumes[:2], about, task=task, options=options)
    metrics, page, _, _ = run(described, models, [task], f"{task}-out", **{"robustness.noise": [0.1]})
    assert metrics["main"] == [main]
    assert metrics["checkpoints"][task][main]["mean"] is not None
    assert f"Models of {task}" in page
    if task == "restoration":
        assert not metrics["robustness"], "noise is what it is judged under anyway"
        assert page.count("Worst case") >= 3
    else:
        assert len(metrics["robustness"]) == 1


def test_a_class_that_was_not_trained_on_is_left_out_and_counted(described, models, train_volumes, write_finetuned):
    about = {"classes": {0: "T1", 1: "PD"}, "weights": [1, 1]}
    write_finetuned(models / "narrow", described, train_volumes[:2], about, task="classification",
                    options={"target": "contrast"})  # fmt: skip
    metrics, _, _, _ = run(described, models, ["narrow"], "narrow-out")
    assert metrics["checkpoints"]["narrow"]["notes"]["not_scored"] == {"of a class that was not trained on": 7}
