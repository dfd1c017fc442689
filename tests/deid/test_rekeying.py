"""Keys of a vault change, and every person stays who they are; what was sealed before opens to nobody any more."""

import hmac
import itertools
import json
import os
import shutil

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deid import keyring
from deid.keyring import Keyring, VaultError
from deid.rekeying import rekey
from deid.vault import CHECK_NAME, KEY_NAME, KEYS_NAME, NEXT_KEY_NAME, SUBJECTS, WRAPPED, Vault
from lake.stores.storage import Location
from tests.steps import killed

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
PEOPLE = [f"P-{number}" for number in range(4)]


class Kept:
    """A service that keeps a key, as KMS does."""

    def __init__(self):
        self._key = os.urandom(32)

    def fresh(self):
        key = os.urandom(32)
        return key, keyring.sealed(self._key, key, "kept").hex()

    def again(self, text):
        try:
            return keyring.unsealed(self._key, bytes.fromhex(text), "kept")
        except InvalidTag:
            raise ValueError("found a wrapped key of another service, needed its own") from None


@pytest.fixture
def location(tmp_path):
    return Location(tmp_path / "vault", private=True)


def known(vault):
    """All that is derived for some people, and a key for another purpose."""
    people = [vault.subject("hospital", name) for name in PEOPLE]
    derived = [(p.code, p.uid("1.2.3"), p.shift_days, p.shift_seconds("1.2"), p.commitment()) for p in people]
    return [*derived, vault.derived(b"pixel digest")]


def files(location):
    return {name: location.read_bytes(name) for name in location.walk()}


def opened(location, key, name, content):
    """What a key opens of a file, by any way that a vault ever used it."""
    for each in (key, *Keyring.of_own_key(key).data, hmac.digest(key, b"larmor vault wrapping", "sha256")):
        try:
            return keyring.unsealed(each, content, name)
        except InvalidTag:
            continue
    return None


def opens(location, key):
    try:
        Vault.open(location, key)
    except ValueError:
        return False
    return True


def beside(location):
    return bytes.fromhex(location.read_bytes(KEY_NAME).decode())


WAYS = {"key": lambda: OTHER, "service": Kept, "beside": lambda: None}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("own", [KEY, None], ids=["kept elsewhere", "beside"])
def test_a_vault_of_its_own_key_is_put_under_another_and_nobody_changes(location, own, way):
    before, target = known(Vault.open(location, own)), WAYS[way]()
    assert rekey(location, own, target) == len(PEOPLE)
    assert known(Vault.open(location, target)) == before
    left = {name for name in files(location) if "/" not in name}
    assert left == {CHECK_NAME, KEYS_NAME} | ({KEY_NAME} if target is None else set())
    assert not opens(location, bytes(32))
    assert own is None or not opens(location, own)


def test_there_and_back_and_on_again_nobody_changes(location):
    before, service = known(Vault.open(location)), Kept()
    for current, target in [(None, service), (service, OTHER), (OTHER, None), (None, None), (None, KEY), (KEY, KEY)]:
        rekey(location, current, target)
        assert known(Vault.open(location, target)) == before


def test_another_wrapping_key_touches_no_file_of_a_person(location):
    known(Vault.open(location, KEY))
    rekey(location, KEY, OTHER)
    before = files(location)
    assert rekey(location, OTHER, Kept()) == 0
    after = files(location)
    assert {name for name in before if before[name] != after[name]} == {KEYS_NAME}


def test_a_new_data_key_leaves_nothing_that_the_old_keys_open(location):
    before, first = known(Vault.open(location, KEY)), files(location)
    rekey(location, KEY, OTHER)
    ring = Keyring.unwrapped(location.read_bytes(KEYS_NAME), OTHER)
    rekey(location, OTHER, OTHER, new_data_key=True)
    for name in location.join(SUBJECTS).list():
        content = location.join(SUBJECTS).read_bytes(name)
        assert content != first[f"{SUBJECTS}/{name}"]
        assert opened(location, KEY, name, content) is None
        assert opened(location, ring.data[0], name, content) is None
    assert known(Vault.open(location, OTHER)) == before


