"""Which key signs which seals: keys that hand the signing over to one another, of which a reader needs to know one.

Belongs here: the order of the keys, and what it says of one seal. A handover is signed by both keys. So whoever trusts
the old one learns the new one from it, and whoever trusts the new one learns what the old one had signed. Judging all
seals of a log is `lineage.ledger.signed`, making a handover `lineage.ledger.rotation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lineage.ledger import keys
from lineage.ledger.statements import Seal, SealError

UNSIGNED = "a signature that the public key did not make"


@dataclass(frozen=True)
class Succession:
    """The keys of one log.

    Attributes:
        first: key of the first seal.
        handovers: the seals that changed it, in order, each without `fault`.
    """

    first: Ed25519PublicKey
    handovers: tuple[Seal, ...] = ()

    @classmethod
    def of(cls, handovers: Sequence[Seal], known: Ed25519PublicKey) -> "Succession":
        """The keys that some seals show to whoever knows one of them, whichever it is.

        Args:
            handovers: the seals that changed the key, in order, from the first change on.
            known: a key that is trusted.

        Raises:
            SealError: if they are not signed by old and new key, or the known key is none of them.
        """
        found = cls(oldest(handovers) or known)
        for seal in handovers:
            if fault := found.fault(seal):
                raise SealError(f"{seal.name}: found {fault}, needed a valid one")
            if seal.statement.handover is None or seal in found.handovers:
                raise SealError(f"{seal.name}: found no change of key or one twice, needed each that there was, once")
            found = found.after(seal)
        if not found.knows(known):
            raise SealError("found keys that do not lead to the public key, needed one of them")
        return found

    @cached_property
    def keys(self) -> tuple[Ed25519PublicKey, ...]:
        """All keys, oldest first."""
        said = [seal.statement.handover for seal in self.handovers]
        return (self.first, *(keys.of_raw(handover.new) for handover in said if handover))

    def knows(self, key: Ed25519PublicKey) -> bool:
        """Whether a key is one of them."""
        return keys.raw(key) in map(keys.raw, self.keys)

    def after(self, seal: Seal) -> "Succession":
        """The keys after a seal, which may hand over to another."""
        return replace(self, handovers=(*self.handovers, seal)) if seal.statement.handover else self

    def fault(self, seal: Seal) -> str | None:
        """What was found wrong with who signed a seal, in words; None: nothing."""
        turn = self._turn(seal)
        if not seal.signed_by(self.keys[turn]):
            return self._whose(seal, turn)
        if seal.statement.since != (self.handovers[turn - 1].statement.number if turn else None):
            return "another change of key before it than there is"
        if not seal.accepted:
            return "a change of key that the new key did not sign"
        return None

    def revoked(self, seal: Seal) -> bool:
        """Whether a seal in its place in the log proves nothing by itself: its key was ended from an earlier one on.

        The seal that ends it proves as much as any: the new key signed it, too.
        """
        ended = self._ended(seal)
        return ended is not None and ended <= seal.statement.number

    def doubted(self, seal: Seal) -> bool:
        """Whether a seal that is not seen in its place may be anybody's.

        Who has a stolen key signs any number; in the log the digests of the seals after it hold each in its place.
        """
        return self._ended(seal) is not None

    def _ended(self, seal: Seal) -> int | None:
        """Number from which the key of a seal was revoked; None: it never was, or a second key signed the seal."""
        turn = self._turn(seal)
        ending = self.handovers[turn].statement if turn < len(self.handovers) else None
        if ending is None or ending.handover is None or seal.statement.number == ending.number:
            return None
        return ending.handover.ended if ending.handover.ended <= ending.number else None

    def _turn(self, seal: Seal) -> int:
        """Place of the key whose turn it was."""
        return sum(one.statement.number < seal.statement.number for one in self.handovers)

    def _whose(self, seal: Seal, turn: int) -> str:
        for key, ending in zip(self.keys[:turn], self.handovers, strict=False):
            if seal.signed_by(key):
                return f"a signature of the key that {ending.name} ended"
        if seal.statement.handover:
            return "a change of key that the key before it did not sign"
        return UNSIGNED


def oldest(seals: Sequence[Seal]) -> Ed25519PublicKey | None:
    """The key that the first change of key among some seals ended; None: there is none."""
    said = next((seal.statement.handover for seal in seals if seal.statement.handover), None)
    return keys.of_raw(said.old) if said else None
