"""Proofs to hand out: that an entry is in the log, and that the log of one seal only grew to that of another.

Belongs here: making a proof, and checking one with a public key alone, without the lake. A proof is one small JSON
file. Its hashes come from tiles that nobody vouches for, so it is checked before it leaves; where they do not lead to
the sealed root, the tiles are made anew from the log. The arithmetic is `lineage.ledger.merkle`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lake.tables.parquet import rows_of
from lake.zones import Lake
from lineage.ledger import keys, merkle, statements
from lineage.ledger.commits import Log, parse
from lineage.ledger.findings import check_entries, check_file
from lineage.ledger.merkle import Frontier, ProofError, Subtree
from lineage.ledger.statements import Seal, SealError
from lineage.ledger.succession import Succession
from lineage.ledger.tiles import Tiles, TilesMissing
from schemas.document import canonical_json

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Inclusion:
    """That an entry stands at its place in the log of a seal.

    Attributes:
        sequence: its place.
        event: its canonical text.
        path: hashes that lead from it to the root, hexadecimal.
        seal: the seal that signs the root.
        handovers: the seals that changed the key, so that any of the keys is enough; empty: it was never changed.
    """

    sequence: int
    event: str
    path: tuple[str, ...]
    seal: Seal
    handovers: tuple[Seal, ...] = ()

    format: ClassVar[str] = "larmor inclusion 1"

    @property
    def data(self) -> bytes:
        """The proof's file."""
        said = {"sequence": self.sequence, "event": self.event, "path": self.path, "seal": _said(self.seal)}
        return _file(self.format, said, self.handovers)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The proof of a file's fields."""
        sequence, event, path = int(fields["sequence"]), str(fields["event"]), _path(fields["path"])
        return cls(sequence, event, path, _seal(fields["seal"]), _handovers(fields))

    def check(self, key: Ed25519PublicKey) -> None:
        """Check it with one of the log's public keys alone.

        Raises:
            ProofError: if it does not hold.
        """
        _signed(self.seal, self.handovers, key, alone=True)
        leaf = merkle.leaf_hash(self.event.encode())
        root = merkle.root_from_inclusion(leaf, self.sequence, self.seal.size, _raw(self.path))
        if root.hex() != self.seal.root:
            raise ProofError(f"found hashes that do not lead to the root of {self.seal.name}, needed those that do")


@dataclass(frozen=True)
class Consistency:
    """That the log of one seal is the beginning of that of a later one.

    Attributes:
        first: the earlier seal.
        second: the later one.
        path: hashes that show it, hexadecimal.
        handovers: see `Inclusion`.
    """

    first: Seal
    second: Seal
    path: tuple[str, ...]
    handovers: tuple[Seal, ...] = ()

    format: ClassVar[str] = "larmor consistency 1"

    @property
    def data(self) -> bytes:
        """The proof's file."""
        said = {"first": _said(self.first), "second": _said(self.second), "path": self.path}
        return _file(self.format, said, self.handovers)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """The proof of a file's fields."""
        return cls(_seal(fields["first"]), _seal(fields["second"]), _path(fields["path"]), _handovers(fields))

    def check(self, key: Ed25519PublicKey) -> None:
        """Check it with the public key alone.

        Raises:
            ProofError: if it does not hold.
        """
        one, other = self.first, self.second
        # the later seal vouches for the earlier one, whose tree is the beginning of its own
        _signed(one, self.handovers, key, alone=False)
        _signed(other, self.handovers, key, alone=True)
        roots = bytes.fromhex(one.root), bytes.fromhex(other.root)
        if one.statement.genesis != other.statement.genesis or not merkle.consistent(
            one.size, roots[0], other.size, roots[1], _raw(self.path)
        ):
            raise ProofError(
                f"found hashes that do not show the log of {one.name} at the beginning of that of {other.name}, "
                "needed those that do: an entry between them was changed, removed, inserted or reordered"
            )


Proof = Inclusion | Consistency
_KINDS: dict[str, type[Inclusion] | type[Consistency]] = {kind.format: kind for kind in (Inclusion, Consistency)}
_P = TypeVar("_P", Inclusion, Consistency)


def inclusion(lake: Lake | Path | str, sequence: int) -> Inclusion:
    """Prove an entry under the newest seal.

    Raises:
        ProofError: if no seal covers the entry yet, or the log does not lead to the sealed root.
        lineage.ledger.commits.LedgerDamaged: if the log cannot be read.
    """
    log = Log.of(lake)
    seal = _newest(log)
    if not 0 <= sequence < seal.size:
        raise ProofError(f"found {seal.size} entries under the last seal, needed entry {sequence}; run larmor seal")
    commit = log.holding(sequence, seal.statement.version)
    events = rows_of(check_file(log, commit, commit.first), ["event"])["event"]
    changed = statements.handovers(log)
    event = str(events[sequence - commit.first])

    def proof(subtree: Subtree) -> Inclusion:
        path = merkle.inclusion_proof(subtree, sequence, seal.size)
        return Inclusion(sequence, event, _hexadecimal(path), seal, changed)

    return _proven(log, proof, seal)


