"""That all events of a period stand in the log of a seal, in their order, with nothing left out: one proof for all.

Belongs here: making such a proof and checking it, both without the lake. It holds the frontier of the tree before the
period, from which the events themselves lead to the tree after it, and a consistency proof (RFC 9162, section 2.1.4)
from there to the sealed tree. Its size is logarithmic in the log, whatever the period. A proof of one entry is
`lineage.ledger.proofs`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from lineage.ledger import merkle
from lineage.ledger.merkle import Frontier, ProofError
from lineage.ledger.statements import Seal
from schemas.document import canonical_json

_FORMAT = "larmor period 1"


@dataclass(frozen=True)
class PeriodProof:
    """What leads from the events of a period to the root of a seal.

    Attributes:
        first: place of the first event.
        until: place after the last; the same as `first`: there was none.
        frontier: roots of the perfect subtrees of the tree before the first, hexadecimal.
        consistency: hashes from the tree of `until` entries to the sealed one.
        moment: entries of the log at the moment that the report speaks of.
        moment_root: root of the tree over them.
        moment_consistency: hashes from that tree to the sealed one.
        seal: name of the seal's file.
    """

    first: int
    until: int
    frontier: tuple[str, ...]
    consistency: tuple[str, ...]
    moment: int
    moment_root: str
    moment_consistency: tuple[str, ...]
    seal: str

    @property
    def data(self) -> bytes:
        """The proof's file."""
        return (canonical_json({"format": _FORMAT, **asdict(self)}) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> "PeriodProof":
        """The proof in a file.

        Raises:
            ProofError: if the file is none, to the byte.
        """
        try:
            said = json.loads(data)
            proof = cls(
                first=int(said["first"]),
                until=int(said["until"]),
                frontier=tuple(map(str, said["frontier"])),
                consistency=tuple(map(str, said["consistency"])),
                moment=int(said["moment"]),
                moment_root=str(said["moment_root"]),
                moment_consistency=tuple(map(str, said["moment_consistency"])),
                seal=str(said["seal"]),
            )
            same = said["format"] == _FORMAT and proof.data == data
        except (ValueError, TypeError, KeyError):
            same = False
        if not same:
            raise ProofError(f"found bytes that are no proof, needed one of the format {_FORMAT!r}")
        return proof

    def check(self, events: Sequence[bytes], seal: Seal) -> None:
        """Check that these are all events of the period, as sealed; whether the seal is signed is for it to say.

        Raises:
            ProofError: if an event was changed, left out, added or moved, or the proof belongs to another seal.
        """
        if self.until - self.first != len(events) or seal.name != self.seal:
            raise ProofError(f"found {len(events)} events, needed {self.until - self.first} under seal {self.seal}")
        try:
            before = Frontier(self.first, _raw(self.frontier))
            after = before.extended(merkle.leaf_hash(event) for event in events)
            (moment_root,) = _raw([self.moment_root])
            paths = _raw(self.consistency), _raw(self.moment_consistency)
        except ValueError:
            raise ProofError("found hashes that are none, needed hexadecimal ones that fit the sizes") from None
        trees = ((after.size, after.root, paths[0]), (self.moment, moment_root, paths[1]))
        for size, root, path in trees:
            holds = merkle.consistent(size, root, seal.size, bytes.fromhex(seal.root), path)
            if not (holds if size else (root, path) == (merkle.EMPTY_ROOT, ())):
                raise ProofError(
                    f"found events that do not lead to the root of seal {seal.name}, needed those that were sealed: "
                    "one was changed, left out, added or moved"
                )


def prove(leaves: Sequence[bytes], first: int, until: int, moment: int, seal: Seal) -> PeriodProof:
    """The proof of the entries from `first` to before `until`.

    Args:
        leaves: leaf hashes of all entries under the seal.
        first: place of the first entry.
        until: place after the last.
        moment: entries of the log at the moment that a report speaks of.
        seal: a seal that covers all of them.

    Raises:
        ProofError: if the seal does not cover them.
    """
    if not 0 <= first <= until <= seal.size or not moment <= seal.size:
        raise ProofError(f"found {seal.size} entries under {seal.name}, needed {max(until, moment)}; run larmor report")
    parts = merkle.subtrees(leaves[: seal.size])

    def path(size: int) -> tuple[str, ...]:
        return tuple(hash_.hex() for hash_ in merkle.consistency_proof(parts, size, seal.size)) if size else ()

    return PeriodProof(
        first=first,
        until=until,
        frontier=tuple(hash_.hex() for hash_ in Frontier().extended(leaves[:first]).hashes),
        consistency=path(until),
        moment=moment,
        moment_root=merkle.root(leaves[:moment]).hex(),
        moment_consistency=path(moment),
        seal=seal.name,
    )


def _raw(hashes: Sequence[str]) -> tuple[bytes, ...]:
    raw = tuple(bytes.fromhex(hash_) for hash_ in hashes)
    if [hash_.hex() for hash_ in raw] != list(hashes):
        raise ValueError("found hashes in another spelling, needed lower-case digits")
    return raw
