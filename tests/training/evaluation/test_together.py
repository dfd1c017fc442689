"""A study is seen as a whole: what it is like, what of it is asked, and what is left of it without some series."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training import checkpoint
from training.config.evaluate import EvaluateConfig, Robustness
from training.config.presets import configured
from training.data.study import Gather
from training.evaluation.evaluate import evaluate
from training.evaluation.features import features, frozen, on_studies
from training.evaluation.people import people, singles, studies
from training.evaluation.pretrained import examiner
from training.evaluation.robustness import disturbances
from training.evaluation.together import rounds

CALM = {"robustness.noise": [], "robustness.thickness": [], "robustness.missing_slices": [], "bootstrap": 100}
TOGETHER = {"study.together": True}


@pytest.fixture(scope="module")
def described(build_release):
    """A release of small heads with three series a study; of one validation person there is a single one."""
    found = build_release(
        train=6, validation=6, contrasts=("T1", "T2", "FLAIR"), shape=(24, 24, 6), spacing=(8.0, 8.0, 20.0)
    )
    for member in found.all_members:
        contrast, number = found.images.facts[member.volume]["contrast"], int(member.subject[1:])
        found.series[member.volume] = {"series": member.series, "contrast": contrast, "sex": "FM"[number % 2]}
    alone = [m for m in found.all_members if m.subject != "s011" or m.volume.endswith("t1")]
    return dataclasses.replace(found, all_members=alone)


@pytest.fixture(scope="module")
def models(tmp_path_factory, described, write_pretrained):
    """A model of studies and one of single volumes, with the same weights."""
    root = tmp_path_factory.mktemp("models")
    served = [m.volume for m in described.members("train")]
    write_pretrained(root / "studies", described, served, **TOGETHER)
    write_pretrained(root / "volumes", described, served)
    return root


@pytest.fixture(scope="module")
def seen(models):
    """The model of studies, frozen."""
    return frozen(checkpoint.load(models / "studies"))


def without(count, seed=0):
    """The disturbance that takes series away."""
    only = Robustness(noise=(), thickness=(), missing_slices=(), missing_series=(count,))
    (found,) = disturbances(EvaluateConfig(robustness=only, seed=seed), of_studies=True)
    return found


def run(release, models, names, out, **changes):
    config = configured("tiny", "evaluate", {**CALM, **changes})
    evaluate(config, release, [models / name for name in names], models / out, lambda _event: None)
    return json.loads((models / out / "metrics.json").read_text()), (models / out / "evaluation.html").read_text()


@pytest.fixture(scope="module")
def evaluated(described, models):
    """An evaluation of the model of studies, with one and with three series missing."""
    asked = {"probes": ["sex", "contrast"], "robustness.missing_series": [1, 3]}
    return run(described, models, ["studies"], "evaluated", **asked)


def volumes_of(release, group):
    return [(release.images.array(m.volume), release.images.row(m.volume)) for m in group]


def test_a_study_is_shown_as_pre_training_shows_one(described, seen, models):
    """The batch of volumes that fit into a window is the one that the pre-training's own data set makes of them."""
    from training.config.pretrain import PretrainConfig
    from training.data.pretraining import Needs, serve
    from training.data.views import WHOLE

    told = checkpoint.load(models / "studies").config["config"] | {"crop_mm": (400, 400, 400)}
    told["study"] = told["study"] | {"series_dropout": 0.0}
    config = PretrainConfig.model_validate(told)
    served = serve(config, described, Needs(WHOLE, lambda _plan, _draw, _kind: {}, captioned=False))
    sample = served.dataset[_key(0)]
    trained = Gather("study").collate([sample])
    group = next(g for g in studies(people(described, "train")) if g[0].volume in served.volumes(sample))
    order = [[m.volume for m in group].index(volume) for volume in served.volumes(sample)]
    (batch,) = rounds([volumes_of(described, group)[i] for i in order], config.crop_mm, config.model, "study")
    assert batch.studies == trained.studies == (0, 0, 0)
    # the training leaves out empty rows at a crop's sides, which moves the common origin alone
    first = batch.tokens.positions[0] - trained.tokens.positions[0]
    torch.testing.assert_close(batch.tokens.positions, trained.tokens.positions + first, rtol=1e-4, atol=1e-3)
    for own, other in zip(batch.tokens.patches, trained.tokens.patches, strict=True):
        torch.testing.assert_close(own, other)


