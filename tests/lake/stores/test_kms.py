"""A key of AWS KMS wraps the vault's keys; what is wrong is told without a key."""

import os

import pytest

from lake.stores.kms import KmsKey
from lake.stores.secrets import SecretError
from lake.zones import Lake
from schemas.contract import Zone
from stages.identity import open_vault
from stages.upkeep.vault_keys import changed

pytestmark = pytest.mark.s3


@pytest.fixture
def kms(bucket):
    """A client of KMS on the loopback server."""
    import boto3

    return boto3.client("kms", region_name=os.environ["AWS_REGION"])


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["KeyId"]


def test_a_key_comes_again_from_its_wrapped_form_alone(key):
    made, text = KmsKey(key).fresh()
    assert (len(made), KmsKey(key).again(text)) == (32, made)
    assert KmsKey(key).fresh()[0] != made
    assert made.hex() not in text


def test_a_new_vault_is_wrapped_from_the_beginning_and_an_alias_will_do(tmp_path, kms, key):
    kms.create_alias(AliasName=f"alias/larmor-{key[:8]}", TargetKeyId=key)
    lake = Lake.open(tmp_path / "lake", vault_kms_key=f"alias/larmor-{key[:8]}")
    code = open_vault(lake).subject("licensor", "patient").code
    assert open_vault(lake).subject("licensor", "patient").code == code
    assert lake.location(Zone.RESTRICTED, "vault").list() == ["subjects", "vault.check", "vault.keys"]


def test_a_vault_goes_to_kms_to_another_key_and_back(tmp_path, kms, key):
    root, other = tmp_path / "lake", kms.create_key()["KeyMetadata"]["KeyId"]
    lake = Lake.open(root)
    code = open_vault(lake).subject("licensor", "patient").code
    changed(lake, KmsKey(key))
    first = Lake.open(root, vault_kms_key=key)
    assert open_vault(first).subject("licensor", "patient").code == code
    changed(first, KmsKey(other), new_data_key=True)
    second = Lake.open(root, vault_kms_key=other)
    assert open_vault(second).subject("licensor", "patient").code == code
    changed(second, None)
    assert open_vault(lake).subject("licensor", "patient").code == code


def test_what_is_wrong_with_a_kms_key_is_told(tmp_path, key):
    lake = Lake.open(tmp_path / "lake", vault_kms_key=key)
    open_vault(lake).subject("licensor", "patient")
    with pytest.raises(SecretError, match="LARMOR_VAULT_KMS_KEY: found no such key in KMS"):
        open_vault(Lake.open(tmp_path / "lake", vault_kms_key="11111111-2222-3333-4444-555555555555"))
    with pytest.raises(SecretError, match="--kms-key: found a wrapped key that KMS does not know"):
        KmsKey(key, "--kms-key").again("no base64")


def test_without_credentials_the_way_to_kms_is_told(tmp_path, monkeypatch, bucket):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(SecretError, match="LARMOR_VAULT_KMS_KEY: found no way to KMS"):
        KmsKey("any").fresh()
