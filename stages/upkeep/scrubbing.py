"""The scrub with its record: files read again, what differs told on the ledger, what dead writers left removed.

Belongs here: the composition. Reading, comparing and restoring is `lake.integrity.scrub`.
"""

from lake.integrity.scrub import Scrubbed, by_table, scrub, summed
from lake.stores.remains import sweep
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from stages.station import Report, silent


def scrubbed(lake: Lake, *, everything: bool = False, report: Report = silent) -> tuple[Scrubbed, int]:
    """Scrub a share of the files, and record it; the scrub, and how many files of dead writers were removed.

    Args:
        lake: the lake.
        everything: all files at once instead of the next share.
        report: takes a line that tells a person how far it is.
    """
    removed = sweep(lake)
    found = scrub(lake, everything=everything, report=report)
    counts = summed(found) | {"removed": removed}
    facts = {"files": found.files, "bytes": found.bytes, "findings": len(found.findings), "counts": counts}
    append(lake, EventType.SCRUBBED, facts | {"tables": by_table(found)})
    return found, removed
