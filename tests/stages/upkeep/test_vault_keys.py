"""The keys of a lake's vault change: everybody keeps their pseudonyms, the record says so, and no copy undoes it."""

import json
import stat

import pytest

from deid.keyring import VaultError
from deid.vault import CHECK_NAME, KEY_NAME, KEYS_NAME, Withdrawn
from lake.integrity.scrub import scrub
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.verify import verify
from schemas.contract import Zone
from schemas.tables import INSTANCES
from stages.identity import open_vault
from stages.instances import deidentify
from stages.received import receive
from stages.upkeep.backups import backed_up, restored
from stages.upkeep.vault_keys import changed, key_in, looked_at
from tests.stages.conftest import NAME, landed

PEOPLE = ("P-1", "P-2", "P-3")
IDENTITY = ("subject", "study", "series", "instance", "study_date")


@pytest.fixture
def peopled(lake):
    """A lake of three persons."""
    for name in PEOPLE:
        open_vault(lake).subject("hospital", name)
    return lake


def under(lake, path):
    return Lake.open(lake.settings.root, vault_key_file=path)


def codes(lake):
    return [open_vault(lake).subject("hospital", name).code for name in PEOPLE]


def test_a_delivery_that_is_run_again_after_the_keys_changed_keeps_every_pseudonym(lake, phantoms, tmp_path, no_faces):
    landed(lake, phantoms)
    receive(lake, NAME)
    deidentify(lake, NAME)
    names = [name for name in IDENTITY if name in {column.name for column in INSTANCES.columns}]
    before = sorted(map(str, lake.table(INSTANCES).rows(names)))
    key = key_in(tmp_path / "vault.key")
    changed(lake, key)
    after = under(lake, tmp_path / "vault.key")
    changed(after, key, new_data_key=True)
    receive(after, NAME)
    deidentify(after, NAME)
    assert len(before) > 10
    assert sorted(map(str, after.table(INSTANCES).rows(names))) == before


def test_a_change_is_an_event_without_a_key_in_it(peopled, tmp_path):
    before = codes(peopled)
    assert changed(peopled, key_in(tmp_path / "vault.key")) == 3
    after = under(peopled, tmp_path / "vault.key")
    assert changed(after, key_in(tmp_path / "other.key")) == 0
    assert codes(under(peopled, tmp_path / "other.key")) == before
    entries = [entry["event"] for entry in ledger.entries(peopled)]
    facts = [json.loads(event)["facts"] for event in entries]
    assert facts == [
        {"action": "renewed", "files": 3, "kind": "vault"},
        {"action": "wrapped", "files": 0, "kind": "vault"},
    ]
    for path in (tmp_path / "vault.key", tmp_path / "other.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() not in str(entries)
    assert verify(peopled).ok


def test_how_a_vault_is_kept_is_told_without_its_key(lake, tmp_path):
    assert not looked_at(lake).made
    for name in PEOPLE:
        open_vault(lake).subject("hospital", name)
    assert vars(looked_at(lake)) == {"made": True, "wrapped": False, "beside": True, "subjects": 3}
    changed(lake, key_in(tmp_path / "vault.key"))
    assert vars(looked_at(lake)) == {"made": True, "wrapped": True, "beside": False, "subjects": 3}


def test_a_scrub_puts_no_file_of_the_old_keys_back(peopled, tmp_path):
    """A mirror still holds the files as they were, which no key opens any more."""
    root = peopled.settings.root
    mirror, before = tmp_path / "mirror", codes(peopled)
    (mirror / "restricted").mkdir(parents=True)
    scrub(peopled, everything=True)
    backed_up(peopled, peopled.location(Zone.RESTRICTED).__class__(mirror, private=True))
    changed(peopled, key_in(tmp_path / "vault.key"))
    mirrored = Lake.open(root, vault_key_file=tmp_path / "vault.key", mirror=str(mirror))
    for _ in range(2):
        assert not scrub(mirrored, everything=True).findings
    assert codes(mirrored) == before


def test_a_backup_brings_wrapped_keys_back_with_their_persons(peopled, tmp_path):
    before, place = codes(peopled), peopled.location(Zone.RESTRICTED).__class__(tmp_path / "backup", private=True)
    changed(peopled, key_in(tmp_path / "vault.key"))
    backed_up(under(peopled, tmp_path / "vault.key"), place)
    empty = Lake.open(tmp_path / "empty", vault_key_file=tmp_path / "vault.key")
    assert restored(place, empty).ok
    assert codes(empty) == before
    assert not empty.location(Zone.RESTRICTED, "vault").exists(KEY_NAME)


def test_a_person_who_withdrew_is_refused_under_every_key(peopled, tmp_path):
    vault = open_vault(peopled)
    assert vault.shred(vault.subject("hospital", "P-1").code, refuse_again=True)
    changed(peopled, key_in(tmp_path / "vault.key"))
    after = under(peopled, tmp_path / "vault.key")
    with pytest.raises(Withdrawn):
        open_vault(after).subject("hospital", "P-1")
    changed(after, None)
    with pytest.raises(Withdrawn):
        open_vault(peopled).subject("hospital", "P-1")


def test_a_lake_without_its_setting_says_which_one_and_makes_no_key(peopled, tmp_path):
    changed(peopled, key_in(tmp_path / "vault.key"))
    with pytest.raises(VaultError, match="LARMOR_VAULT_KEY_FILE"):
        open_vault(peopled)
    assert peopled.location(Zone.RESTRICTED, "vault").list() == ["subjects", CHECK_NAME, KEYS_NAME]
