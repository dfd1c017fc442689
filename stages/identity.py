"""The vault of a lake.

Belongs here: from a lake's settings to its vault. What a vault is, is `deid.vault`.
"""

from deid.vault import Vault, vault_key
from lake.zones import Lake
from schemas.contract import Zone


def open_vault(lake: Lake) -> Vault:
    """The vault in the lake's restricted zone, with the configured key.

    Raises:
        VaultError: if the key is missing or not the vault's.
    """
    return Vault.open(lake.location(Zone.RESTRICTED, "vault"), vault_key(lake.settings.vault_key_file))
