"""A checkpoint has seen what its training served and what its ancestors saw, for ever and in both directions."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.exposures import kept
from lineage.exposures.exposures import ExposureError, digest, exposed, exposures, record, who_saw
from lineage.ledger import ledger
from schemas.checkpoint import CheckpointManifest
from schemas.tables import EXPOSED_CHECKPOINTS, EXPOSURES


def _member(number):
    return SimpleNamespace(
        delivery=f"d{number % 2}",
        licence=f"l{number % 2}",
        subject=f"S{number}",
        series=f"1.{number}",
        volume=f"v{number}",
    )


def _manifest(name, served, parent=None, weights=None):
    return CheckpointManifest(
        name=name,
        kind="finetuned" if parent else "pretrained",
        task="masked",
        weights_sha256=weights or digest({name: 1}),
        config_sha256="0" * 64,
        release=f"release-of-{name}",
        release_sha256="0" * 64,
        parent=parent.name if parent else None,
        parent_weights_sha256=parent.weights_sha256 if parent else None,
        exposure_sha256=digest(served),
        steps=1,
        world_size=2,
        code_version="0.1.0",
        created="2026-01-01T00:00:00Z",
    )


@pytest.fixture
def family(lake):
    """Three generations: the first saw volumes 0 and 1, the second 1 and 2, the third 3."""
    members = [_member(number) for number in range(5)]
    parent = None
    for name, served in (("first", {"v0": 2, "v1": 1}), ("second", {"v1": 5, "v2": 1}), ("third", {"v3": 1, "v4": 0})):
        parent = _manifest(name, served, parent)
        record(lake, parent, served, members)
    return lake


def test_subject_seen_by_an_ancestor_was_seen_by_all_its_descendants(family):
    rows = who_saw(family, subject="S0")
    assert [(r["model"], r["via"], r["volumes"], r["samples"]) for r in rows] == [
        ("first", "first", 1, 2),
        ("second", "first", 1, 2),
        ("third", "first", 1, 2),
    ]
    assert rows[2]["release"] == "release-of-first"
    both = [(r["model"], r["via"], r["samples"]) for r in who_saw(family, subject="S1")]
    assert both == [
        ("first", "first", 1),
        ("second", "first", 1),
        ("second", "second", 5),
        ("third", "first", 1),
        ("third", "second", 5),
    ]
    assert [r["model"] for r in who_saw(family, subject="S3")] == ["third"]
    assert who_saw(family, subject="S4") == []


@pytest.mark.parametrize(
    ("of", "volumes"), [({"series": "1.2"}, 1), ({"delivery": "d0"}, 1), ({"licence": "l1"}, 1), ({"volume": "v3"}, 1)]
)
def test_every_key_finds_what_it_covers(family, of, volumes):
    rows = who_saw(family, **of)
    assert {r["model"] for r in rows} <= {"first", "second", "third"}
    assert rows[-1]["model"] == "third"
    assert rows[-1]["volumes"] == volumes


def test_reverse_lists_every_volume_with_the_model_that_served_it(family):
    rows = {(row["volume"], row["via"]): row["samples"] for row in exposures(family, "third")}
    assert rows == {
        ("v0", "first"): 2,
        ("v1", "first"): 1,
        ("v1", "second"): 5,
        ("v2", "second"): 1,
        ("v3", "third"): 1,
    }
    assert {row["model"] for row in exposures(family, "third")} == {"third"}
    assert exposures(family, "nobody") == []


def test_model_trained_again_has_new_exposures_and_its_old_weights_keep_theirs(family):
    old = _manifest("first", {"v0": 1})
    again = _manifest("first", {"v4": 1}, weights="1" * 64)
    record(family, again, {"v4": 1}, [_member(4)])
    assert [row["volume"] for row in exposures(family, "first")] == ["v4"]
    assert {row["volume"] for row in exposures(family, old.weights_sha256[:12])} == {"v0", "v1"}
    assert len(exposures(family, "third")) == 5
    saw = {(row["model"], row["checkpoint"]) for row in who_saw(family, subject="S0")}
    assert ("first", old.weights_sha256) in saw
    assert ("first", again.weights_sha256) not in saw
    record(family, _manifest("child", {"v2": 1}, parent=old), {"v2": 1}, [_member(2)])
    assert {row["volume"] for row in exposures(family, "child")} == {"v0", "v1", "v2"}


def test_weights_that_nothing_is_recorded_for_have_no_children(family):
    for manifest, teachers in (
        (_manifest("child", {"v0": 1}, parent=_manifest("first", {}, weights="2" * 64)), ()),
        (_manifest("child", {"v0": 1}), ("3" * 64,)),
    ):
        with pytest.raises(ExposureError, match="no exposures recorded for the weights"):
            record(family, manifest, {"v0": 1}, [_member(0)], teachers=teachers)
    assert exposures(family, "child") == []


def test_a_student_has_seen_what_its_teacher_saw(family):
    teacher = _manifest("second", {})
    record(family, _manifest("student", {"v4": 3}), {"v4": 3}, [_member(4)], teachers=[teacher.weights_sha256])
    assert {row["via"] for row in who_saw(family, subject="S0") if row["model"] == "student"} == {"first"}
    assert {row["volume"] for row in exposures(family, "student")} == {"v0", "v1", "v2", "v4"}


def test_an_ancestor_that_is_reached_in_two_ways_counts_once(family):
    base = _manifest("first", {})
    record(family, _manifest("both", {"v4": 1}, parent=_manifest("second", {})), {"v4": 1}, [_member(4)],
           teachers=[base.weights_sha256])  # fmt: skip
    (row,) = [row for row in who_saw(family, subject="S0") if row["model"] == "both"]
    assert (row["volumes"], row["samples"]) == (1, 2)


def test_epochs_are_told_exactly(lake):
    members = [_member(number) for number in range(4)]
    record(lake, _manifest("plain", {}), {"v0": 3, "v1": 3, "v2": 2}, members)
    epochs = [exposed(lake, "plain", epoch)["volume"].to_pylist() for epoch in (1, 2, 3, 4)]
    assert [sorted(each) for each in epochs] == [["v0", "v1", "v2"], ["v0", "v1", "v2"], ["v0", "v1"], []]
    shown = [["v0"], ["v0", "v3"], ["v3"]]
    record(lake, _manifest("dropping", {}), {"v0": 2, "v3": 2}, members, epochs=shown)
    assert [sorted(exposed(lake, "dropping", n)["volume"].to_pylist()) for n in (1, 2, 3)] == shown
    with pytest.raises(ExposureError, match="do not add up"):
        record(lake, _manifest("wrong", {}), {"v0": 2}, members, epochs=[["v0"], ["v1"]])


def test_rows_of_older_lakes_answer_beside_new_ones(lake):
    table = lake.table(EXPOSURES)
    old, leaf = _manifest("old", {}), _manifest("old-leaf", {})
    for manifest, vias in ((old, {"old": {0: 2, 1: 1}}), (leaf, {"old": {0: 2, 1: 1}, "old-leaf": {1: 4}})):
        rows = [
            vars(_member(number)) | {"checkpoint": manifest.weights_sha256, "release": f"of-{via}", "via": via}
            | {"samples": samples}
            for via, counts in vias.items() for number, samples in counts.items()
        ]  # fmt: skip
        table.replace({"model": manifest.name}, [table.write(rows, {"model": manifest.name})])
    new = _manifest("new", {"v1": 1, "v2": 1}, parent=leaf)
    record(lake, new, {"v1": 1, "v2": 1}, [_member(1), _member(2)])
    told = [(row["model"], row["via"], row["samples"]) for row in who_saw(lake, subject="S1")]
    assert told == [
        ("new", "new", 1),
        ("new", "old", 1),
        ("new", "old-leaf", 4),
        ("old", "old", 1),
        ("old-leaf", "old", 1),
        ("old-leaf", "old-leaf", 4),
    ]
    assert {(row["volume"], row["via"]) for row in exposures(lake, "new")} == {
        ("v0", "old"), ("v1", "old"), ("v1", "old-leaf"), ("v1", "new"), ("v2", "new"),
    }  # fmt: skip
    assert len(exposures(lake, "old-leaf")) == 3


def test_tables_of_many_trainings_keep_few_files_and_lose_nothing(lake, monkeypatch):
    monkeypatch.setattr(kept, "_MOST_FILES", 4)
    for number in range(12):
        record(lake, _manifest(f"m{number:02}", {}), {f"v{number}": 1}, [_member(number)])
    assert len(lake.table(EXPOSED_CHECKPOINTS).live()) <= 5
    assert [who_saw(lake, subject=f"S{number}")[0]["model"] for number in range(12)] == [
        f"m{number:02}" for number in range(12)
    ]


def test_exposure_is_an_event_with_counts_and_digest(family):
    types = [entry["type"] for entry in ledger.entries(family)]
    assert types == ["exposed"] * 3
    assert '"subjects":4' in ledger.entries(family)[2]["event"]


def test_volume_that_the_release_does_not_have_is_refused(lake):
    with pytest.raises(ExposureError, match="1 served volumes that release"):
        record(lake, _manifest("m", {}), {"v9": 1}, [_member(0)])
    assert ledger.size(lake) == 0


def test_question_must_be_one_question(lake):
    assert who_saw(lake, subject="S0") == []
    for wrong in ({}, {"subject": "a", "series": "b"}, {"name": "a"}):
        with pytest.raises(ExposureError, match="needed one of subject"):
            who_saw(lake, **wrong)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text("abc123", min_size=1), st.integers(1, 9), max_size=8), st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_order(served, random):
    items = list(served.items())
    random.shuffle(items)
    assert digest(dict(items)) == digest(served)
    assert digest({**served, "more": 1}) != digest(served)