def test_a_shredded_person_is_in_no_file_whatever_keys_one_has(location):
    """With the wrapping key, every wrapped file that there ever was, and the whole folder after the shredding."""
    known(Vault.open(location, KEY))
    rings = []
    for current in (KEY, OTHER, OTHER):
        rekey(location, current, OTHER, new_data_key=True)
        rings.append(Keyring.unwrapped(location.read_bytes(KEYS_NAME), OTHER))
    gone = Vault.open(location, OTHER).subject("hospital", PEOPLE[2])
    assert Vault.open(location, OTHER).shred(gone.code)
    keys = [KEY, OTHER, *(key for ring in rings for key in (ring.names, *ring.data))]
    for name, content in files(location).items():
        found = [plain for key in keys if (plain := opened(location, key, name.rpartition("/")[2], content))]
        assert found or name in (CHECK_NAME, KEYS_NAME)  # the keys are enough to read the others
        assert not any(gone.code.encode() in plain for plain in found)
    rekey(location, OTHER, OTHER, new_data_key=True)
    assert gone.code not in {subject.code for subject in Vault.open(location, OTHER).subjects()}


@pytest.mark.parametrize("way", ["to a key", "to a service", "beside", "new data key", "rewrap"])
def test_killed_at_any_step_the_vault_opens_and_the_same_call_ends_it(tmp_path, way):
    """Each time from a fresh copy, until a child is not killed any more because it has no more steps."""
    template, start = Location(tmp_path / "template", private=True), None if way == "beside" else KEY
    target = {"to a key": OTHER, "to a service": Kept(), "beside": None, "new data key": KEY, "rewrap": OTHER}[way]
    before = known(Vault.open(template, start))
    if way in ("new data key", "rewrap"):
        rekey(template, start, start)

    def work(place):
        return rekey(place, start, target, new_data_key=way == "new data key")

    for step in itertools.count(1):
        location = Location(tmp_path / str(step), private=True)
        shutil.copytree(template.path, location.path)
        dead = killed(step, lambda place=location: work(place))
        keys = [key for key in (start, target) if opens(location, key)]
        assert known(Vault.open(location, keys[-1])) == before, step
        if not dead:
            break
        work(location)
        assert known(Vault.open(location, target)) == before, step
        assert len(Keyring.unwrapped(location.read_bytes(KEYS_NAME), target or beside(location)).data) == 1
        assert (location.exists(NEXT_KEY_NAME), location.read_bytes(CHECK_NAME)) == (False, WRAPPED), step
        assert location.exists(KEY_NAME) == (target is None)
    assert step > 5


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["wrap", "serve", "beside", "renew", "meet", "shred"]), max_size=7), st.booleans())
def test_whatever_is_done_in_whatever_order_those_who_stay_stay(tmp_path_factory, steps, elsewhere):
    location = Location(tmp_path_factory.mktemp("vault") / "v", private=True)
    key, met = KEY if elsewhere else None, {}
    for number, step in enumerate(["meet", "meet", *steps]):
        vault = Vault.open(location, key)
        if step == "meet":
            met[f"Q-{number}"] = vault.subject("hospital", f"Q-{number}")
        elif step == "shred":
            assert not met or vault.shred(met.pop(min(met)).code)
        else:
            target = {"wrap": OTHER, "serve": Kept(), "beside": None, "renew": key or OTHER}[step]
            rekey(location, key, target, new_data_key=step == "renew")
            key = target
    vault = Vault.open(location, key)
    assert {name: vault.subject("hospital", name) for name in met} == met
    assert len([*vault.subjects()]) == len(met)


def test_a_process_that_opened_before_goes_on_with_the_same_people(location):
    of_own_key = Vault.open(location, KEY)
    before = known(of_own_key)
    rekey(location, KEY, KEY)
    wrapped = Vault.open(location, KEY)
    rekey(location, KEY, KEY, new_data_key=True)
    assert known(wrapped) == before
    for stale in (wrapped, of_own_key):
        new = stale.subject("hospital", f"P-new-{id(stale)}")
        assert Vault.open(location, KEY).subject("hospital", f"P-new-{id(stale)}") == new


def test_a_process_of_the_key_before_makes_nobody(location):
    stale = Vault.open(location, KEY)
    known(stale)
    rekey(location, KEY, OTHER)
    with pytest.raises(VaultError, match="LARMOR_VAULT_KEY_FILE"):
        stale.subject("hospital", "P-new")
    assert len([*Vault.open(location, OTHER).subjects()]) == len(PEOPLE)