def _key(slot):
    from training.data.tokens import Key

    return Key(0, slot)


def test_series_are_seen_beside_one_another_only_by_a_model_of_studies(described, seen, models):
    group = studies(people(described, "validation"))[0]
    alone = frozen(checkpoint.load(models / "volumes"))
    scans = volumes_of(described, group)
    np.testing.assert_allclose(alone.of_study(scans)[0], alone.of(*scans[0]), rtol=1e-4, atol=1e-5)
    assert np.abs(seen.of_study(scans)[0] - seen.of(*scans[0])).max() > 1e-3
    assert on_studies(checkpoint.load(models / "studies"))
    assert not on_studies(checkpoint.load(models / "volumes"))


def test_every_window_of_every_series_is_shown(described, seen):
    """Series of more windows than others are seen whole, and smaller ones stay beside them."""
    volumes = volumes_of(described, studies(people(described, "validation"))[0])
    small, row = volumes[0]
    cut = small[8:16, 8:16], {**row, "shape": [8, 8, 6], "occupancy": b"\xff"}
    found = list(rounds([cut, *volumes[1:]], (100.0, 100.0, 200.0), seen.encoder.config, "study"))
    assert len(found) == 4, "24 voxels of 8 mm are two windows of 100 mm along two axes"
    assert {len(batch) for batch in found} == {3}
    shown = [tuple(image.shape for image in batch.images) for batch in found]
    assert shown == [((8, 8, 6), (12, 12, 6), (12, 12, 6))] * 4
    assert len({batch.images[1].sum().item() for batch in found}) == 4
    assert len({batch.images[0].sum().item() for batch in found}) == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**31))
def test_as_many_series_are_missing_as_is_said_never_all_and_the_same_again(count, series, seed):
    group = tuple(_Volume(f"v{i}-{echo}", f"se{i}") for i in range(series) for echo in range(2))
    left = without(count, seed).remain(group)
    assert len({m.series for m in left}) == (series - count if series > count else 0)
    assert len(left) == 2 * len({m.series for m in left}), "a series goes with all of its volumes"
    assert set(without(count, seed).remain(group[::-1])) == set(left)
    assert set(without(count + 1, seed).remain(group)) <= set(left), "more missing is the same ones and another"


@dataclasses.dataclass(frozen=True)
class _Volume:
    volume: str
    series: str
    study: str = "st"
    subject: str = "s"


def test_a_missing_series_is_as_one_that_was_never_acquired(described, seen):
    group = studies(people(described, "validation"))[0]
    left = without(1).remain(group)
    assert len(left) == len(group) - 1
    found = features(seen, described.images, [group], without(1))
    never = features(seen, described.images, [left])
    assert found.keys() == never.keys() == {m.volume for m in left}
    for volume, vector in never.items():
        np.testing.assert_array_equal(found[volume], vector)
    whole = features(seen, described.images, [group])
    assert any(np.abs(whole[volume] - never[volume]).max() > 1e-3 for volume in never)


def test_other_disturbances_change_every_series_of_a_study(described, seen):
    (noise,) = disturbances(EvaluateConfig(robustness=Robustness(noise=(0.1,), thickness=(), missing_slices=())))
    group = studies(people(described, "validation"))[0]
    clean, noisy = features(seen, described.images, [group]), features(seen, described.images, [group], noise)
    assert clean.keys() == noisy.keys()
    assert all(np.abs(clean[volume] - noisy[volume]).max() > 0 for volume in clean)


def test_what_series_share_is_asked_of_studies_and_what_tells_them_apart_of_volumes(evaluated):
    metrics, page = evaluated
    sex, contrast = (metrics["checkpoints"]["studies"]["notes"]["questions"][name] for name in ("sex", "contrast"))
    assert (sex["asked_of"], sex["asked"]) == ("studies", 6)
    assert sex["fitted_on"] == {"studies": 4, "subjects": 4}, "of six people two are held out to choose on"
    assert (contrast["asked_of"], contrast["asked"]) == ("volumes", 16)
    assert sex["retrieval_chance"]["gallery"] == 5
    assert (metrics["studies"], metrics["volumes"], metrics["subjects"]) == (6, 16, 6)
    assert "16 volumes in 6 studies of 6 subjects" in page
    assert "asked of 6 studies" in page


