"""What anchors hold against the seals of the log: a log that was cut back or made anew lacks a seal that they have.

Belongs here: reading anchors, and the comparison. Where they are, and what is copied, is `lineage.ledger.anchors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lake.stores.storage import Location
from lineage.ledger import keys
from lineage.ledger.findings import Finding
from lineage.ledger.seals import Seal, SealError, is_seal


@dataclass(frozen=True)
class Held:
    """What an anchor holds.

    Attributes:
        names: its files.
        newest: its newest seal, which names the seal before it, and so on down to the first; None: it has none.
        key: its public key file; None: it has none.
        finding: why the others are not known.
    """

    names: frozenset[str] = frozenset()
    newest: Seal | None = None
    key: bytes | None = None
    finding: Finding | None = None


def read(anchor: Location) -> Held:
    """Look at an anchor; before the log's own seals, so that one which is made meanwhile is in the log at least."""
    try:
        names = frozenset(anchor.list())
        last = max(filter(is_seal, names), default=None)
        newest = Seal.parse(anchor.read_bytes(last), last) if last else None
        key = anchor.read_bytes(keys.PUBLIC_NAME) if keys.PUBLIC_NAME in names else None
    except OSError:
        return Held(finding=Finding("an anchor", "no answer", "the seals that it keeps"))
    except SealError as error:
        return Held(finding=Finding("an anchor", "no seal", str(error)))
    return Held(names, newest, key)


def compare(
    held: Sequence[Held], key: Ed25519PublicKey | None, ours: Mapping[str, Seal]
) -> tuple[list[Seal], list[Finding]]:
    """The seals that anchors hold and the log has not, and what is wrong.

    Args:
        held: what the anchors hold.
        key: the public key.
        ours: file name to seal, of the seals of the log that hold.
    """
    lost: list[Seal] = []
    findings = [each.finding for each in held if each.finding]
    for each in held:
        seal, name = each.newest, each.newest.name if each.newest else ""
        if each.key is not None and (key is None or each.key != keys.public_pem(key)):
            findings.append(Finding(f"an anchor's {keys.PUBLIC_NAME}", "another key", "that of the seals"))
        if seal is None or ((mine := ours.get(name)) and mine.data == seal.data):
            continue
        if key is None or not seal.valid(key):
            findings.append(Finding(f"an anchor's {name}", "a signature that the public key did not make", "ours"))
            continue
        found, how = ("another seal", "made anew") if mine else ("no such seal", "cut back")
        findings.append(Finding(f"seals/{name}", found, f"the one that an anchor holds: the log was {how}"))
        lost.append(seal)
    return lost, findings


def unanchored(held: Sequence[Held], ours: Mapping[str, Seal]) -> int:
    """Seals of the log that the anchor which is furthest behind has not got yet."""
    return max((len(ours.keys() - each.names) for each in held), default=0)
