"""Making seals: signed statements of how far the ledger had come and what it held, for a reader who trusts nobody.

Belongs here: when a seal is made and what is checked before. What it says is `lineage.ledger.statements`, changing the
key that signs `lineage.ledger.rotation`, judging the log against its seals `lineage.ledger.verify`.
"""

import contextlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lake.tables.table import LakeTable
from lake.zones import Lake
from lineage.ledger import anchors, commits, keys, ledger, leftovers
from lineage.ledger.commits import LedgerDamaged, Log, Tip
from lineage.ledger.events import EventType
from lineage.ledger.findings import check_entries
from lineage.ledger.merkle import Frontier
from lineage.ledger.statements import Handover, KeyTurned, Seal, SealError, Statement, newest
from lineage.ledger.tiles import Tiles
from lineage.principal import now
from schemas.tables import LEDGER

_TRIES = 50


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
    try:
        return complete(lake, signer(lake))
    except KeyTurned:
        # another process may have changed the key meanwhile; where it did not, this says so again
        return complete(lake, signer(lake))


def complete(lake: Lake, key: Ed25519PrivateKey) -> Seal:
    """Record a change of key that is not recorded yet, seal with a key, and copy to the anchors; see `seal`."""
    log = Log.of(lake)
    _record_handover(lake, log)
    made = sealed(log, lake.table(LEDGER), key)
    with contextlib.suppress(OSError):
        anchors.copy(log, anchors.places(lake.settings))
    return made


def signer(lake: Lake) -> Ed25519PrivateKey:
    """The key that signs now, whose first predecessor's public half lies beside the seals.

    Raises:
        SealError: if it is another than the one that signed before, or was handed over to.
        lineage.ledger.keys.KeyFileError: if it cannot be used.
    """
    log = Log.of(lake)
    last = newest(log)
    key = keys.private_key(lake, _wanted(log, last))
    _publish(log, last, key.public_key())
    return key


def sealed(
    log: Log,
    table: LakeTable,
    key: Ed25519PrivateKey,
    successor: Ed25519PrivateKey | None = None,
    ended: int | None = None,
) -> Seal:
    """The seal that a key makes of what there is; without news, the last one.

    Args:
        log: where it lies.
        table: the ledger's table.
        key: signs.
        successor: key that takes over; the seal is then made without news, too. None: the same key goes on.
        ended: see `Handover`; None: the number after this seal's.

    Raises:
        SealError: if there is nothing to seal, or the key is not the one whose turn it is.
        lineage.ledger.commits.LedgerDamaged: if what is to be sealed does not hold.
    """
    for _ in range(_TRIES):
        tip = commits.confirm(log)
        if tip.frontier.size == 0:
            raise SealError("found an empty ledger, needed an event to seal; run a delivery first")
        last = _last(log, key.public_key())
        if last and last.statement.size == tip.frontier.size and successor is None:
            return last
        _check_since(log, last, tip)
        leftovers.sweep(log, table, tip.frontier.size)
        made = _sign(key, _statement(log, last, tip), successor, ended)
        try:
            log.seals.create(made.name, made.data)
        except FileExistsError:
            continue  # another process sealed at the same moment: look at what it left unsealed
        return made
    raise SealError(f"found {_TRIES} seals by others in a row, needed one try without; try again")


def _record_handover(lake: Lake, log: Log) -> None:
    """Append the event of a change of key, unless it is there; the next seal covers it."""
    last = newest(log)
    handover = last.statement.handover if last else None
    if last is None or handover is None:
        return
    told = (json.loads(entry["event"]) for entry in ledger.entries(lake, last.size))
    if any(e["type"] == EventType.KEY_CHANGED and e["facts"].get("content_sha256") == last.sha256 for e in told):
        return
    number = last.statement.number
    facts = {
        "kind": "seal",
        "action": "rotated" if handover.ended > number else "revoked",
        "key_sha256": keys.fingerprint(keys.of_raw(handover.new)),
        "previous_key_sha256": last.key,
        "first": handover.ended,
        "version": number,
        "content_sha256": last.sha256,
    }
    ledger.append(lake, EventType.KEY_CHANGED, facts)


