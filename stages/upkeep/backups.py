"""Backups with their record: the versions that fit the ledger's head, and the proof of what was restored.

Belongs here: what the ledger's files say of themselves, and the events. Copying is `lake.integrity.backup`.
"""

import json
from dataclasses import dataclass

from lake.integrity.backup import Manifest, Rules, backup, restore
from lake.integrity.scrub import Finding, scrub
from lake.stores.storage import Location
from lake.zones import Lake
from lineage.ledger import statements
from lineage.ledger.commits import HEAD, Log, confirm
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.ledger.verify import Verdict, verify
from schemas.contract import Zone
from schemas.tables import LEDGER, TABLES
from stages.station import Report, silent


@dataclass(frozen=True)
class Restored:
    """A lake made from a backup.

    Attributes:
        manifest: the backup's.
        rows: rows of each table now.
        verdict: what is judged of the ledger.
        findings: files that are not what they were.
    """

    manifest: Manifest
    rows: dict[str, int]
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything proves itself."""
        return self.verdict.ok and not self.findings


def backed_up(lake: Lake, place: Location, *, restricted: bool = True, report: Report = silent) -> tuple[Manifest, int]:
    """Make a backup, and record it; the manifest, and how many files had to be copied.

    Raises:
        lake.integrity.backup.BackupError: if a file is not what its commit says.
        lineage.ledger.commits.LedgerDamaged: if the ledger does not hold.
    """
    manifest, copied = backup(lake, place, _rules(lake), restricted=restricted, report=report)
    append(lake, EventType.BACKED_UP, _facts(manifest))
    return manifest, copied


def restored(place: Location, lake: Lake, name: str | None = None, report: Report = silent) -> Restored:
    """Make a lake from a backup, prove it, and record it.

    Raises:
        lake.integrity.backup.BackupError: if there is no such backup, it is damaged, or the lake is not empty.
    """
    manifest = restore(place, lake, name, report)
    verdict = verify(lake)
    findings = scrub(lake, everything=True, report=report).findings
    rows = {t.path: lake.table(t).read([t.columns[0].name]).num_rows for t in TABLES if t.path in manifest.tables}
    if verdict.ok:
        append(lake, EventType.RESTORED, _facts(manifest))
    return Restored(manifest, rows, verdict, findings)


def _rules(lake: Lake) -> Rules:
    """The ledger as far as its head says, with the head's own bytes, and the seals up to there.

    The ledger is looked at before anything else: whatever it records had been committed before.
    """
    log = Log.of(lake)
    if not log.has(0):
        return Rules()
    head = confirm(log).as_head

    def left_out(zone: str, name: str) -> bool:
        seal = name.removeprefix("seals/")
        later = statements.is_seal(seal) and _version(log, seal) > head.version
        # tiles are made of the log, so a copy of them would only be more to keep
        return zone == Zone.AUDIT and (later or name.startswith("tiles/"))

    return Rules(
        pins={LEDGER.path: head.version},
        fixed={f"{Zone.AUDIT}/seals/{HEAD}": head.data},
        left_out=left_out,
    )


def _version(log: Log, seal: str) -> int:
    return int(json.loads(log.seals.read_bytes(seal))["statement"]["version"])


def _facts(manifest: Manifest) -> dict[str, object]:
    own = {"files": manifest.files, "bytes": manifest.bytes, "tables": dict(manifest.tables)}
    return own | {"manifest_sha256": manifest.sha256}
