"""`larmor doctor vault`: how the vault is kept, and changing its keys.

Belongs here: asking and printing. What is done and recorded is `stages.upkeep.vault_keys`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, say
from schemas.roles import changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from deid.keyring import Wrapping
    from lake.zones import Lake
    from stages.upkeep.vault_keys import Vaulted

_TARGETS = ("key_file", "key_secret", "kms_key", "key_beside")


@click.command("vault", epilog="Example: larmor doctor vault --kms-key alias/larmor-vault")
@click.option(
    "--key-file",
    type=LocalPath(dir_okay=False),
    help="Wrap its keys by the key in this file, made if there is none.",
)
@click.option("--key-secret", metavar="NAME", help="Wrap them by the key in this secret of AWS Secrets Manager.")
@click.option("--kms-key", metavar="KEY", help="Wrap them by this key of AWS KMS (id, ARN or alias).")
@click.option("--key-beside", is_flag=True, help="Wrap them by a new key beside them, which protects nothing.")
@click.option("--new-data-key", is_flag=True, help="Seal every file of the vault under a new key.")
@as_json
@acting(
    lambda given: (
        changing(Zone.RESTRICTED, Zone.AUDIT)
        if given["new_data_key"] or any(given[name] for name in _TARGETS)
        else reading(Zone.RESTRICTED)
    )
)
@click.pass_context
def vault(
    context: click.Context,
    key_file: Path | None,
    key_secret: str | None,
    kms_key: str | None,
    key_beside: bool,
    new_data_key: bool,
    json_: bool,
) -> None:
    """Say how the vault is kept; or wrap its keys by another key, or seal its files under a new one.

    Pseudonyms, UIDs and dates stay. Let nothing else run meanwhile; give the same command again if it was stopped.
    """
    from stages.upkeep.vault_keys import changed, looked_at

    if sum(map(bool, (key_file, key_secret, kms_key, key_beside))) > 1:
        raise click.UsageError("found several keys to wrap by, needed one")
    lake = opened(context)
    if not (key_file or key_secret or kms_key or key_beside or new_data_key):
        found = looked_at(lake)
        answer(json_, vars(found), _told(found), _advice(found))
        return
    target, setting = _target(lake, key_file, key_secret, kms_key, beside=key_beside)
    files = changed(lake, target, new_data_key=new_data_key, report=say)
    text = f"The vault's keys are wrapped anew; {files} files were sealed under a new key."
    answer(json_, {**vars(looked_at(lake)), "files": files}, text, _next(setting))


def _target(
    lake: "Lake", file: Path | None, secret: str | None, kms: str | None, *, beside: bool
) -> "tuple[Wrapping | None, str | None]":
    """What shall open the vault, and the setting that must name it then."""
    from lake.stores.kms import KmsKey
    from stages.identity import configured_key, key_in_secret
    from stages.upkeep.vault_keys import key_beside, key_in

    if file:
        return key_in(file), f"LARMOR_VAULT_KEY_FILE={file}"
    if secret:
        return key_in_secret(secret, "--key-secret"), f"LARMOR_VAULT_KEY_SECRET={secret}"
    if kms:
        return KmsKey(kms, "--kms-key"), f"LARMOR_VAULT_KMS_KEY={kms}"
    if beside:
        return None, ""
    return configured_key(lake.settings) or key_beside(lake), None


def _told(found: "Vaulted") -> str:
    if not found.made:
        return "No vault yet."
    how = "wrapped keys" if found.wrapped else "a key of its own"
    where = "which lies beside it" if found.beside else "which is kept elsewhere"
    opened_by = f"opened by a key {where}" if found.wrapped else where
    return f"A vault of {how}, {opened_by}; {found.subjects} persons."


def _advice(found: "Vaulted") -> str:
    if found.made and found.beside:
        return "larmor doctor vault --key-file FILE on another disk, or --kms-key: a key beside data protects nothing"
    return ""


def _next(setting: str | None) -> str:
    if setting is None:
        return "larmor doctor backup PLACE; older backups need the keys that they were made with"
    names = "LARMOR_VAULT_KEY_FILE, LARMOR_VAULT_KEY_SECRET and LARMOR_VAULT_KMS_KEY"
    named = f"set {setting} wherever Larmor runs, and unset the others of {names}" if setting else f"unset {names}"
    return f"{named}; then larmor doctor backup PLACE, and destroy the key before when no backup needs it"
