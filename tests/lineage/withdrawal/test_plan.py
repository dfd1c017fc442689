"""A withdrawal plan finds everything that holds a person, also what deleting rows would leave, and changes nothing."""

import json
import shutil
from types import SimpleNamespace

import pytest

from lake.releases import ReleaseError
from lineage.exposures import exposures
from lineage.exposures.exposures import digest
from lineage.ledger import ledger
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.holdings import held
from lineage.withdrawal.plan import plan
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Zone
from schemas.tables import IDENTIFIERS, QUARANTINE, RECEIVED, VOLUMES
from tests import synthetic

SUBJECT = Scope(Kind.SUBJECT, "S1")


@pytest.fixture
def filled(lake):
    """Two deliveries under two licences; S1 is in both, S2 in the first, S3 and S4 in the second."""
    for document in (synthetic.licence(), synthetic.licence("other-licence")):
        synthetic.know(lake, document)
    for people, of in (({"a": ["S1", "S2"]}, "open-licence"), ({"b": ["S1", "S3", "S4"]}, "other-licence")):
        synthetic.land(lake, people, of)
        synthetic.fill(lake, people, of=of)
    return lake


def _tables(found):
    rows = {}
    for holding in found.holdings:
        rows[holding.table] = rows.get(holding.table, 0) + holding.rows
    return rows