def consistency(lake: Lake | Path | str, first: int, second: int) -> Consistency:
    """Prove that the log only grew between two seals, by their numbers.

    Raises:
        ProofError: if there are no such seals in this order, or the log does not lead to the sealed roots.
        lineage.ledger.commits.LedgerDamaged: if the log cannot be read.
    """
    log = Log.of(lake)
    one, other = _numbered(log, first), _numbered(log, second)
    changed = statements.handovers(log)

    def proof(subtree: Subtree) -> Consistency:
        path = merkle.consistency_proof(subtree, one.size, other.size)
        return Consistency(one, other, _hexadecimal(path), changed)

    return _proven(log, proof, other)


def parse_proof(data: bytes) -> Proof:
    """The proof in a file; whether it holds is for its `check` to say.

    Raises:
        ProofError: if the file is not, to the byte, one that this project writes.
    """
    try:
        fields = json.loads(data)
        proof: Proof = _KINDS[fields.pop("format")].of(fields)
        same = proof.data == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        same = False
    if not same:
        raise ProofError("found bytes that no proof has, needed the file as larmor prove wrote it")
    return proof


def check(data: bytes, key: bytes) -> Proof:
    """Check the file of a proof with the file of a public key, and nothing else.

    Args:
        data: the proof, as `larmor prove` wrote it.
        key: a public key of the seals, PEM, from a hand that is trusted: of any key that the log had.

    Raises:
        ProofError: if the proof does not hold; the message says what does not.
        lineage.ledger.keys.KeyFileError: if the key is none.
    """
    proof = parse_proof(data)
    proof.check(keys.read_public(key, "public key"))
    return proof


def _proven(log: Log, proof: Callable[[Subtree], _P], seal: Seal) -> _P:
    """A proof that holds: from the tiles that are there, or from tiles made anew."""
    key = keys.read_public(log.seals.read_bytes(keys.PUBLIC_NAME))
    try:
        made = proof(Tiles(log.tiles).subtree)
        made.check(key)
    except (TilesMissing, ProofError):
        tiles = Tiles(log.tiles)
        tiles.extend(0, _leaves(log, seal))
        made = proof(tiles.subtree)
        made.check(key)
    return made


def _leaves(log: Log, seal: Seal) -> Iterator[bytes]:
    """Leaf hashes of the log up to a seal, each computed from its entry."""
    frontier = Frontier()
    for version in range(1, seal.statement.version + 1):
        commit = parse(version, log.read(version))
        yield from check_entries(log, commit, frontier)
        frontier = commit.frontier


def _newest(log: Log) -> Seal:
    there = statements.numbers(log)
    if not there:
        raise ProofError("found no seal, needed one to prove anything under; run larmor seal")
    return _numbered(log, there[-1])


def _numbered(log: Log, number: int) -> Seal:
    try:
        return statements.read(log, number)
    except FileNotFoundError:
        raise ProofError(f"found no seal {number}, needed one of {statements.numbers(log)}") from None


def _signed(seal: Seal, handovers: Sequence[Seal], key: Ed25519PublicKey, *, alone: bool) -> None:
    """Check who signed a seal, and where it stands alone, that no thief of its key could have."""
    try:
        succession = Succession.of(handovers, key)
    except SealError as error:
        raise ProofError(str(error)) from None
    if fault := succession.fault(seal):
        raise ProofError(f"{seal.name}: found {fault}, needed a valid one")
    if alone and succession.doubted(seal):
        raise ProofError(
            f"{seal.name}: found a seal of a key that was revoked, needed one of the key after it; ask for a new proof"
        )


def _file(format_: str, fields: Mapping[str, Any], handovers: Sequence[Seal]) -> bytes:
    changed = {"handovers": [_said(seal) for seal in handovers]} if handovers else {}
    return (canonical_json({"format": format_, **fields, **changed}) + "\n").encode()


def _said(seal: Seal) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(seal.data)
    return said


def _seal(fields: Mapping[str, Any]) -> Seal:
    return Seal.parse((canonical_json(fields) + "\n").encode(), statements.seal_name(fields["statement"]["number"]))


def _handovers(fields: Mapping[str, Any]) -> tuple[Seal, ...]:
    return tuple(_seal(seal) for seal in fields.get("handovers", ()))


def _path(nodes: list[str]) -> tuple[str, ...]:
    if not all(map(_HASH.fullmatch, nodes)):
        raise ValueError
    return tuple(nodes)


def _hexadecimal(path: list[bytes]) -> tuple[str, ...]:
    return tuple(node.hex() for node in path)


def _raw(path: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(node) for node in path]