def test_a_person_made_while_the_keys_change_is_sealed_under_the_new_one(location, monkeypatch):
    known(Vault.open(location, KEY))
    rekey(location, KEY, KEY)
    vault, create = Vault.open(location, KEY), Location.create

    def late(self, name, data):
        monkeypatch.setattr(Location, "create", create)
        rekey(location, KEY, KEY, new_data_key=True)  # the whole change between the look at the keys and the file
        create(self, name, data)

    monkeypatch.setattr(Location, "create", late)
    made = vault.subject("hospital", "P-late")
    assert Vault.open(location, KEY).subject("hospital", "P-late") == made


def test_nobody_is_shredded_while_a_change_has_not_come_to_its_end(location):
    known(Vault.open(location, KEY))
    rekey(location, KEY, KEY)
    ring = Keyring.unwrapped(location.read_bytes(KEYS_NAME), KEY)
    vault = Vault.open(location, KEY)
    code = vault.subject("hospital", PEOPLE[0]).code
    location.write_bytes(KEYS_NAME, ring.renewed().wrapped(KEY))
    with pytest.raises(VaultError, match="--new-data-key"):
        vault.shred(code)
    rekey(location, KEY, KEY, new_data_key=True)
    assert vault.shred(code)


def test_a_damaged_person_stops_the_change_before_a_key_is_dropped(location):
    before = known(Vault.open(location, KEY))
    folder = location.join(SUBJECTS)
    name = folder.list()[0]
    whole = folder.read_bytes(name)
    folder.write_bytes(name, b"damaged")
    with pytest.raises(VaultError, match="restore it from a backup"):
        rekey(location, KEY, OTHER)
    folder.write_bytes(name, whole)
    rekey(location, KEY, OTHER)
    assert known(Vault.open(location, OTHER)) == before


def test_every_changed_byte_of_the_wrapped_keys_is_found():
    content = Keyring.fresh().wrapped(KEY)
    for place in range(len(content)):
        edited = content[:place] + bytes([content[place] ^ 1 << place % 7]) + content[place + 1 :]
        try:
            assert Keyring.unwrapped(edited, KEY) == Keyring.unwrapped(content, KEY)  # another case of a digit
            assert edited.lower() == content
        except VaultError:
            continue


def test_what_is_wrong_with_a_key_is_told_without_it(location):
    with pytest.raises(VaultError, match="found no vault"):
        rekey(location, KEY, OTHER)
    known(Vault.open(location, KEY))
    with pytest.raises(VaultError, match="own key"):
        Vault.open(location, Kept())
    rekey(location, KEY, Kept())
    told = []
    for wrong in (KEY, None, Kept()):
        with pytest.raises(ValueError, match="needed") as error:
            Vault.open(location, wrong)
        told.append(str(error.value))
    assert "LARMOR_VAULT_KMS_KEY" in told[0]
    assert not any(KEY.hex() in line or repr(KEY) in line for line in told)
    assert not location.exists(KEY_NAME)


def test_a_vault_whose_key_is_elsewhere_gets_none_in_its_folder(location):
    known(Vault.open(location, KEY))
    with pytest.raises(VaultError, match="LARMOR_VAULT_KEY_FILE"):
        Vault.open(location)
    assert not location.exists(KEY_NAME)


@pytest.mark.parametrize("born", ["of its own key", "wrapped"])
def test_a_vault_that_lost_its_wrapped_keys_is_damaged_and_not_a_new_one(location, born):
    service = Kept()
    known(Vault.open(location, KEY if born == "of its own key" else service))
    if born == "of its own key":
        rekey(location, KEY, service)
    location.delete(KEYS_NAME)
    for key in (KEY, OTHER, None, service):
        with pytest.raises(VaultError, match=r"vault\.keys"):
            Vault.open(location, key)
        with pytest.raises(VaultError, match=r"vault\.keys"):
            rekey(location, key, OTHER)
    assert KEYS_NAME not in location.list()


def test_no_key_lies_in_the_clear_or_shows_in_a_log():
    ring = Keyring.fresh()
    said = str(json.loads(ring.wrapped(KEY)))
    for key in (ring.names, *ring.data):
        assert key.hex() not in said
        assert repr(key) not in repr(ring)