def test_missing_series_stand_beside_the_other_disturbances_with_those_that_have_too_few_counted(evaluated):
    metrics, page = evaluated
    (row,) = metrics["robustness"]
    assert (row["kind"], row["level"], row["too_few_series"]) == ("missing series", "1 of each study", 1)
    told = row["checkpoints"]["studies"]
    assert told["value"]["subjects"] == told["change"]["subjects"] == 5
    assert told["change"]["interval"] is not None
    assert metrics["left_out"] == {"missing series (3 of each study)": "no study has more series than that"}
    assert "1 of 6 studies have too few series" in page
    assert "Missing series (3 of each study) left out" in page
    assert "one by one, none is shown" not in page


def test_the_change_is_that_of_the_same_studies(described, models, evaluated):
    """The change is told against the same persons with all of their series."""
    config = configured("tiny", "evaluate", {**CALM, "probes": ["sex"]})
    members = [m for m in people(described, "validation") if m.subject != "s011"]
    asked = examiner(checkpoint.load(models / "studies"), described, members, config, of_studies=True)
    clean, worse = (asked.scored(how).measures for how in (None, without(1)))
    every = np.flatnonzero(next(iter(clean.values())).known)
    name = tuple(evaluated[0]["main"])
    change = evaluated[0]["robustness"][0]["checkpoints"]["studies"]["change"]["mean"]
    assert change == pytest.approx(worse[name].statistic(every) - clean[name].statistic(every))


def test_models_of_single_volumes_say_why_no_series_is_missing(described, models):
    metrics, page = run(described, models, ["volumes"], "alone", probes=["sex"])
    assert metrics["left_out"] == {
        "missing series": "volumes are scored one by one, none is shown beside others of its study"
    }
    assert metrics["studies"] is None
    assert metrics["robustness"] == []
    assert metrics["checkpoints"]["volumes"]["notes"]["questions"]["sex"]["asked_of"] == "volumes"
    assert "none is shown beside others of its study" in page


def test_a_model_of_single_volumes_is_compared_with_one_of_studies_on_the_same_studies(described, models):
    metrics, _ = run(described, models, ["studies", "volumes"], "compared", probes=["sex"])
    assert metrics["differences"]["volumes"]["subjects"] == 6
    assert metrics["robustness"][0]["checkpoints"].keys() == {"studies", "volumes"}
    assert metrics["checkpoints"]["volumes"]["notes"]["questions"]["sex"]["asked_of"] == "studies"


def test_where_nobody_that_is_asked_about_has_series_to_lose_there_is_no_number(described, models):
    """Only the person with a single series has a known answer in the split that is scored."""
    known = {v: row for v, row in described.series.items() if v < "v006" or v.startswith("v011")}
    metrics, page = run(dataclasses.replace(described, series=known), models, ["studies"], "few", probes=["sex"])
    assert metrics["robustness"][0]["checkpoints"]["studies"] == {"value": None, "change": None}
    assert "missing series: 1 of each study" in page


def test_probes_are_fitted_on_whole_studies(described, models, monkeypatch):
    fitted = []
    from training.evaluation import pretrained

    def watched(model, arrays, groups, disturbance=None):
        fitted.append(groups)
        return features(model, arrays, groups, disturbance)

    monkeypatch.setattr(pretrained, "features", watched)
    config = configured("tiny", "evaluate", {**CALM, "probes": ["sex"], "probe_volumes": 10})
    loaded, members = checkpoint.load(models / "studies"), people(described, "validation")
    examiner(loaded, described, members, config, of_studies=True)
    examiner(loaded, described, members, config)
    assert [len(group) for group in fitted[0]] == [3, 3, 3]
    assert fitted[1] == singles(group[0] for group in fitted[1])
    assert len(fitted[1]) == 10
