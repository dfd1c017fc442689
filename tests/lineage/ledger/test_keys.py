"""The key that signs stays with its owner, and nothing else passes for it."""

import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lake.zones import Lake
from lineage.ledger import keys, ledger
from lineage.ledger.keys import KeyFileError
from lineage.ledger.seals import seal
from lineage.ledger.statements import SealError
from schemas.contract import Zone


def test_private_key_is_made_once_for_its_owner_only(lake):
    made = keys.private_key(lake)
    path = lake.location(Zone.RESTRICTED, "keys").path / keys.PRIVATE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.fingerprint(keys.private_key(lake).public_key()) == keys.fingerprint(made.public_key())


def test_key_file_of_the_settings_is_used_and_never_made(tmp_path):
    path = tmp_path / "own.pem"
    lake = Lake.open(tmp_path / "lake", seal_key_file=path)
    with pytest.raises(KeyFileError, match="LARMOR_SEAL_KEY_FILE"):
        keys.private_key(lake)
    other = Lake.open(tmp_path / "other")
    keys.private_key(other)
    path.write_bytes((other.location(Zone.RESTRICTED, "keys").path / keys.PRIVATE_NAME).read_bytes())
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="0600"):
        keys.private_key(lake)
    path.chmod(0o600)
    ours, theirs = keys.private_key(lake).public_key(), keys.private_key(other).public_key()
    assert keys.fingerprint(ours) == keys.fingerprint(theirs)
    path.write_text("no key")
    with pytest.raises(KeyFileError, match="no Ed25519"):
        keys.private_key(lake)


def test_public_key_reads_back_and_another_file_does_not():
    key = Ed25519PrivateKey.generate().public_key()
    pem = keys.public_pem(key)
    assert keys.fingerprint(keys.read_public(pem)) == keys.fingerprint(key)
    for wrong in (b"", pem + b"\n", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(KeyFileError):
            keys.read_public(wrong)


def test_sealing_with_another_key_than_before_is_refused_and_a_lost_one_is_not_made_anew(lake, tmp_path):
    ledger.append(lake, "materialized", {"table": "curated/series"})
    seal(lake)
    ledger.append(lake, "materialized", {"table": "curated/series"})
    keys.new_in_file(tmp_path / "other.pem")
    with pytest.raises(SealError, match="another key"):
        seal(Lake.open(lake.settings.root, seal_key_file=tmp_path / "other.pem"))
    private = lake.location(Zone.RESTRICTED, "keys").path / keys.PRIVATE_NAME
    private.unlink()
    with pytest.raises(KeyFileError, match="restore it"):
        seal(lake)
    assert not private.exists()
