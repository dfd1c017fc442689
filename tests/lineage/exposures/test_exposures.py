"""A checkpoint has seen what its training served and what its ancestors saw, for ever and in both directions."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.exposures.exposures import ExposureError, digest, exposures, record, who_saw
from lineage.ledger import ledger
from schemas.checkpoint import CheckpointManifest


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


def test_model_trained_again_replaces_its_rows_and_not_those_of_others(family):
    again = _manifest("first", {"v4": 1}, weights="1" * 64)
    record(family, again, {"v4": 1}, [_member(4)])
    assert [row["volume"] for row in exposures(family, "first")] == ["v4"]
    assert len(exposures(family, "third")) == 5
    child = _manifest("child", {"v0": 1}, parent=_manifest("first", {"v0": 1}))
    with pytest.raises(ExposureError, match="no exposures recorded for the weights of its parent first"):
        record(family, child, {"v0": 1}, [_member(0)])


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
