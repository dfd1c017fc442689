"""What a seal says, how it is signed, and reading the seals that are there.

Belongs here: the form of a seal. It is a small JSON file in `audit/seals` that names size and root of the tree, the
commit, and the seal before it, signed with Ed25519; copied outside, it proves that no entry up to its size was changed
since. One that hands the signing over to another key is signed by both. Making seals is `lineage.ledger.seals`, which
key may sign which of them `lineage.ledger.succession`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lineage.ledger import keys
from lineage.ledger.commits import Log
from schemas.document import canonical_json
from schemas.formats import FormatNewer, require_known

_DOMAIN = b"larmor ledger seal v1\n"
"""Stands before what is signed, so that no other statement signed by the same key can pass as a seal."""

_NEW_DOMAIN = b"larmor ledger key v1\n"
"""Stands before what a new key signs when it takes over: its signature is no seal of its own."""

_FORMAT = 1
"""Newest format of a seal that this version reads. A seal of format 1 does not say so, as the first ones did not."""

_NAME = re.compile(r"(\d{8})\.json")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_KEY = re.compile(r"[0-9a-f]{64}")


class SealError(ValueError):
    """There is nothing to seal, or a seal is not one; the message says what was found and needed."""


class KeyTurned(SealError):
    """A key wanted to sign whose turn it is not, perhaps because another process has just changed the key."""


@dataclass(frozen=True)
class Handover:
    """What a seal says besides, if it is the last that its key signs.

    Attributes:
        old: public key that signs this seal and none after it, 32 bytes, hexadecimal.
        new: public key that signs the seals after it, and this one too.
        ended: number of the first seal that a signature of the old key proves nothing of: the next one's, or an earlier
            one's, where somebody else may have had the key since.
    """

    old: str
    new: str
    ended: int


@dataclass(frozen=True)
class Statement:
    """What a seal says.

    Attributes:
        genesis: SHA-256 of the ledger's first commit, which names the log.
        number: place among the seals, from 1.
        previous: SHA-256 of the file of the seal before; empty in the first.
        size: entries of the log.
        root: root of the Merkle tree over them, hexadecimal.
        version: newest version of the Delta table.
        commit: SHA-256 of that version's commit file.
        time: when it was sealed, UTC, RFC 3339.
        since: number of the seal that handed over to the key of this one; None: the log's first key.
        handover: which key signs from the next seal on; None: the same.
    """

    genesis: str
    number: int
    previous: str
    size: int
    root: str
    version: int
    commit: str
    time: str
    since: int | None = None
    handover: Handover | None = None

    @property
    def said(self) -> dict[str, Any]:
        """Its fields, those that say nothing left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return _DOMAIN + canonical_json(self.said).encode()

    @property
    def countersigned(self) -> bytes:
        """The bytes that the key which takes over signs."""
        return _NEW_DOMAIN + canonical_json(self.said).encode()


