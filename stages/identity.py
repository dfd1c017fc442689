"""The vault of a lake.

Belongs here: from a lake's settings to its vault. What a vault is, is `deid.vault`.
"""

from deid.keyring import Wrapping
from deid.vault import Subject, Vault, key_of, vault_key
from lake.settings import Settings
from lake.stores import secrets
from lake.stores.kms import KmsKey
from lake.zones import Lake
from schemas.contract import Zone
from schemas.tables import IDENTIFIERS, RECEIVED

_ID = "id"
"""Kind of identifier that patient ids are, among others; see `deid.text.identifiers`."""


def open_vault(lake: Lake) -> Vault:
    """The vault in the lake's restricted zone, with the configured key.

    Raises:
        VaultError: if the key is missing or not the vault's.
        SecretError: if the secret that holds it cannot be read, or KMS does not give it.
    """
    return Vault.open(lake.location(Zone.RESTRICTED, "vault"), configured_key(lake.settings))


def subjects_of(lake: Lake, delivery: str, licensor: str) -> dict[str, Subject]:
    """The subjects of a delivery's files, by code.

    They are looked up by the patient ids that its headers hold, so that it costs what the delivery has and not what
    the vault has; subjects that none of these leads to are looked for among all.

    Args:
        lake: the lake.
        delivery: which was received.
        licensor: who delivered it; the same id at two licensors is two subjects.
    """
    partition = {"delivery": delivery}
    rows = lake.table(RECEIVED).rows(["subject", "study_uid"], partition)
    wanted = {row["subject"] for row in rows if row["subject"]}
    # a file without a patient id stands under its study's UID
    named = {row["study_uid"] for row in rows if row["study_uid"]}
    for row in lake.table(IDENTIFIERS).rows(["subject", "kind", "value"], partition):
        named |= {row["value"]} if row["kind"] == _ID and row["value"].strip() else set()
    vault = open_vault(lake)
    found = {one.code: one for one in (vault.known(licensor, name) for name in named) if one and one.code in wanted}
    if found.keys() >= wanted:
        return found
    return found | {one.code: one for one in vault.subjects() if one.code in wanted}


def configured_key(settings: Settings) -> Wrapping | None:
    """What opens the vault by the settings; None: the key in its folder.

    Raises:
        VaultError: if the file is missing, open to others, or no key.
        SecretError: if the secret cannot be read.
    """
    if settings.vault_kms_key is not None:
        return KmsKey(settings.vault_kms_key)
    if settings.vault_key_secret is None:
        return vault_key(settings.vault_key_file)
    return key_in_secret(settings.vault_key_secret, "LARMOR_VAULT_KEY_SECRET")


def key_in_secret(name: str, setting: str) -> bytes:
    """The key in a secret of Secrets Manager; `setting` is what named it, for messages.

    Raises:
        VaultError: if it holds no key.
        SecretError: if it cannot be read.
    """
    return key_of(secrets.read(name, setting), setting)
