"""Keys in AWS Secrets Manager open the vault and sign the ledger; what is wrong is told without the key."""

import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deid.vault import VaultError
from lake.stores import secrets
from lake.stores.secrets import SecretError
from lake.zones import Lake
from lineage.ledger.keys import KeyFileError, fingerprint, private_key
from schemas.contract import Zone
from stages.identity import open_vault

pytestmark = pytest.mark.s3


@pytest.fixture
def manager(bucket):
    """A client of Secrets Manager on the loopback server, and the way to put a secret there."""
    import boto3

    client = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"])
    names = []

    def put(name, **content):
        names.append(name)
        client.create_secret(Name=name, **content)
        return name

    yield put
    for name in names:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("form", [lambda key: {"SecretBinary": key}, lambda key: {"SecretString": key.hex()}])
def test_the_vault_opens_with_a_key_that_is_nowhere_in_the_lake(tmp_path, manager, form):
    key = bytes(range(32))
    lake = Lake.open(tmp_path / "lake", vault_key_secret=manager("larmor/vault", **form(key)))
    code = open_vault(lake).subject("licensor", "patient").code
    assert open_vault(lake).subject("licensor", "patient").code == code
    files = [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    assert files
    assert not any(key in path.read_bytes() or key.hex().encode() in path.read_bytes() for path in files)
    with pytest.raises(VaultError):
        open_vault(Lake.open(tmp_path / "lake", vault_key_secret=manager("larmor/other", SecretBinary=bytes(32))))


def test_the_seal_key_of_a_secret_is_used_and_none_is_made(tmp_path, manager):
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    lake = Lake.open(tmp_path / "lake", seal_key_secret=manager("larmor/seal", SecretString=pem))
    assert fingerprint(private_key(lake).public_key()) == fingerprint(key.public_key())
    assert not lake.location(Zone.RESTRICTED, "keys").list()


def test_what_is_wrong_with_a_secret_is_told_without_its_content(tmp_path, manager):
    with pytest.raises(SecretError, match="LARMOR_VAULT_KEY_SECRET: found no such secret"):
        open_vault(Lake.open(tmp_path / "lake", vault_key_secret="larmor/nothing"))
    wrong = manager("larmor/wrong", SecretString="not to be shown")
    with pytest.raises(VaultError, match="found no key in LARMOR_VAULT_KEY_SECRET") as vault:
        open_vault(Lake.open(tmp_path / "lake", vault_key_secret=wrong))
    with pytest.raises(KeyFileError, match="no Ed25519") as seal:
        private_key(Lake.open(tmp_path / "lake", seal_key_secret=wrong))
    assert "shown" not in f"{vault.value} {seal.value}"


def test_without_credentials_the_way_there_is_told(tmp_path, monkeypatch, bucket):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SecretError, match="LARMOR_SEAL_KEY_SECRET: found no way to Secrets Manager"):
        secrets.read("larmor/seal", "LARMOR_SEAL_KEY_SECRET")
