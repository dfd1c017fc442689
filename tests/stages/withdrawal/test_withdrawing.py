"""A withdrawn person is in no byte of the lake; everybody else's data, releases and versions stay as they were."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from deid.vault import Withdrawn
from lake.releases import SPLITS, Release, ReleaseError, names
from lake.stores.storage import Location
from lineage.exposures import exposures
from lineage.ledger import ledger
from lineage.ledger.verify import verify
from lineage.withdrawal.belonging import Kind, Scope
from lineage.withdrawal.plan import plan
from lineage.withdrawal.withdrawals import WithdrawalError, all_of, complete, confirmation, page_of
from schemas.checkpoint import RETIRED, CheckpointManifest
from schemas.contract import Zone
from schemas.release import ReleaseSpec
from schemas.tables import IDENTIFIERS, INSTANCES, QUARANTINE, RECEIVED, VOLUMES
from stages.identity import open_vault
from stages.received import receive
from stages.release import freeze
from stages.withdrawal import withdrawing
from stages.withdrawal.withdrawing import carry_out
from tests.stages.conftest import NAME, landed


def _people(lake):
    return sorted({row["subject"] for row in lake.table(VOLUMES).rows(["subject"])})


def _members(release):
    return [m for split in SPLITS for m in release.members(split, sealed_ok=True)]


def _confirmed(lake, scope):
    return carry_out(lake, scope, confirmation(plan(lake, scope)))


def _trained(lake, release):
    """A model that saw every volume of a release."""
    manifest = CheckpointManifest(
        name="model-a", kind="pretrained", task="masked", weights_sha256="1" * 64, config_sha256="0" * 64,
        release=release.name, release_sha256=release.sha256, exposure_sha256="0" * 64, steps=1, world_size=1,
        code_version="0.1.0", created="2026-01-01T00:00:00Z",
    )  # fmt: skip
    folder = lake.location(Zone.MODELS, "model-a")
    folder.write_bytes("manifest.json", manifest.model_dump_json().encode())
    folder.write_bytes("exposure.json", json.dumps([m.volume for m in _members(release)]).encode())
    exposures.record(lake, manifest, {m.volume: 1 for m in _members(release)}, _members(release))


@pytest.fixture
def filled(copied):
    """A lake to write to: three people, a release with all of them and one without the first, a model of the former."""
    lake = copied
    gone, *others = _people(lake)
    everybody = freeze(lake, ReleaseSpec(name="everybody", cohort="true"))
    rest = freeze(lake, ReleaseSpec(name="the-rest", cohort="subject IN ('" + "', '".join(others) + "')"))
    _trained(lake, everybody)
    voxels = {m.volume: rest.volumes().array(m.volume) for m in _members(rest)}
    return SimpleNamespace(lake=lake, gone=Scope(Kind.SUBJECT, gone), others=others, voxels=voxels)


def _every_byte(lake):
    root = lake.settings.root
    return {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and "audit" not in p.relative_to(root).parts[0]}


def test_nothing_of_a_withdrawn_person_is_left_and_others_stay(filled):
    lake, gone = filled.lake, filled.gone
    ids = {r["value"] for r in lake.table(IDENTIFIERS).rows(["subject", "value"]) if r["subject"] == gone.value}
    files = {r["path"] for r in lake.table(RECEIVED).rows(["subject", "path"]) if r["subject"] == gone.value}
    assert ids
    assert files
    done = _confirmed(lake, gone)
    assert complete(done)
    assert done.done["absence"]["identifiers"]
    assert not [path for path, data in _every_byte(lake).items() if gone.value.encode() in data]
    assert not [name for name in files if (lake.landing / NAME / name).exists()]
    assert _people(lake) == filled.others
    assert {row["subject"] for row in lake.table(INSTANCES).rows(["subject"])} == set(filled.others)
    assert plan(lake, gone).empty
    assert verify(lake).ok


def test_releases_without_the_person_open_as_before_and_those_with_do_not(filled):
    lake = filled.lake
    _confirmed(lake, filled.gone)
    assert names(lake) == ["the-rest"]
    rest = Release.open(lake, "the-rest")
    for volume, array in filled.voxels.items():
        np.testing.assert_array_equal(rest.volumes().array(volume), array)
    with pytest.raises(ReleaseError, match="superseded by a withdrawal"):
        Release.open(lake, "everybody")


def test_a_model_that_saw_the_person_is_retired(filled):
    lake = filled.lake
    _confirmed(lake, filled.gone)
    folder = lake.location(Zone.MODELS, "model-a")
    assert folder.exists(RETIRED)
    assert not folder.exists("manifest.json")
    assert folder.walk() == [RETIRED]


@pytest.mark.parametrize("killed", [False, True])
def test_an_unfinished_training_that_saw_the_person_is_dropped_and_another_goes_on(filled, killed, monkeypatch):
    lake, runs = filled.lake, filled.lake.location(Zone.MODELS, ".runs")
    rows = lake.table(VOLUMES).rows(["volume", "subject"])
    mine = [row["volume"] for row in rows if row["subject"] == filled.gone.value]
    others = [row["volume"] for row in rows if row["subject"] != filled.gone.value]
    for name, saw in {"saw": {mine[0]: 3, others[0]: 3}, "clean": {others[0]: 3}, "silent": None}.items():
        runs.write_bytes(f"{name}/run.json", b"{}")
        runs.write_bytes(f"{name}/resume/step-000000002.ckpt", b"weights")
        runs.write_bytes(f"{name}/resume/step-000000002.json", json.dumps({"step": 2, "exposure": saw}).encode())
    runs.write_bytes("begun/run.json", b"{}")
    assert plan(lake, filled.gone).unfinished == 2, "one that saw a volume, one that does not say what it saw"
    if killed:
        _killed_after_three_deletions(filled, monkeypatch)
    _confirmed(lake, filled.gone)
    assert {name.split("/")[0] for name in runs.walk()} == {"clean", "begun"}
    assert len(runs.join("clean").walk()) == 3


def _killed_after_three_deletions(filled, monkeypatch):
    left, delete = iter(range(3)), Location.delete

    def dying(self, name):
        if ".runs" in self.path.parts and next(left, None) is None:
            raise KeyboardInterrupt
        delete(self, name)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Location, "delete", dying)
        _confirmed(filled.lake, filled.gone)


def test_the_secret_is_shredded_and_the_same_patient_is_refused(filled, phantoms):
    lake, gone = filled.lake, filled.gone
    known = {subject.code for subject in open_vault(lake).subjects()}
    _confirmed(lake, gone)
    assert {subject.code for subject in open_vault(lake).subjects()} == known - {gone.value}
    shutil.rmtree(lake.landing / NAME)
    shutil.rmtree(lake.licences)
    outcome = receive(landed(lake, phantoms), NAME)
    reasons = [row["reason"] for row in lake.table(QUARANTINE).rows(["reason", "stage"]) if row["stage"] == "received"]
    assert "withdrawn" in reasons
    assert outcome.kept > 0
    assert gone.value not in {row["subject"] for row in lake.table(RECEIVED).rows(["subject"])}


@pytest.mark.parametrize("step", ["_landing", "_tables", "_vault"])
def test_an_interrupted_withdrawal_goes_on(filled, monkeypatch, step):
    lake, gone = filled.lake, filled.gone
    code = confirmation(plan(lake, gone))
    with monkeypatch.context() as broken:
        broken.setattr(withdrawing, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(lake, gone, code)
    done = carry_out(lake, gone, None)
    assert complete(done)
    assert done.done["vault"]["shredded"] == 1
    assert _people(lake) == filled.others
    assert [w.finished is not None for w in all_of(lake)] == [True]


def _killed(*_):
    raise KeyboardInterrupt


def test_only_the_plan_that_was_read_is_carried_out(filled):
    lake, gone = filled.lake, filled.gone
    for code in (None, "0" * 8):
        with pytest.raises(WithdrawalError, match="--confirm"):
            carry_out(lake, gone, code)
    before = confirmation(plan(lake, gone))
    freeze(lake, ReleaseSpec(name="later", cohort="true"))
    with pytest.raises(WithdrawalError, match="another confirmation"):
        carry_out(lake, gone, before)
    assert _people(lake) == sorted([gone.value, *filled.others])


def test_the_certificate_and_the_events_say_what_was_done(filled):
    lake = filled.lake
    done = _confirmed(lake, filled.gone)
    events = [json.loads(e["event"])["facts"] for e in ledger.entries(lake) if e["type"] == "withdrawn"]
    assert [event["complete"] for event in events] == [False, True]
    assert all(filled.gone.value not in json.dumps(event) for event in events)
    assert events[1]["commitment"] == done.commitments[0]
    page = lake.location(Zone.AUDIT, "withdrawals", done.name).read_bytes("certificate.html").decode()
    assert page_of(lake, done).endswith("certificate.html")
    assert "absence proved" in page


def test_a_file_somebody_put_there_is_found_and_told(filled):
    lake = filled.lake
    note = lake.settings.root / "models" / "notes.txt"
    note.write_text(f"see {filled.gone.value}")
    done = _confirmed(lake, filled.gone)
    assert not complete(done)
    assert done.done["absence"]["found"] == {"models": 1}


def test_a_delivery_is_withdrawn_whole(filled):
    lake = filled.lake
    done = _confirmed(lake, Scope(Kind.DELIVERY, NAME))
    assert complete(done)
    assert _people(lake) == []
    assert not list(lake.landing.glob(f"{NAME}/*"))
    assert not list(open_vault(lake).subjects())


def test_a_person_who_withdrew_has_no_subject_any_more(filled):
    vault = open_vault(filled.lake)
    subject = vault.subject("licensor", "patient")
    vault.shred(subject.code, refuse_again=True)
    with pytest.raises(Withdrawn):
        vault.subject("licensor", "patient")
    assert vault.subject("another licensor", "patient").code != subject.code
