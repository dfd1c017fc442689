"""The ledger's commits as the bytes that lie on disk: what each says of itself, and the newest one.

Belongs here: reading `audit/ledger` and `audit/seals/head.json` without trusting any library to open a table that may
have been edited. Each commit of the ledger records, beside the part file that it adds, the SHA-256 of that file, the
SHA-256 of the commit before it, and the Merkle tree after it; the head records the newest commit. Writing is
`lineage.ledger`, judging `lineage.ledger.verify`.
"""

import bisect
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.ledger.merkle import Frontier
from schemas.contract import Zone
from schemas.document import canonical_json
from schemas.tables import LEDGER

RECORD = "larmor.ledger"
"""Key of the record in the commit's `commitInfo`."""

HEAD = "head.json"
"""File in `audit/seals` that holds the newest commit's digest, for which there is no later commit to hold it."""

LOG_FOLDER = "_delta_log"

_COMMIT_NAME = re.compile(r"(\d{20})\.json")
_HEX = re.compile(r"[0-9a-f]{64}")


class LedgerDamaged(RuntimeError):
    """The ledger is not what its own records say; the message names the file. `larmor verify` says more."""


@dataclass(frozen=True)
class Commit:
    """One commit of the ledger.

    Attributes:
        version: its number.
        sha256: digest of its bytes.
        previous: digest of the commit before it; None in the first, which makes the table.
        part: name of the part file that it adds; None in the first.
        part_sha256: digest of that file; None in the first.
        first: leaves of the tree before it.
        frontier: the tree after it.
    """

    version: int
    sha256: str
    previous: str | None
    part: str | None
    part_sha256: str | None
    first: int
    frontier: Frontier

    @property
    def entries(self) -> range:
        """Sequence numbers of the entries that it adds."""
        return range(self.first, self.frontier.size)


