"""Seals: signed statements of how far the ledger had come and what it held, for a reader who trusts nobody.

Belongs here: making and reading seals. A seal is a small JSON file in `audit/seals` that names size and root of the
tree, the commit, and the seal before it, signed with Ed25519; copied outside, it proves that no entry up to its size
was changed since. Judging the log against its seals is `lineage.ledger.verify`.
"""

import contextlib
import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lake.tables.table import LakeTable
from lake.zones import Lake
from lineage.ledger import anchors, commits, keys, leftovers
from lineage.ledger.commits import LedgerDamaged, Log, Tip
from lineage.ledger.findings import check_entries
from lineage.ledger.merkle import Frontier
from lineage.ledger.tiles import Tiles
from lineage.principal import now
from schemas.document import canonical_json
from schemas.tables import LEDGER

_DOMAIN = b"larmor ledger seal v1\n"
"""Stands before what is signed, so that no other statement signed by the same key can pass as a seal."""

_NAME = re.compile(r"(\d{8})\.json")
_TRIES = 50


class SealError(ValueError):
    """There is nothing to seal, or a seal is not one; the message says what was found and needed."""


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
    """

    genesis: str
    number: int
    previous: str
    size: int
    root: str
    version: int
    commit: str
    time: str

    @property
    def signed(self) -> bytes:
        """The bytes that are signed."""
        return _DOMAIN + canonical_json(asdict(self)).encode()


@dataclass(frozen=True)
class Seal:
    """A signed statement.

    Attributes:
        statement: what it says.
        key: fingerprint of the key that signed.
        signature: 64 bytes, hexadecimal.
    """

    statement: Statement
    key: str
    signature: str

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
        return (canonical_json(asdict(self)) + "\n").encode()

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
            seal = cls(Statement(**said.pop("statement")), **said)
            same = seal.data == data and seal.name == name
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            same = False
        if not same:
            raise SealError(f"{name}: found bytes that no seal of this number has, needed the seal as it was signed")
        return seal

    def valid(self, public_key: Ed25519PublicKey) -> bool:
        """Whether the key signed it."""
        if self.key != keys.fingerprint(public_key) or not re.fullmatch(r"[0-9a-f]{128}", self.signature):
            return False
        try:
            public_key.verify(bytes.fromhex(self.signature), self.statement.signed)
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


def seal(lake: Lake) -> Seal:
    """Check what was appended since the last seal, and seal it; without news, the last seal.

    Also brings the head up to date and removes what killed writers left. May run in any number of processes at once.
    A seal stands once it lies beside the log: an anchor that cannot be reached undoes no seal, gets this one with the
    next, and is told by `larmor seal` and `larmor verify`.

    Raises:
        SealError: if the ledger is empty, or the last seal was signed by another key.
        lineage.ledger.commits.LedgerDamaged: if what is to be sealed does not hold.
        lineage.ledger.keys.KeyFileError: if the private key cannot be used.
    """
    log = Log.of(lake)
    made = _sealed(log, lake.table(LEDGER), signer(lake))
    with contextlib.suppress(OSError):
        anchors.copy(log, anchors.places(lake.settings))
    return made


def signer(lake: Lake) -> Ed25519PrivateKey:
    """The key that signs, whose public half lies beside the seals.

    Raises:
        SealError: if it is another than the one that signed before.
        lineage.ledger.keys.KeyFileError: if it cannot be used.
    """
    key = keys.private_key(lake)
    _publish(Log.of(lake), key.public_key())
    return key


def _sealed(log: Log, table: LakeTable, key: Ed25519PrivateKey) -> Seal:
    for _ in range(_TRIES):
        newest = commits.confirm(log)
        if newest.frontier.size == 0:
            raise SealError("found an empty ledger, needed an event to seal; run a delivery first")
        last = _last(log, key.public_key())
        if last and last.statement.size == newest.frontier.size:
            return last
        _check_since(log, last, newest)
        leftovers.sweep(log, table, newest.frontier.size)
        made = _sign(log, key, last, newest)
        try:
            log.seals.create(made.name, made.data)
        except FileExistsError:
            continue  # another process sealed at the same moment: look at what it left unsealed
        return made
    raise SealError(f"found {_TRIES} seals by others in a row, needed one try without; try again")


def _publish(log: Log, key: Ed25519PublicKey) -> None:
    pem = keys.public_pem(key)
    if not log.seals.exists(keys.PUBLIC_NAME):
        with contextlib.suppress(FileExistsError):  # another process wrote it at the same moment; compared below
            log.seals.create(keys.PUBLIC_NAME, pem)
    if log.seals.read_bytes(keys.PUBLIC_NAME) != pem:
        raise SealError(
            f"found a {keys.PUBLIC_NAME} of another key beside the seals, needed the key that signed before; "
            "restore the private key, or set LARMOR_SEAL_KEY_FILE to it"
        )


def _last(log: Log, key: Ed25519PublicKey) -> Seal | None:
    there = numbers(log)
    if not there:
        return None
    name = seal_name(there[-1])
    last = Seal.parse(log.seals.read_bytes(name), name)
    if not last.valid(key):
        raise SealError(f"{name}: found a signature that this key did not make, needed a valid seal; run larmor verify")
    return last


def _check_since(log: Log, last: Seal | None, newest: Tip) -> None:
    """Check every commit and entry between the last seal and the tip; what was sealed before is not read again.

    Tiles that reach the last seal are brought up to this one; others are left to whoever asks for a proof.
    """
    tiles, size = Tiles(log.tiles), last.size if last else 0
    leaves = _leaves_since(log, last, newest)
    if tiles.reach(size):
        tiles.extend(size, leaves)
    else:
        deque(leaves, maxlen=0)


def _leaves_since(log: Log, last: Seal | None, newest: Tip) -> Iterator[bytes]:
    before = Tip(-1, "", Frontier(), newest.head)
    if last:
        said = last.statement
        commit = commits.parse(said.version, log.read(said.version)) if log.has(said.version) else None
        if commit is None or (commit.sha256, commit.frontier.root.hex()) != (said.commit, said.root):
            raise LedgerDamaged(f"{commits.commit_name(said.version)}: found another commit than {last.name} sealed")
        before = Tip(said.version, commit.sha256, commit.frontier, newest.head)
    frontier = before.frontier
    for commit in log.after(before):
        if commit.version > newest.version:
            break
        if commit.part is not None:
            yield from check_entries(log, commit, frontier)
        frontier = commit.frontier
    if frontier != newest.frontier:
        raise LedgerDamaged("found fewer commits than the newest seal or the head says, needed all of them")


def _sign(log: Log, key: Ed25519PrivateKey, last: Seal | None, newest: Tip) -> Seal:
    statement = Statement(
        genesis=sha256(log.read(0)).hexdigest(),
        number=last.statement.number + 1 if last else 1,
        previous=last.sha256 if last else "",
        size=newest.frontier.size,
        root=newest.frontier.root.hex(),
        version=newest.version,
        commit=newest.sha256,
        time=now(),
    )
    return Seal(statement, keys.fingerprint(key.public_key()), key.sign(statement.signed).hex())