@dataclass(frozen=True)
class Seal:
    """A signed statement.

    Attributes:
        statement: what it says.
        key: fingerprint of the key that signed.
        signature: 64 bytes, hexadecimal.
        countersignature: of the key that takes over, where one does.
    """

    statement: Statement
    key: str
    signature: str
    countersignature: str | None = None

    @property
    def size(self) -> int:
        """Entries that it covers."""
        return self.statement.size

    @property
    def root(self) -> str:
        """Root of the Merkle tree over them, hexadecimal."""
        return self.statement.root

    @property
    def name(self) -> str:
        """Its file in `audit/seals`."""
        return seal_name(self.statement.number)

    @property
    def data(self) -> bytes:
        """Its file's bytes."""
        fields = {"statement": self.statement.said, "key": self.key, "signature": self.signature}
        if self.countersignature is not None:
            fields["countersignature"] = self.countersignature
        return (canonical_json(fields) + "\n").encode()

    @property
    def sha256(self) -> str:
        """Digest of its file."""
        return sha256(self.data).hexdigest()

    @property
    def printed(self) -> str:
        """The first half of that digest in groups, to keep on paper; another file with the same is out of reach."""
        return " ".join(self.sha256[place : place + 4] for place in range(0, 32, 4))

    @classmethod
    def parse(cls, data: bytes, name: str) -> "Seal":
        """The seal in a file; whether it is signed is for `valid` to say.

        Raises:
            SealError: if the file is not, to the byte, one that this project writes, or bears another number's name.
        """
        try:
            said = json.loads(data)
            require_known(said.get("format"), _FORMAT, name)
            stated = said.pop("statement")
            handover = Handover(**stated.pop("handover")) if "handover" in stated else None
            seal = cls(Statement(**stated, handover=handover), **said)
            same = seal.data == data and seal.name == name and seal._possible
        except FormatNewer as error:
            raise SealError(str(error)) from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            same = False
        if not same:
            raise SealError(f"{name}: found bytes that no seal of this number has, needed the seal as it was signed")
        return seal

    def valid(self, public_key: Ed25519PublicKey) -> bool:
        """Whether the key signed it, and the key that takes over, where one does."""
        return self.signed_by(public_key) and self.accepted

    def signed_by(self, public_key: Ed25519PublicKey) -> bool:
        """Whether the key signed it."""
        signed = self.statement.signed
        return self.key == keys.fingerprint(public_key) and _is_signed(public_key, self.signature, signed)

    @property
    def accepted(self) -> bool:
        """Whether the key that takes over signed it, or none does."""
        handover = self.statement.handover
        if handover is None:
            return True
        return _is_signed(keys.of_raw(handover.new), self.countersignature or "", self.statement.countersigned)

    @property
    def _possible(self) -> bool:
        """Whether its optional fields fit one another; signatures are another matter."""
        said, handover = self.statement, self.statement.handover
        if said.since is not None and not 1 <= int(said.since) < said.number:
            return False
        if handover is None:
            return self.countersignature is None
        old_and_new = _KEY.fullmatch(handover.old) and _KEY.fullmatch(handover.new) and handover.old != handover.new
        named = self.key == keys.fingerprint(keys.of_raw(handover.old)) if old_and_new else False
        return named and (said.since or 0) < int(handover.ended) <= said.number + 1


def _is_signed(key: Ed25519PublicKey, signature: str, data: bytes) -> bool:
    if not _SIGNATURE.fullmatch(signature):
        return False
    try:
        key.verify(bytes.fromhex(signature), data)
    except InvalidSignature:
        return False
    return True


def seal_name(number: int) -> str:
    """File name of a seal."""
    return f"{number:08d}.json"


def is_seal(name: str) -> bool:
    """Whether a file name is that of a seal."""
    return _NAME.fullmatch(name) is not None


def numbers(log: Log) -> list[int]:
    """Numbers of the seals that are there, in order."""
    return [int(match[1]) for match in map(_NAME.fullmatch, log.seals.list()) if match]


def read_all(log: Log) -> Iterator[Seal]:
    """The seals, in order.

    Raises:
        SealError: if a file is none.
    """
    for number in numbers(log):
        yield Seal.parse(log.seals.read_bytes(seal_name(number)), seal_name(number))


def read(log: Log, number: int) -> Seal:
    """The seal of a number.

    Raises:
        SealError: if its file is none.
        FileNotFoundError: if there is none of this number.
    """
    return Seal.parse(log.seals.read_bytes(seal_name(number)), seal_name(number))


def newest(log: Log) -> Seal | None:
    """The newest seal.

    Raises:
        SealError: if its file is none.
    """
    there = numbers(log)
    return read(log, there[-1]) if there else None


def handovers(log: Log) -> tuple[Seal, ...]:
    """The seals that changed the key, oldest first, found from the newest seal back.

    Raises:
        SealError: if one of them is none, or is not there.
    """
    found: list[Seal] = []
    try:
        seal = newest(log)
        while seal is not None:
            if seal.statement.handover:
                found.append(seal)
            seal = read(log, seal.statement.since) if seal.statement.since else None
    except FileNotFoundError:
        raise SealError("found no seal of a number that a later one names, needed all; run larmor verify") from None
    return tuple(reversed(found))
