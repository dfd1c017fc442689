"""What anchors hold against the seals of the log: a log that was cut back or made anew lacks a seal that they have.

Belongs here: reading anchors, and the comparison. Where they are, and what is copied, is `lineage.ledger.anchors`.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lake.stores.storage import Location
from lineage.ledger import keys
from lineage.ledger.commits import Log
from lineage.ledger.findings import Finding
from lineage.ledger.statements import Seal, SealError, is_seal
from lineage.ledger.succession import Succession


@dataclass(frozen=True)
class Held:
    """What an anchor holds.

    Attributes:
        names: its files.
        newest: its newest seal, which names the seal before it, and so on down to the first; None: it has none.
        key: its public key file; None: it has none.
        finding: why the others are not known.
        place: where it lies; None: not known.
    """

    names: frozenset[str] = frozenset()
    newest: Seal | None = None
    key: bytes | None = None
    finding: Finding | None = None
    place: Location | None = None


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
    return Held(names, newest, key, place=anchor)


def compare(
    held: Sequence[Held], succession: Succession | None, ours: Mapping[str, Seal]
) -> tuple[list[Seal], list[Finding]]:
    """The seals that anchors hold and the log has not, and what is wrong.

    Args:
        held: what the anchors hold.
        succession: the keys of the log.
        ours: file name to seal, of the seals of the log that hold.
    """
    lost: list[Seal] = []
    findings = [each.finding for each in held if each.finding]
    for each in held:
        if each.key is not None and (succession is None or each.key != keys.public_pem(succession.first)):
            findings.append(Finding(f"an anchor's {keys.PUBLIC_NAME}", "another key", "that of the first seal"))
        newest = each.newest
        mine = ours.get(newest.name) if newest else None
        if newest is None or (mine and mine.data == newest.data):
            continue
        if succession is None or _known(succession, each, ours).fault(newest):
            findings.append(
                Finding(f"an anchor's {newest.name}", "a signature that the public key did not make", "ours")
            )
            continue
        found, how = ("another seal", "made anew") if mine else ("no such seal", "cut back")
        findings.append(Finding(f"seals/{newest.name}", found, f"the one that an anchor holds: the log was {how}"))
        lost.append(newest)
    return lost, findings


def told(log: Log, held: Sequence[Held]) -> list[Finding]:
    """What is wrong with anchors after a seal was made; each is looked at as far as its newest seal and its key."""
    key = log.seals.read_bytes(keys.PUBLIC_NAME)
    findings = [each.finding for each in held if each.finding]
    for each in held:
        newest = each.newest
        if each.key is not None and each.key != key:
            findings.append(Finding(f"an anchor's {keys.PUBLIC_NAME}", "another log's key", "that of these seals"))
        elif newest and _differs(log, newest):
            findings.append(Finding(f"an anchor's {newest.name}", "another seal", "the one of this log"))
    return findings


def _differs(log: Log, seal: Seal) -> bool:
    try:
        return log.seals.read_bytes(seal.name) != seal.data
    except FileNotFoundError:
        return True


def _known(succession: Succession, held: Held, ours: Mapping[str, Seal]) -> Succession:
    """The keys of the log, and those that seals of an anchor which the log lost handed over to."""
    for name in sorted(held.names - ours.keys()):
        if held.place is None or not is_seal(name):
            continue
        with contextlib.suppress(OSError, SealError):
            seal = Seal.parse(held.place.read_bytes(name), name)
            succession = succession if succession.fault(seal) else succession.after(seal)
    return succession


def unanchored(held: Sequence[Held], ours: Mapping[str, Seal]) -> int:
    """Seals of the log that the anchor which is furthest behind has not got yet."""
    return max((len(ours.keys() - each.names) for each in held), default=0)
