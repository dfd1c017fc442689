"""A subject is one person for ever, and nobody without the secret can tell which."""

import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.vault import CLOCK_SECONDS, KEY_NAME, SHIFT_DAYS, SUBJECTS, Subject, Vault, VaultError, vault_key
from lake.stores.storage import Location

KEY = bytes(range(32))
UIDS = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,6}", fullmatch=True)


@pytest.fixture
def location(tmp_path):
    return Location(tmp_path / "vault", private=True)


def test_a_patient_is_the_same_subject_in_every_run(location):
    first = Vault.open(location, KEY).subject("hospital", "P-1")
    again = Vault.open(location, KEY).subject("hospital", " P-1 \0")
    assert again == first
    assert [*Vault.open(location, KEY).subjects()] == [first]


def test_the_same_id_at_two_licensors_is_two_people(location):
    vault = Vault.open(location, KEY)
    one, two = vault.subject("hospital a", "4711"), vault.subject("hospital b", "4711")
    assert one.code != two.code
    assert one.uid("1.2.3") != two.uid("1.2.3")


def test_runs_at_the_same_time_agree_on_a_new_subject(location):
    vaults = [Vault.open(location, KEY) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        subjects = set(pool.map(lambda vault: vault.subject("hospital", "P-1"), vaults))
    assert len(subjects) == 1


def test_a_patient_without_an_id_is_refused_rather_than_merged_with_others(location):
    with pytest.raises(VaultError, match="Study Instance UID"):
        Vault.open(location, KEY).subject("hospital", " \0 ")


def test_nothing_in_the_vault_tells_who_is_in_it(location):
    Vault.open(location, KEY).subject("Mercyvale", "PID88123")
    files = [path for path in location.path.rglob("*") if path.is_file()]
    assert len(files) == 2
    for file in files:
        assert "PID88123" not in file.name
        assert not any(word in file.read_bytes() for word in (b"PID88123", b"Mercyvale", b"code"))


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path):
    location = Location(tmp_path / "vault")
    subject = Vault.open(location).subject("hospital", "P-1")
    assert stat.S_IMODE((location.path / KEY_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(location.path.stat().st_mode) == 0o700
    assert Vault.open(location).subject("hospital", "P-1") == subject
    assert Vault.open(location, vault_key(location.path / KEY_NAME)).subject("hospital", "P-1") == subject


def test_another_key_is_refused_before_it_makes_everybody_a_stranger(location):
    Vault.open(location, KEY).subject("hospital", "P-1")
    with pytest.raises(VaultError, match="needed the key the vault was made with"):
        Vault.open(location, bytes(32))


@pytest.mark.parametrize("content", [b"", b"short", b"z" * 64, b"ab" * 31])
def test_a_file_that_holds_no_key_is_refused(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(VaultError, match="32"):
        vault_key(tmp_path / "key")
    with pytest.raises(VaultError, match="found no vault key file"):
        vault_key(tmp_path / "absent")


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        vault_key(tmp_path / "key")


def test_a_shredded_subject_comes_back_as_somebody_else(location):
    vault = Vault.open(location, KEY)
    before = vault.subject("hospital", "P-1")
    other = vault.subject("hospital", "P-2")
    assert vault.shred(before.code)
    assert not vault.shred(before.code)
    after = vault.subject("hospital", "P-1")
    assert after.code != before.code
    assert after.uid("1.2.3") != before.uid("1.2.3")
    assert vault.subject("hospital", "P-2") == other


def test_a_damaged_subject_is_an_error_and_not_a_new_person(location):
    vault = Vault.open(location, KEY)
    vault.subject("hospital", "P-1")
    (name,) = location.join(SUBJECTS).list()
    location.join(SUBJECTS).write_bytes(name, b"damaged")
    with pytest.raises(VaultError, match="does not open"):
        Vault.open(location, KEY).subject("hospital", "P-1")


@given(UIDS, st.binary(min_size=32, max_size=32))
def test_a_replaced_uid_is_valid_repeatable_and_not_the_original(original, secret):
    subject = Subject("S", secret)
    uid = subject.uid(original)
    assert uid == Subject("other code", secret).uid(original + "\0")
    assert uid.startswith("2.25.")
    assert len(uid) <= 64
    assert 0 < int(uid[5:]) < 2**128
    assert int(uid[5:]) >> 76 & 0xF == 8
    assert int(uid[5:]) >> 62 & 0b11 == 0b10


def test_uids_of_the_standard_stay():
    assert Subject("S", KEY).uid("1.2.840.10008.5.1.4.1.1.4") == "1.2.840.10008.5.1.4.1.1.4"


@given(st.binary(min_size=32, max_size=32), UIDS)
def test_shifts_stay_in_their_range(secret, study):
    subject = Subject("S", secret)
    assert SHIFT_DAYS[0] <= subject.shift_days <= SHIFT_DAYS[1]
    assert -CLOCK_SECONDS <= subject.shift_seconds(study) <= 0


def test_a_subject_travels_to_a_worker_and_keeps_its_secret_from_logs():
    subject = Subject("SABC", KEY)
    assert pickle.loads(pickle.dumps(subject)).uid("1.2.3") == subject.uid("1.2.3")
    assert repr(KEY) not in repr(subject)
    assert subject.commitment() != Subject("SABC", bytes(32)).commitment()
    assert subject.digest(b"voxels") != Subject("SABC", bytes(32)).digest(b"voxels")
