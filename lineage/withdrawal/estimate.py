"""What a withdrawal takes: bytes, minutes, requests and the trainings that are done again.

Belongs here: the arithmetic. It is an order of magnitude for whoever plans the day, and no part of what is confirmed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lake.tiering.tiers import price_book
from lake.zones import Lake
from lineage.withdrawal.holdings import Holding
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Zone

_REWRITTEN_S, _SEARCHED_S = 50e6, 100e6
"""Bytes a second, on one core of an ordinary machine: read, filtered, written and hashed; decompressed and searched."""


@dataclass(frozen=True)
class Estimate:
    """What a withdrawal takes.

    Attributes:
        rewritten_bytes: part files that are read, and written again without its rows.
        searched_bytes: all that is read to prove absence, as it lies on disk.
        minutes: for both, on one machine.
        requests_cost: price of requests to object stores, in the currency of the price book; 0 where zones are folders.
        device_hours: of the trainings that are done again, as they took before.
        training_usd: their price, as far as it is known.
    """

    rewritten_bytes: int
    searched_bytes: int
    minutes: float
    requests_cost: float
    device_hours: float
    training_usd: float


def estimate(lake: Lake, holdings: Iterable[Holding], models: Iterable[CheckpointManifest]) -> Estimate:
    """What a withdrawal takes, from what holds it and the models that saw it."""
    data = [holding for holding in holdings if not holding.evidence]
    rewritten = sum(holding.bytes + holding.older_bytes for holding in data)
    files = sum(holding.files + holding.older_files for holding in data)
    places = [lake.landed(), *(lake.location(zone) for zone in Zone if zone is not Zone.AUDIT)]
    searched = [(found.bytes, place.local) for place in places for found in place.files()]
    size = sum(of for of, _ in searched)
    standard = price_book(lake.settings.prices).classes[0]
    far = sum(not local for _, local in searched)
    usd = (far * standard.get_per_1000 + (files if far else 0) * standard.put_per_1000) / 1000
    again = list(models)
    return Estimate(
        rewritten_bytes=rewritten,
        searched_bytes=size,
        minutes=round((rewritten / _REWRITTEN_S + size / _SEARCHED_S) / 60, 1),
        requests_cost=round(usd, 2),
        device_hours=round(sum(model.device_hours for model in again), 2),
        training_usd=round(sum(model.cost_usd or 0.0 for model in again), 2),
    )
