"""The scrub: files read again and compared with the digest they had, a share at a time, and restored from a copy.

Belongs here: choosing the share, comparing, marking what differs, restoring. Which files there are and what they must
be is `lake.integrity.watched`; the record on the ledger is the caller's. Nothing that differs is moved or deleted: a
table would fail for readers of other rows, too. It is marked, and replaced at once by its copy where there is one,
whose digest is checked first; the damaged bytes are then kept in the restricted zone.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from lake.integrity.copies import copies, fetched
from lake.integrity.watched import STATE, UnreadableLog, Watched, location, logs, others, part_files, received
from lake.stores.storage import Location
from lake.zones import Lake
from schemas.contract import Zone
from schemas.document import canonical_json
from schemas.tables import TABLES

_ROUND, _MARKS, _KNOWN, _DAMAGED = "round.json", "marks.json", "known.json", "damaged"
_CHUNK = 1 << 20


class Fault(StrEnum):
    """What can be wrong with a file."""

    DAMAGED = "damaged"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Finding:
    """A file that is not what it was.

    Attributes:
        place: the zone, or `landing`.
        name: its path there; PHI where the place is landing or restricted, for no log and no message.
        table: path of the table that it belongs to; None: it is no part of one.
        fault: what is wrong.
        restored: whether it was replaced by its copy.
    """

    place: str
    name: str
    table: str | None
    fault: Fault
    restored: bool

    @property
    def shown(self) -> str:
        """How a person may be told of it: the path where it holds no PHI, the place alone where it might."""
        return f"{self.place}/{self.name}" if self.table or self.place in ("curated", "models") else self.place


@dataclass(frozen=True)
class Scrubbed:
    """What a scrub did.

    Attributes:
        round: which share it read, from 0.
        rounds: shares that all files are cut into.
        files: files read.
        bytes: their size.
        recorded: of these, files whose digest nobody had said, so that it is remembered from now on.
        findings: files that are not what they were.
    """

    round: int
    rounds: int
    files: int
    bytes: int
    recorded: int
    findings: tuple[Finding, ...]

    @property
    def left(self) -> list[Finding]:
        """Findings that no copy has healed."""
        return [finding for finding in self.findings if not finding.restored]


class _State:
    """What scrubs remember, in small files that are replaced as a whole."""

    def __init__(self, lake: Lake) -> None:
        self._folder = lake.location(Zone.RESTRICTED, STATE)
        self.round: int = self._read(_ROUND, {"next": 0})["next"]
        self.known: dict[str, str] = self._read(_KNOWN, {})
        self.marks: dict[str, dict[str, str]] = self._read(_MARKS, {})

    def _read(self, name: str, default: dict) -> dict:  # type: ignore[type-arg]
        try:
            found = json.loads(self._folder.read_bytes(name))
        except FileNotFoundError:
            return default
        except ValueError:
            return default  # damaged itself: remembering begins anew
        return found if isinstance(found, dict) else default

    def keep(self, next_round: int) -> None:
        self._folder.write_bytes(_KNOWN, canonical_json(self.known).encode())
        self._folder.write_bytes(_MARKS, canonical_json(self.marks).encode())
        # last: a scrub that was killed is done again
        self._folder.write_bytes(_ROUND, canonical_json({"next": next_round}).encode())

    def forget(self, there: set[str]) -> None:
        """Forget files that a clean-up or a withdrawal removed."""
        self.known = {key: digest for key, digest in self.known.items() if key in there}
        self.marks = {key: mark for key, mark in self.marks.items() if key in there}

    def set_aside(self, sha256: str, data: bytes) -> None:
        self._folder.join(_DAMAGED).write_bytes(sha256, data)


def scrub(lake: Lake, *, everything: bool = False, report: Callable[[str], None] = lambda _: None) -> Scrubbed:
    """Read a share of the files and compare them with their digests; files that are marked are read each time.

    The share goes round by the digest of the path and a counter, never by a clock: `LARMOR_SCRUB_ROUNDS` scrubs read
    everything once.

    Args:
        lake: the lake.
        everything: read all files at once.
        report: takes a line that tells a person how far it is.
    """
    state, rounds = _State(lake), 1 if everything else lake.settings.scrub_rounds
    number = state.round % rounds
    sources, findings = copies(lake.settings), dict[str, Finding]()
    files = size = recorded = 0
    seen = set[str]()
    for watched in _all(lake, findings):
        key = f"{watched.place}/{watched.name}"
        seen.add(key)
        if key not in state.marks and watched.bytes is not None and _share(key, rounds) != number:
            continue
        wanted = watched.sha256 or state.known.get(key)
        found = location(lake, watched.place).sha256(watched.name)
        files, size = files + 1, size + (watched.bytes or 0)
        if found is not None and wanted is None:
            state.known[key] = found
            recorded += 1
        elif found != wanted:
            findings[key] = _treat(lake, watched, wanted, found, sources, state)
        if key not in findings or findings[key].restored:
            state.marks.pop(key, None)
        else:
            state.marks[key] = {"fault": findings[key].fault, "table": watched.table or ""}
        if files % 1000 == 0:
            report(f"{files} files read")
    if not any(finding.fault is Fault.UNREADABLE for finding in findings.values()):
        state.forget(seen)
    state.keep(number + 1 if not everything else state.round)
    return Scrubbed(number, rounds, files, size, recorded, tuple(findings.values()))


def forget(lake: Lake, prefix: str) -> None:
    """Forget the digests of files that are about to be written anew by their owner, so that no copy replaces them.

    Args:
        lake: the lake.
        prefix: zone and path that they begin with.
    """
    state = _State(lake)
    state.forget({key for key in {**state.known, **state.marks} if not key.startswith(prefix)})
    state.keep(state.round)


def marked(lake: Lake) -> list[Finding]:
    """Files that are known to be not what they were and are not restored yet."""
    found = []
    for key, mark in _State(lake).marks.items():
        place, _, name = key.partition("/")
        found.append(Finding(place, name, mark["table"] or None, Fault(mark["fault"]), restored=False))
    return found


def _all(lake: Lake, findings: dict[str, Finding]) -> Iterator[Watched]:
    """Every watched file; logs come first, so that they are restored before they are needed."""
    yield from logs(lake)
    for contract in TABLES:
        yield from _readable(lambda contract=contract: part_files(lake, contract), contract.path, findings)  # type: ignore[misc]
    yield from others(lake)
    yield from _readable(lambda: received(lake), "restricted/received", findings)


def _readable(give: Callable[[], Iterable[Watched]], table: str, findings: dict[str, Finding]) -> Iterator[Watched]:
    try:
        yield from give()
    except UnreadableLog:
        place, _, name = table.partition("/")
        findings[table] = Finding(place, name, table, Fault.UNREADABLE, restored=False)


def _share(key: str, rounds: int) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % rounds


def _treat(
    lake: Lake, watched: Watched, wanted: str | None, found: str | None, sources: list[Location], state: _State
) -> Finding:
    fault = Fault.MISSING if found is None else Fault.DAMAGED
    data = fetched(sources, watched.place, watched.name, wanted) if wanted else None
    if data is not None:
        place = location(lake, watched.place)
        if found is not None:
            state.set_aside(found, place.read_bytes(watched.name))
        place.write_bytes(watched.name, data)
    return Finding(watched.place, watched.name, watched.table, fault, restored=data is not None)


def summed(scrubbed: Scrubbed) -> dict[str, int]:
    """Findings by what is wrong, and how many were restored."""
    counts = {str(fault): sum(f.fault is fault for f in scrubbed.findings) for fault in Fault}
    return counts | {"restored": sum(f.restored for f in scrubbed.findings), "recorded": scrubbed.recorded}


def by_table(scrubbed: Scrubbed) -> dict[str, int]:
    """Findings by table, those of other files left out."""
    named = [finding.table for finding in scrubbed.findings if finding.table]
    return {table: named.count(table) for table in sorted(set(named))}


def facts(scrubbed: Scrubbed) -> dict[str, Any]:
    """A scrub as plain facts, paths only where they hold no PHI."""
    shown = [{"file": f.shown, "fault": str(f.fault), "restored": f.restored} for f in scrubbed.findings]
    own = {name: value for name, value in asdict(scrubbed).items() if name != "findings"}
    return {**own, **summed(scrubbed), "findings": shown}
