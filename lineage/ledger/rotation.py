"""Changing the key of the seals: the old key's last seal hands over to the new one, and both sign it.

Belongs here: the order of the steps, so that a process that dies between any two leaves a log that verifies and a
change that the next call, or the next seal, brings to its end. What a handover says is `lineage.ledger.statements`.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lake.zones import Lake
from lineage.ledger import keys, seals
from lineage.ledger.commits import Log
from lineage.ledger.statements import Seal, SealError, newest
from schemas.tables import LEDGER


def rotate(lake: Lake, new: Ed25519PrivateKey | None = None, ended: int | None = None) -> Seal:
    """Let another key sign from now on; returns the seal that hands over to it.

    The change counts from the moment that this seal is there. The event that tells of it, and a first seal of the new
    key over that event, follow; where they are missing because the process was killed, the next seal adds them.

    Args:
        lake: the lake.
        new: the key that takes over and is kept elsewhere, so that none stays in the restricted zone; None: one that is
            made there, where the old one must lie, whose file it replaces.
        ended: number of the first seal that the old key proves nothing of by itself; None: the first after the change.
            An earlier one where somebody else may have had the key since.

    Raises:
        SealError: if the ledger is empty, the old key is not the one whose turn it is, the new one is the same, or the
            old one did not sign the seal that it is to be ended from.
        lineage.ledger.commits.LedgerDamaged: if what is to be sealed does not hold.
        lineage.ledger.keys.KeyFileError: if a key cannot be used.
    """
    log = Log.of(lake)
    made = newest(log)
    if made is None or made.statement.handover is None:
        old = seals.signer(lake)
        successor = new or keys.next_key(lake, old)
        if keys.raw(successor.public_key()) == keys.raw(old.public_key()):
            raise SealError("found the key that signs already, needed another; give the file or secret of a new one")
        made = seals.sealed(log, lake.table(LEDGER), old, successor, ended)
    seals.complete(lake, new or seals.signer(lake))
    if new is not None:
        keys.leave(lake, new)
    return made