def _trained(lake, name, release, volumes, parent=None):
    manifest = CheckpointManifest(
        name=name, kind="finetuned" if parent else "pretrained", task="masked", weights_sha256=digest({name: 1}),
        config_sha256="0" * 64, release=release, release_sha256="0" * 64, parent=parent.name if parent else None,
        parent_weights_sha256=parent.weights_sha256 if parent else None, exposure_sha256="0" * 64, steps=1,
        world_size=1, code_version="0.1.0", created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    lake.location(Zone.MODELS, name).write_bytes("manifest.json", manifest.model_dump_json().encode())
    members = [
        SimpleNamespace(delivery=d, licence="open-licence", subject=s, series=f"2.25.{s[1:]}", volume=f"{d}{s}")
        for d, s in volumes
    ]
    exposures.record(lake, manifest, {member.volume: 2 for member in members}, members)
    return manifest


def test_rows_of_a_subject_are_found_in_every_table_and_partition(filled):
    found = plan(filled, SUBJECT)
    assert _tables(found) == {
        "restricted/received": 2, "restricted/identifiers": 2, "restricted/quarantine": 2, "curated/instances": 4,
        "curated/series": 4, "curated/volumes": 4, "curated/labels": 2, "audit/decisions": 4,
    }  # fmt: skip
    volumes = [h for h in found.holdings if h.table == VOLUMES.path]
    assert [h.partition for h in volumes] == [{"delivery": "a"}, {"delivery": "b"}]
    assert [(h.files, h.whole_files) for h in volumes] == [(1, 0), (1, 0)]
    sizes = [path.stat().st_size for path in filled.table(VOLUMES).files()]
    assert [h.bytes for h in volumes] == sizes
    assert (found.subjects, found.subjects_only_here) == (1, 1)
    assert {h.table for h in found.holdings if h.evidence} == {"audit/decisions"}
    assert found.log_commits[VOLUMES.path] == 2


@pytest.mark.parametrize(
    ("scope", "volumes", "identifiers", "quarantined", "persons"),
    [
        (Scope(Kind.DELIVERY, "b"), 6, 3, 2, (3, 2)),
        (Scope(Kind.LICENCE, "open-licence"), 4, 2, 2, (2, 1)),
        (Scope(Kind.LICENCE, "unknown"), 0, 0, 0, (0, 0)),
    ],
    ids=["delivery", "licence", "unknown licence"],
)
def test_what_carries_no_licence_is_found_through_what_does(filled, scope, volumes, identifiers, quarantined, persons):
    found = plan(filled, scope)
    rows = _tables(found)
    assert rows.get(VOLUMES.path, 0) == volumes
    assert rows.get(IDENTIFIERS.path, 0) == identifiers
    assert rows.get(QUARANTINE.path, 0) == quarantined
    assert (found.subjects, found.subjects_only_here) == persons
    assert all(h.files == h.whole_files for h in found.holdings)


def test_rows_deleted_from_the_newest_version_are_still_on_disk_until_cleaned_up(filled):
    synthetic.put(filled, VOLUMES, "a", [synthetic.volume_row("a", "S2")])
    orphan = filled.table(VOLUMES).write([synthetic.volume_row("a", "S1", "T2")], {"delivery": "a"})
    (there,) = (h for h in held(filled, SUBJECT).holdings if h.table == VOLUMES.path and h.partition["delivery"] == "a")
    assert (there.rows, there.files, there.older_files, there.orphan_files) == (0, 0, 1, 1)
    assert there.orphan_bytes == orphan.bytes
    assert there.older_bytes > 0
    assert there.versions == [1, 2]
    steps = " ".join(step.do for step in plan(filled, SUBJECT).steps)
    assert "part files that still hold its rows" in steps
    assert "no commit names" in steps


def test_a_file_nobody_can_read_is_told(filled):
    part = filled.table(VOLUMES).write([synthetic.volume_row("a", "S1")], {"delivery": "a"})
    path = filled.table(VOLUMES).location.path / part.path
    path.write_bytes(path.read_bytes()[:100])
    assert plan(filled, SUBJECT).unreadable_files == 1


def test_releases_are_named_with_the_splits_that_hold_it(filled):
    release = synthetic.frozen(filled, splits=(0.5, 0.25, 0.25))
    for subject in ("S1", "S2", "S3", "S4"):
        (found,) = plan(filled, Scope(Kind.SUBJECT, subject)).releases
        members = {s: release.members(s, sealed_ok=True) for s in ("train", "validation", "test")}
        mine = {s: sum(m.subject == subject for m in ms) for s, ms in members.items()}
        assert found.splits == {split: number for split, number in mine.items() if number}
        assert found.tables == release.manifest.tables
    assert plan(filled, Scope(Kind.DELIVERY, "b")).releases[0].subjects == 3


def test_a_release_whose_members_were_edited_makes_no_plan(filled):
    release = synthetic.frozen(filled)
    location = filled.location(Zone.CURATED, "releases", release.name)
    location.write_bytes("members.parquet", location.read_bytes("members.parquet") + b" ")
    with pytest.raises(ReleaseError, match="another digest"):
        plan(filled, SUBJECT)


def test_descendants_of_a_model_that_saw_it_go_back_to_the_last_clean_ancestor(filled):
    base = _trained(filled, "base", "r", [("a", "S2")])
    middle = _trained(filled, "middle", "r", [("b", "S1")], base)
    _trained(filled, "leaf", "r", [("b", "S3")], middle)
    _trained(filled, "stranger", "r", [("b", "S3")])
    found = {m.model: m for m in plan(filled, SUBJECT).models}
    assert set(found) == {"middle", "leaf"}
    assert (found["middle"].direct, found["leaf"].direct) == (True, False)
    assert {m.clean_ancestor for m in found.values()} == {"base"}
    assert found["leaf"].via == ("middle",)
    assert (found["leaf"].volumes, found["leaf"].samples, found["leaf"].in_place) == (1, 2, True)
    first = {m.model: m.clean_ancestor for m in plan(filled, Scope(Kind.SUBJECT, "S2")).models}
    assert first == {"base": None, "middle": None, "leaf": None}


def test_an_ancestor_that_was_trained_again_is_no_clean_ancestor(filled):
    base = _trained(filled, "base", "r", [("a", "S2")])
    _trained(filled, "leaf", "r", [("b", "S1")], base)
    replaced = base.model_copy(update={"weights_sha256": "f" * 64})
    filled.location(Zone.MODELS, "base").write_bytes("manifest.json", replaced.model_dump_json().encode())
    found = plan(filled, SUBJECT)
    assert [m.clean_ancestor for m in found.models] == [None]
    assert found.unrecorded_models == ["base"]


def test_exports_and_evaluations_on_its_split_are_counted(filled):
    release = synthetic.frozen(filled)
    split = next(
        s for s in ("train", "validation", "test") if any(m.subject == "S1" for m in release.members(s, sealed_ok=True))
    )
    other = "validation" if split != "validation" else "train"
    for where in (split, other):
        ledger.append(filled, "evaluated", {"model": "m", "release": "cohort", "split": where})
    ledger.append(filled, "exported", {"target": "cohort", "rows": 1, "purpose": "research", "release": "cohort"})
    ledger.append(filled, "exported", {"target": "else", "rows": 1, "purpose": "research", "release": "else"})
    found = plan(filled, SUBJECT)
    assert (found.copies.exports, found.copies.evaluations) == (1, 1)


def test_landing_is_counted_with_what_names_nobody(filled):
    subject = plan(filled, SUBJECT).landing
    assert (subject.files, subject.bytes, subject.unattributed) == (2, 20, 2)
    (filled.landing / "a" / "S1.dcm").unlink()
    assert plan(filled, SUBJECT).landing.files == 1
    delivery = plan(filled, Scope(Kind.DELIVERY, "b")).landing
    assert delivery.files == 5
    assert plan(filled, Scope(Kind.LICENCE, "other-licence")).landing.files == 5


def test_the_vault_is_asked_for_persons_with_nothing_left_only(filled):
    asked = []
    found = plan(filled, Scope(Kind.DELIVERY, "a"), lambda subjects: asked.append(subjects) or len(subjects))
    assert asked == [frozenset({"S2"})]
    assert found.secrets == 1
    assert any("1 secret of 1 person" in step.why for step in found.steps)
    assert plan(filled, Scope(Kind.DELIVERY, "a")).secrets is None


def test_the_secret_goes_last_and_after_the_rows(filled):
    synthetic.frozen(filled)
    told = [step.do for step in plan(filled, SUBJECT).steps]
    places = [
        next(i for i, do in enumerate(told) if word in do)
        for word in ("landing", "rows from", "Take release", "part files that still", "Shred")
    ]
    assert places == sorted(places)
    assert "certificate" in told[-1]


def test_the_plan_holds_no_identifying_value_and_changes_nothing(filled):
    before = {path: path.read_bytes() for path in filled.settings.root.rglob("*") if path.is_file()}
    found = plan(filled, SUBJECT)
    assert {path: path.read_bytes() for path in filled.settings.root.rglob("*") if path.is_file()} == before
    told = json.dumps(found, default=vars)
    identifying = [row["value"] for row in filled.table(IDENTIFIERS).rows()]
    identifying += [row["path"] for row in filled.table(RECEIVED).rows()]
    assert [value for value in identifying if value in told] == []


def test_nothing_held_is_an_empty_plan_though_evidence_stays(filled):
    nobody = plan(filled, Scope(Kind.SUBJECT, "S9"))
    assert nobody.empty
    assert nobody.steps == []
    _trained(filled, "gone", "r", [("a", "S1")])
    for zone in ("models", "landing", "curated", "restricted"):
        assert not plan(filled, SUBJECT).empty
        shutil.rmtree(filled.settings.folder(zone))
    left = plan(filled, SUBJECT)
    assert left.empty
    assert (left.evidence_rows, [m.in_place for m in left.models]) == (1, [False])


def test_whoever_has_a_copy_and_whoever_granted_the_data_is_told(filled):
    release = synthetic.frozen(filled)
    _trained(filled, "model", release.name, [("a", "S1")])
    facts = {"rows": 1, "purpose": "research"}
    ledger.append(filled, "exported", {"target": "cohort", "release": "cohort", "recipient": "Site B", **facts})
    ledger.append(filled, "exported", {"target": "model", "model": "model", "recipient": "Site C", **facts})
    ledger.append(filled, "exported", {"target": "other", "model": "other", "recipient": "Site D", **facts})
    ledger.append(filled, "backed_up", {"files": 1, "bytes": 1, "manifest_sha256": "0" * 64})
    found = plan(filled, SUBJECT).copies
    assert (found.exports, found.backups) == (2, 1)
    assert found.recipients == ["Site B", "Site C"]
    assert found.notify == ["Hospital Consortium", "recipient Site B", "recipient Site C"]


def test_versions_that_time_travel_and_the_change_feed_tell_are_named(filled):
    synthetic.put(filled, VOLUMES, "a", [synthetic.volume_row("a", "S2")])
    found = plan(filled, SUBJECT)
    assert found.change_feed[VOLUMES.path] == len(
        {v for h in found.holdings if h.table == VOLUMES.path for v in h.versions}
    )
    assert not any(table.startswith("audit/") for table in found.change_feed)


def test_the_estimate_counts_what_is_written_again_and_trained_again(filled):
    manifest = _trained(filled, "model", "r", [("a", "S1")])
    dear = manifest.model_copy(update={"device_hours": 3.5, "cost_usd": 7.0})
    filled.location(Zone.MODELS, "model").write_bytes("manifest.json", dear.model_dump_json().encode())
    found = plan(filled, SUBJECT)
    assert found.estimate.rewritten_bytes == sum(h.bytes for h in found.holdings if not h.evidence)
    assert (found.estimate.device_hours, found.estimate.training_usd, found.estimate.requests_cost) == (3.5, 7.0, 0.0)
    assert found.estimate.searched_bytes > found.estimate.rewritten_bytes
