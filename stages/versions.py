"""What other deliveries brought of the same studies, found at a cost that does not grow with the lake.

Belongs here: which deliveries share a study, and telling a file that another delivery keeps from a new one. Which
version of an instance counts is `stages.standing`.
"""

import hashlib
import hmac
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lake.tables.keys import Holders
from lake.zones import Lake
from schemas.tables import RECEIVED
from stages.identity import open_vault

Row = dict[str, Any]


@dataclass(frozen=True)
class Keeper:
    """A file that a delivery keeps.

    Attributes:
        delivery: the delivery.
        row: what `restricted/received` says of the file.
    """

    delivery: str
    row: Row


@dataclass(frozen=True)
class Digests:
    """Keyed digests that stand for an instance and a version of it in the curated zone."""

    identities: bytes
    versions: bytes

    @classmethod
    def of(cls, lake: Lake) -> "Digests":
        """Those of the lake's vault."""
        vault = open_vault(lake)
        return cls(vault.derived(b"instance identity"), vault.derived(b"instance version"))

    def identity(self, sop_uid: str) -> str:
        """What stands for an instance, whoever sends it."""
        return _keyed(self.identities, sop_uid)

    def version(self, version: str) -> str:
        """What stands for a version of it."""
        return _keyed(self.versions, version)


def version_of(data: bytes, digest: str, transfer_syntax: str | None) -> str:
    """Digest of a file's data set, the same whoever wrote the file: its header (PS3.10 7.1) is not counted.

    Args:
        data: the file.
        digest: SHA-256 of it, which stands where it has no header that can be told.
        transfer_syntax: its transfer syntax.
    """
    if not transfer_syntax or data[128:138] != b"DICM\2\0\0\0UL" or len(data) < 144:
        return digest
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    found = hashlib.sha256(transfer_syntax.encode() + b"\0")
    found.update(memoryview(data)[start:])
    return found.hexdigest()


def neighbours(lake: Lake, delivery: str, studies: Iterable[str] | None = None) -> list[str]:
    """Other deliveries that have files of the same studies.

    Args:
        lake: the lake.
        delivery: the delivery.
        studies: Study Instance UIDs; None: those of the files that it was received with.
    """
    table = lake.table(RECEIVED)
    if not table.exists():
        return []
    if studies is None:
        studies = set(table.read(["study_uid"], {"delivery": delivery})["study_uid"].to_pylist()) - {None}
    holders = Holders.open(table, "study_uid")
    return sorted({file.partition["delivery"] for study in studies for file in holders.of(study)} - {delivery})


def keepers(lake: Lake, deliveries: Sequence[str]) -> dict[str, list[Keeper]]:
    """DICOM files that these deliveries keep, by their version."""
    table, found = lake.table(RECEIVED), dict[str, list[Keeper]]()
    columns = ["path", "version", "content", "outcome", "moment", "subject", "study", "series", "instance"]
    for delivery in deliveries:
        for row in table.rows(columns, {"delivery": delivery}):
            if row["outcome"] == "kept" and row["content"] == "dicom":
                found.setdefault(row["version"], []).append(Keeper(delivery, row))
    return found


def tell_known(
    rows: Iterable[Row], known: Mapping[str, Sequence[Keeper]], before: Collection[str], moment: str
) -> None:
    """Mark kept files that another delivery keeps as duplicates of it.

    Of two deliveries that both keep a version, because they were received at the same time, the one received earlier
    goes on keeping it: so that two runs at once never each leave it to the other.

    Args:
        rows: files of a delivery.
        known: what others keep, by version.
        before: versions that this delivery has kept so far.
        moment: when it was received.
    """
    for row in rows:
        if row["outcome"] != "kept" or row["content"] != "dicom":
            continue
        others = known.get(row["version"], ())
        if row["version"] in before:
            others = [other for other in others if (other.row["moment"] or "") < moment]
        if others:
            first = min(others, key=lambda other: (other.row["moment"] or "", other.delivery, other.row["path"]))
            row |= {"outcome": "duplicate", "duplicate_of": first.row["path"], "duplicate_in": first.delivery}


@dataclass(frozen=True)
class Earlier:
    """What a delivery was when it was received before; nothing, the first time.

    Attributes:
        kept: versions that it kept.
        studies: Study Instance UIDs that it had.
    """

    kept: frozenset[str]
    studies: frozenset[str]

    @classmethod
    def of(cls, lake: Lake, delivery: str) -> "Earlier":
        """As `restricted/received` has it now."""
        rows = lake.table(RECEIVED).rows(["version", "outcome", "study_uid"], {"delivery": delivery})
        kept = frozenset(row["version"] for row in rows if row["outcome"] == "kept")
        return cls(kept, frozenset(row["study_uid"] for row in rows if row["study_uid"]))


def leaning(lake: Lake, delivery: str, others: Iterable[str] | None = None) -> list[str]:
    """Deliveries that must be received again: they leave a file to this one, which does not keep it (any more).

    Args:
        lake: the lake.
        delivery: the delivery, which may be gone.
        others: deliveries that come into question; None: those with files of its studies.
    """
    table = lake.table(RECEIVED)
    kept = Earlier.of(lake, delivery).kept
    found = []
    for other in neighbours(lake, delivery) if others is None else others:
        rows = table.rows(["version", "duplicate_in"], {"delivery": other})
        if any(row["duplicate_in"] == delivery and row["version"] not in kept for row in rows):
            found.append(other)
    return found


def astray(lake: Lake, delivery: str) -> int:
    """Files of a delivery that were left to another one, which does not keep them (any more)."""
    rows = lake.table(RECEIVED).rows(["version", "duplicate_in"], {"delivery": delivery})
    left = [(row["duplicate_in"], row["version"]) for row in rows if row["duplicate_in"]]
    known = keepers(lake, sorted({keeper for keeper, _ in left}))
    there = {(keeper.delivery, version) for version, found in known.items() for keeper in found}
    return sum(pair not in there for pair in left)


def _keyed(key: bytes, value: str) -> str:
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:32]
