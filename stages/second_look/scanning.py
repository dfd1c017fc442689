"""The second look on demand: over what lies in the lake now, whatever was scanned when it was made.

Belongs here: the order of the scans, what each is on the record, and nothing that changes data. What blocks a delivery
as it is made are the checks of its assets, by the same scans.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from schemas.tables import INSTANCES, RECEIVED
from stages.second_look.residual import Residue, keep, scan, scan_labels, scan_reports
from stages.second_look.surroundings import scan_everything_around
from stages.station import Report, silent

DATA, AROUND = "data", "around"
"""What a scan of a delivery's data, and one of everything around the data, is called on the record."""


class ScanError(ValueError):
    """Nothing can be scanned as asked; the message says what was found and needed."""


@dataclass(frozen=True)
class Scanned:
    """What a scan found.

    Attributes:
        what: the delivery whose data were read; empty: everything around the data.
        residue: what was found there.
    """

    what: str
    residue: Residue


def scanned(
    lake: Lake, deliveries: Sequence[str] = (), home: str | None = None, report: Report = silent
) -> list[Scanned]:
    """Scan the data of deliveries, and everything around them, for identifiers of these deliveries; each is an event.

    Args:
        lake: the lake.
        deliveries: which; none: all that were received.
        home: folder of Dagster's storage and logs; None: the lake's own, where it has one.
        report: told how far it is.

    Returns:
        A line a delivery, and one of what lies around.

    Raises:
        ScanError: if a delivery was not received.
    """
    known = sorted(part["delivery"] for part in lake.table(RECEIVED).partitions())
    if strangers := sorted(set(deliveries) - set(known)):
        raise ScanError(
            f"found no received delivery {', '.join(strangers)}, needed some of: {', '.join(known) or 'none yet'}"
        )
    wanted = list(dict.fromkeys(deliveries)) or known
    found = []
    for number, delivery in enumerate(wanted, 1):
        report(f"delivery {number} of {len(wanted)}")
        found.append(Scanned(delivery, _of_delivery(lake, delivery)))
    if wanted:
        report("everything around them")
        around = scan_everything_around(lake, wanted, home)
        _recorded(lake, AROUND, around, deliveries=wanted)
        found.append(Scanned("", around))
    return found


def _of_delivery(lake: Lake, delivery: str) -> Residue:
    """What the data of a delivery still say, as far as its stations have come."""
    residue = scan_reports(lake, delivery) + scan_labels(lake, delivery)
    if lake.table(INSTANCES).exists():
        files = scan(lake, delivery)
        if files.findings:  # no certificate is made any more; a clean look takes back nothing that another one found
            keep(lake, delivery, files)
        residue += files
    _recorded(lake, DATA, residue, delivery=delivery)
    return residue


def _recorded(lake: Lake, kind: str, residue: Residue, **about: object) -> None:
    facts = {"kind": kind, "findings": sum(residue.findings.values()), "bytes": residue.bytes}
    append(lake, EventType.SCANNED, facts | about)
