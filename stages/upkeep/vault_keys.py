"""Changing the keys of a lake's vault, and the record of it.

Belongs here: what else has to know. The change itself is `deid.rekeying`.
"""

from dataclasses import dataclass
from pathlib import Path

from deid.keyring import VaultError, Wrapping
from deid.rekeying import Report, rekey
from deid.vault import CHECK_NAME, KEY_NAME, KEYS_NAME, SUBJECTS, beside, new_key, vault_key
from lake.integrity import scrub
from lake.stores.storage import Location
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from schemas.contract import Zone
from stages.identity import configured_key

_VAULT = "vault"


@dataclass(frozen=True)
class Vaulted:
    """How a vault is kept.

    Attributes:
        made: whether there is one.
        wrapped: whether its keys lie wrapped; otherwise it has a key of its own that all others derive from.
        beside: whether a key lies in its folder, where whoever copies the folder has both.
        subjects: persons in it.
    """

    made: bool
    wrapped: bool
    beside: bool
    subjects: int


def looked_at(lake: Lake) -> Vaulted:
    """How the vault of a lake is kept; needs no key."""
    location = lake.location(Zone.RESTRICTED, _VAULT)
    wrapped = location.exists(KEYS_NAME)
    subjects = sum(not name.startswith(".") for name in location.join(SUBJECTS).list())
    return Vaulted(wrapped or location.exists(CHECK_NAME), wrapped, location.exists(KEY_NAME), subjects)


def changed(lake: Lake, target: Wrapping | None, *, new_data_key: bool = False, report: Report = lambda _: None) -> int:
    """Put the keys of the vault under another key, and record it; returns how many files were sealed anew.

    Args:
        lake: the lake, whose settings say what opens the vault now.
        target: see `deid.rekeying.rekey`.
        new_data_key: whether files are sealed under a new key, too.
        report: takes a line that tells a person how far it is.

    Raises:
        deid.keyring.VaultError: if the vault cannot be opened, or a subject's file was damaged.
        lake.stores.secrets.SecretError: if a secret or KMS gives no key.
    """
    location, prefix = lake.location(Zone.RESTRICTED, _VAULT), f"{Zone.RESTRICTED}/{_VAULT}/"
    # a scrub that remembers the files as they were would put copies of them back that no key opens any more
    scrub.forget(lake, prefix)
    files = rekey(location, configured_key(lake.settings), target, new_data_key=new_data_key, report=report)
    scrub.forget(lake, prefix)
    action = "renewed" if files else "wrapped"
    append(lake, EventType.KEY_CHANGED, {"kind": "vault", "action": action, "files": files})
    return files


def key_beside(lake: Lake) -> bytes:
    """The key in the folder of the vault.

    Raises:
        deid.keyring.VaultError: if there is none.
    """
    found = beside(lake.location(Zone.RESTRICTED, _VAULT))
    if not found:
        raise VaultError("found no key in the vault's folder, needed the one that opens it; set LARMOR_VAULT_KEY_FILE")
    return found[0]


def key_in(path: Path) -> bytes:
    """The key in a file, which is made, for its owner only, if there is none.

    Raises:
        deid.keyring.VaultError: if others can read it, or it holds no key.
    """
    if not path.exists():
        Location(path.parent, private=True).create(path.name, new_key())
    key = vault_key(path)
    assert key is not None
    return key