@dataclass(frozen=True)
class Head:
    """The newest commit that is confirmed.

    Attributes:
        version: its number; -1: the table is not made yet.
        sha256: digest of its bytes; empty at -1.
        size: leaves of the tree.
        root: root of the tree, hexadecimal.
    """

    version: int = -1
    sha256: str = ""
    size: int = 0
    root: str = Frontier().root.hex()

    @property
    def data(self) -> bytes:
        """The head's file."""
        return (canonical_json(vars(self)) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> "Head":
        """The head in a file.

        Raises:
            LedgerDamaged: if the file is not, to the byte, one that this project writes.
        """
        try:
            head = cls(**json.loads(data))
            same = head.data == data
        except (ValueError, TypeError):
            same = False
        if not same:
            raise LedgerDamaged(f"{HEAD}: found bytes that no head has, needed the newest commit's digest")
        return head


@dataclass(frozen=True)
class Tip:
    """The newest commit, and what must be known to append to it.

    Attributes:
        version: newest version; -1: the table is not made yet.
        sha256: digest of that commit.
        frontier: the tree.
        head: the head, which may lag behind after a crash or during another's append.
    """

    version: int
    sha256: str
    frontier: Frontier
    head: Head

    @property
    def as_head(self) -> Head:
        """The head that confirms this tip."""
        return Head(self.version, self.sha256, self.frontier.size, self.frontier.root.hex())


@dataclass(frozen=True)
class Log:
    """Where a ledger, its seals and the tiles of its tree lie."""

    ledger: Location
    seals: Location
    tiles: Location
    commits: Location = field(init=False)

    def __post_init__(self) -> None:
        """Derive the folder of the commits."""
        object.__setattr__(self, "commits", self.ledger.join(LOG_FOLDER))

    @classmethod
    def of(cls, lake: Lake | Path | str) -> "Log":
        """The ledger of a lake, or of an audit zone that was handed over as a folder or an `s3://` URI."""
        audit = lake.location(Zone.AUDIT) if isinstance(lake, Lake) else Location(lake)
        return cls(audit.join(LEDGER.name), audit.join("seals"), audit.join("tiles"))

    def read(self, version: int) -> bytes:
        """Bytes of a commit.

        Raises:
            FileNotFoundError: if there is none of this number.
        """
        return self.commits.read_bytes(commit_name(version))

    def has(self, version: int) -> bool:
        """Whether there is a commit of this number."""
        try:
            self.commits.about(commit_name(version))
        except FileNotFoundError:
            return False
        return True

    def holding(self, sequence: int, newest: int) -> Commit:
        """The commit that adds an entry, found among those up to `newest` by halves.

        Raises:
            LedgerDamaged: if a commit on the way cannot be read.
            FileNotFoundError: if one is not there.
        """

        def first(version: int) -> int:
            return parse(version, self.read(version)).first

        version = bisect.bisect_right(range(1, newest + 1), sequence, key=first)
        return parse(version, self.read(version))

    def after(self, tip: Tip) -> Iterator[Commit]:
        """Commits after a tip, in order, each chained to the one before.

        Raises:
            LedgerDamaged: if one cannot be read or is not chained to the one before.
        """
        version, before = tip.version + 1, tip
        while self.has(version):
            commit = parse(version, self.read(version))
            if (version > 0 and commit.previous != before.sha256) or commit.first != before.frontier.size:
                raise LedgerDamaged(f"{commit_name(version)}: found another commit before it than it was written after")
            yield commit
            before = Tip(version, commit.sha256, commit.frontier, before.head)
            version += 1


def commit_name(version: int) -> str:
    """File name of a commit in the Delta log."""
    return f"{version:020d}.json"


def commit_version(name: str) -> int | None:
    """Version of a commit by its file name; None: no name of a commit."""
    match = _COMMIT_NAME.fullmatch(name)
    return int(match[1]) if match else None


def record(previous: str, part_sha256: str, first: int, frontier: Frontier) -> dict[str, str]:
    """What a commit says of itself, as metadata for `lake.tables.table.LakeTable.append`."""
    said = {
        "first": first,
        "frontier": [node.hex() for node in frontier.hashes],
        "part": part_sha256,
        "previous": previous,
        "root": frontier.root.hex(),
        "size": frontier.size,
    }
    return {RECORD: canonical_json(said)}


def parse(version: int, data: bytes) -> Commit:
    """What a commit says.

    Raises:
        LedgerDamaged: if it is not a commit as `lineage.ledger` makes them.
    """
    digest, name = hashlib.sha256(data).hexdigest(), commit_name(version)
    try:
        actions = [json.loads(line) for line in data.decode("utf-8").splitlines() if line]
        kinds = sorted(kind for action in actions for kind in action)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise LedgerDamaged(f"{name}: found no valid commit, needed one JSON object a line") from None
    if version == 0 and kinds == ["commitInfo", "metaData", "protocol"]:
        return Commit(0, digest, None, None, None, 0, Frontier())
    if version == 0 or kinds != ["add", "commitInfo"]:
        raise LedgerDamaged(f"{name}: found actions {kinds}, needed one add and its commitInfo: nothing but appends")
    try:
        return _parse_append(version, digest, {kind: action[kind] for action in actions for kind in action})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise LedgerDamaged(f"{name}: found no record of the part file and the tree, needed {RECORD}") from None


def _parse_append(version: int, digest: str, actions: dict[str, Any]) -> Commit:
    said = json.loads(actions["commitInfo"][RECORD])
    part = actions["add"]["path"]
    frontier = Frontier(said["size"], tuple(bytes.fromhex(node) for node in said["frontier"]))
    digests = (said["previous"], said["part"], said["root"], *said["frontier"])
    if not all(map(_HEX.fullmatch, digests)) or said["root"] != frontier.root.hex() or not isinstance(part, str):
        raise ValueError
    if not 0 <= said["first"] < frontier.size:
        raise ValueError
    return Commit(version, digest, said["previous"], part, said["part"], said["first"], frontier)


def tip(log: Log) -> Tip:
    """The newest commit, found from the head on.

    Raises:
        LedgerDamaged: if the head does not fit its commit, or a later commit is not chained to it.
    """
    made = log.has(0)  # asked before the head is read: whoever makes the table writes a head first
    try:
        head = Head.parse(log.seals.read_bytes(HEAD))
    except FileNotFoundError:
        if made:
            raise LedgerDamaged(f"found no {HEAD}, needed the newest commit's digest beside the seals") from None
        head = Head()
    newest = _confirmed(log, head)
    for commit in log.after(newest):
        newest = Tip(commit.version, commit.sha256, commit.frontier, head)
    return newest


def confirm(log: Log) -> Tip:
    """Bring the head up to the newest commit, also after a crash or a race with another writer.

    A writer that was overtaken may put an older head over a newer one, so each looks again after it wrote; whoever
    writes last sees the newest commit and leaves its digest.

    Raises:
        LedgerDamaged: as `tip`.
    """
    while True:
        newest = tip(log)
        if newest.head == newest.as_head:
            return newest
        # the commit lies on the disk by now: a head that a power failure takes back is brought up by the next writer
        log.seals.write_bytes(HEAD, newest.as_head.data, settled=False)


def _confirmed(log: Log, head: Head) -> Tip:
    if head.version < 0:
        return Tip(-1, "", Frontier(), head)
    try:
        commit = parse(head.version, log.read(head.version))
    except FileNotFoundError:
        raise LedgerDamaged(
            f"found no {commit_name(head.version)}, needed it: {HEAD} says that the log reached it"
        ) from None
    newest = Tip(commit.version, commit.sha256, commit.frontier, head)
    if newest.as_head != head:
        raise LedgerDamaged(f"{commit_name(head.version)}: found other bytes than {HEAD} says, needed those")
    return newest