def _wanted(log: Log, last: Seal | None) -> str | None:
    """Fingerprint of the key whose turn it is; None: nobody has signed yet."""
    if last is None:
        with contextlib.suppress(FileNotFoundError, keys.KeyFileError):
            return keys.fingerprint(keys.read_public(log.seals.read_bytes(keys.PUBLIC_NAME)))
        return None
    handover = last.statement.handover
    if handover is None:
        return last.key
    if not last.valid(keys.of_raw(handover.old)):  # nothing may replace a key on the word of a file that anybody wrote
        raise SealError(f"{last.name}: found a change of key that the keys did not sign; run larmor verify")
    return keys.fingerprint(keys.of_raw(handover.new))


def _publish(log: Log, last: Seal | None, key: Ed25519PublicKey) -> None:
    """Leave the first key's public half beside the seals, and refuse a key whose turn it is not."""
    changed = last is not None and (last.statement.since or last.statement.handover)
    if last and _wanted(log, last) != keys.fingerprint(key):
        raise SealError(
            f"found another key than the one that signs after {last.name}, needed that one; restore it, or set "
            "LARMOR_SEAL_KEY_FILE or LARMOR_SEAL_KEY_SECRET to it"
        )
    if changed:
        return  # the first key was published when it signed; whether it is still there is for verify to say
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
    """The last seal, if it leaves the next one to this key."""
    last = newest(log)
    if last is None:
        return None
    handover = last.statement.handover
    signed_by = keys.of_raw(handover.old) if handover else key
    if not last.valid(signed_by) or (handover and handover.new != keys.raw(key)):
        raise KeyTurned(
            f"{last.name}: found a signature that this key did not make, or a change to another key, needed the key "
            "whose turn it is; run larmor verify"
        )
    return last


def _check_since(log: Log, last: Seal | None, tip: Tip) -> None:
    """Check every commit and entry between the last seal and the tip; what was sealed before is not read again.

    Tiles that reach the last seal are brought up to this one; others are left to whoever asks for a proof.
    """
    tiles, size = Tiles(log.tiles), last.size if last else 0
    leaves = _leaves_since(log, last, tip)
    if tiles.reach(size):
        tiles.extend(size, leaves)
    else:
        deque(leaves, maxlen=0)


def _leaves_since(log: Log, last: Seal | None, tip: Tip) -> Iterator[bytes]:
    before = Tip(-1, "", Frontier(), tip.head)
    if last:
        said = last.statement
        commit = commits.parse(said.version, log.read(said.version)) if log.has(said.version) else None
        if commit is None or (commit.sha256, commit.frontier.root.hex()) != (said.commit, said.root):
            raise LedgerDamaged(f"{commits.commit_name(said.version)}: found another commit than {last.name} sealed")
        before = Tip(said.version, commit.sha256, commit.frontier, tip.head)
    frontier = before.frontier
    for commit in log.after(before):
        if commit.version > tip.version:
            break
        if commit.part is not None:
            yield from check_entries(log, commit, frontier)
        frontier = commit.frontier
    if frontier != tip.frontier:
        raise LedgerDamaged("found fewer commits than the newest seal or the head says, needed all of them")


def _statement(log: Log, last: Seal | None, tip: Tip) -> Statement:
    since = None
    if last:
        since = last.statement.number if last.statement.handover else last.statement.since
    return Statement(
        genesis=sha256(log.read(0)).hexdigest(),
        number=last.statement.number + 1 if last else 1,
        previous=last.sha256 if last else "",
        size=tip.frontier.size,
        root=tip.frontier.root.hex(),
        version=tip.version,
        commit=tip.sha256,
        time=now(),
        since=since,
    )


def _sign(key: Ed25519PrivateKey, statement: Statement, successor: Ed25519PrivateKey | None, ended: int | None) -> Seal:
    public = key.public_key()
    if successor is None:
        return Seal(statement, keys.fingerprint(public), key.sign(statement.signed).hex())
    first = (statement.since or 0) + 1
    ended = statement.number + 1 if ended is None else ended
    if not first <= ended <= statement.number + 1:
        raise SealError(
            f"found seal {ended} to end the key from, needed one that it signed, from {first} on, or the next"
        )
    handover = Handover(keys.raw(public), keys.raw(successor.public_key()), ended)
    statement = replace(statement, handover=handover)
    countersignature = successor.sign(statement.countersigned).hex()
    return Seal(statement, keys.fingerprint(public), key.sign(statement.signed).hex(), countersignature)
