"""Nothing that was trained on is scored as if it were new, under whatever name or scale it comes back."""

import copy
import dataclasses

import numpy as np
import pytest

from training import checkpoint
from training.config.evaluate import EvaluateConfig
from training.data.volume import facts_of
from training.errors import TrainingError
from training.evaluation.disjoint import prove, signature
from training.evaluation.people import nowhere, people

CONFIG = EvaluateConfig()


def served(release):
    return [m.volume for m in release.members("train")]


@pytest.fixture
def fresh(build_release):
    """A small release that a test may change."""
    return build_release(train=2, validation=2, contrasts=("T1",))


@pytest.fixture
def base(tmp_path, write_pretrained):
    """Gives a loaded checkpoint that was served a release's training volumes."""

    def make(release, name="base", volumes=None):
        return checkpoint.load(write_pretrained(tmp_path / name, release, volumes or served(release)))

    return make


def told(release, *checkpoints, elsewhere=nowhere, **changes):
    return prove(CONFIG.model_copy(update=changes), release, people(release, "validation"), checkpoints, elsewhere)


def add(release, like, subject, stored, percentiles=None):
    """A validation volume with the voxels of another one, perhaps changed, under new names."""
    row = dict(release.images.facts[like])
    row |= {"volume": "v-copy", "subject": subject, "pixel_digest": "of-the-copy"}
    if percentiles is not None:
        row["percentiles"] = percentiles
    release.images.facts["v-copy"], release.images.arrays["v-copy"] = row, stored
    member = next(m for m in release.all_members if m.volume == like)
    names = {"volume": "v-copy", "subject": subject, "split": "validation", "pixel_digest": "of-the-copy"}
    release.all_members.append(dataclasses.replace(member, **names))


def test_other_people_s_images_are_proved_unseen(fresh, base):
    proof = told(fresh, base(fresh))["base"]
    assert proof.holds
    assert proof.seen == proof.digests_compared == 2
    assert (proof.volumes, proof.subjects, proof.digests, proof.near, proof.unresolved) == (0, 0, 0, 0, 0)
    again = told(fresh, base(fresh, "other"))["other"]
    assert len(proof.evidence) == 64
    assert again.evidence == proof.evidence, "the same comparison has the same digest"


def test_a_volume_of_the_split_is_found(fresh, base):
    mine = [m.volume for m in fresh.members("validation")][:1]
    with pytest.raises(TrainingError, match=r"found 1 volumes, .* of split validation that base or an ancestor"):
        told(fresh, base(fresh, volumes=[*served(fresh), *mine]))


def test_another_scan_of_the_same_person_is_found(fresh, base):
    like = served(fresh)[0]
    subject = fresh.images.facts[like]["subject"]
    add(fresh, like, subject, np.flip(fresh.images.arrays[like], 0).copy())
    with pytest.raises(TrainingError, match="found 1 subjects of split validation"):
        told(fresh, base(fresh))


def test_the_same_voxels_under_another_person_s_name_are_found(fresh, base):
    like = served(fresh)[0]
    add(fresh, like, "s-stranger", fresh.images.arrays[like])
    member = fresh.all_members.pop()
    fresh.all_members.append(dataclasses.replace(member, pixel_digest=fresh.images.facts[like]["pixel_digest"]))
    with pytest.raises(TrainingError, match="1 images with the same voxels, 1 images that look the same"):
        told(fresh, base(fresh))


@pytest.mark.parametrize("noise", [0, 40])
def test_a_renormalized_copy_under_another_name_is_found(fresh, base, noise):
    like = served(fresh)[0]
    stored = fresh.images.arrays[like] * 2.5 + 300
    stored += np.random.default_rng(0).normal(0, noise, stored.shape)
    percentiles = [p * 2.5 + 300 for p in fresh.images.facts[like]["percentiles"]]
    add(fresh, like, "s-stranger", stored.astype(np.float32), percentiles)
    with pytest.raises(TrainingError, match="found 1 images that look the same of split"):
        told(fresh, base(fresh))
    proof = told(fresh, base(fresh), allow_seen=True)["base"]
    assert not proof.holds
    assert proof.near == 1
    assert proof.signatures_compared >= 1


def test_what_an_ancestor_saw_counts(fresh, base, tmp_path, write_finetuned):
    mine = [m.volume for m in fresh.members("validation")][:1]
    base(fresh, volumes=mine)
    folder = write_finetuned(tmp_path / "tuned", fresh, served(fresh), {"classes": {0: "background", 1: "scalp"}},
                             parent=tmp_path / "base")  # fmt: skip
    with pytest.raises(TrainingError, match="found 1 volumes, 1 subjects"):
        told(fresh, checkpoint.load(folder))
    proof = told(fresh, checkpoint.load(folder), allow_seen=True)["tuned"]
    assert proof.ancestors == ("tuned", "base")


def test_volumes_of_a_release_that_is_gone_are_not_proved(fresh, base):
    with pytest.raises(TrainingError, match=r"found 1 volumes that base .* whose persons this lake does not know"):
        told(fresh, base(fresh, volumes=[*served(fresh), "v-of-elsewhere"]))


def test_the_release_of_an_ancestor_is_asked_who_its_volumes_are_of(fresh, base):
    older = copy.deepcopy(fresh)
    older.manifest = older.manifest.model_copy(update={"name": "older"})
    # what is validation now was trained on then, under another volume's name
    person = fresh.members("validation")[0]
    moved = dataclasses.replace(person, volume="v-older", split="train", pixel_digest="another")
    older.images.facts["v-older"] = {**older.images.facts[person.volume], "volume": "v-older"}
    older.images.arrays["v-older"] = np.flip(older.images.arrays[person.volume], 1).copy()
    older.all_members.append(moved)
    found = base(older, volumes=["v-older"])
    with pytest.raises(TrainingError, match="whose persons this lake does not know"):
        told(fresh, found)
    with pytest.raises(TrainingError, match="found 1 subjects of split validation"):
        told(fresh, found, elsewhere={"older": older}.get)


def test_signatures_tell_heads_apart_and_not_scales(build_release):
    release = build_release(train=8, validation=0, contrasts=("T1",))
    rows = release.images.facts
    signs = np.stack([signature(release.images.arrays[v], facts_of(v, row)) for v, row in sorted(rows.items())])
    likeness = signs @ signs.T
    np.testing.assert_allclose(np.diag(likeness), 1, rtol=1e-5)
    assert (likeness - np.eye(8)).max() < CONFIG.near_duplicate
