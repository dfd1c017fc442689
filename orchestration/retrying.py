"""What is held is tried again: the deliveries that hold something, each from where a remedy can have changed something.

Belongs here: which stations of which deliveries run again. A station always replaces what it made of a delivery, in one
commit and under one policy, so that a delivery is never half of an old rule and half of a new one; what saves work is
that deliveries without anything held, and stations before the first that holds, are left as they are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg

from assets.partitions import DELIVERIES_NAME
from lake.settings import Settings
from lake.zones import Lake
from orchestration.definitions import build
from orchestration.headless import Key, RunFailed, run_assets, run_delivery
from orchestration.jobs import DELIVERY_ASSETS
from stages.quarantine import first_station, grouped, kept, waiting

_RECEIVED = DELIVERY_ASSETS[0]


@dataclass(frozen=True)
class Retried:
    """A delivery that was tried again.

    Attributes:
        delivery: its name.
        before: rows of quarantine that were to be tried.
        held: rows held now, of the same reasons.
        failed: what stopped it; empty: nothing.
    """

    delivery: str
    before: int
    held: int
    failed: str = ""


def retry(
    settings: Settings, delivery: str | None = None, reason: str | None = None, say: Callable[[str], None] = print
) -> Iterator[Retried]:
    """Try again what is held, delivery by delivery; one that fails stops none of the others.

    Args:
        settings: of the lake.
        delivery: this one only; None: all that hold something.
        reason: deliveries that hold something for this reason only.
        say: takes a line about each delivery.
    """
    lake = Lake(settings)
    rows = waiting(lake, delivery, reason)
    for name in sorted({row["delivery"] for row in rows}):
        before = [row for row in rows if row["delivery"] == name]
        say(f"Delivery {name}: {len(before)} held")
        failed = _again(lake, name, first_station(grouped(before)))
        yield Retried(name, len(before), len(waiting(lake, name, reason)), failed)


def _again(lake: Lake, delivery: str, station: str | None) -> str:
    """Run reception, and from the first station on that holds something or whose input is new; what failed."""
    before = kept(lake, delivery)
    try:
        # a remedy is most often a new file or another manifest, and only reception reads them
        run_delivery(lake.settings, delivery, _RECEIVED[-1])
        first = "instances" if kept(lake, delivery) != before else station
        if first != _RECEIVED[-1] and first is not None:
            run_assets(lake.settings, (DELIVERIES_NAME, delivery), behind(first))
        else:
            run_assets(lake.settings, (DELIVERIES_NAME, delivery), DELIVERY_ASSETS[-1:])
    except RunFailed as error:
        return str(error)
    return ""


def behind(station: str) -> list[Key]:
    """The asset of a station and those of the job `delivery` that rest on it, in the job's order."""
    (start,) = (key for key in DELIVERY_ASSETS if key[-1] == station)
    graph = build().resolve_asset_graph()
    found = dg.AssetSelection.assets(dg.AssetKey(list(start))).downstream().resolve(graph)
    return [key for key in DELIVERY_ASSETS if dg.AssetKey(list(key)) in found]
