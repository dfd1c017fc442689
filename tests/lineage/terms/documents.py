"""Documents that tests of terms are made of."""

import datetime as dt

from schemas.agreement import parsed
from schemas.delivery import Delivery

DAY = dt.date(2026, 6, 1)
POLICY = "a" * 64

_COMMON = {
    "title": "Made for a test", "licensor": "Hospital", "valid_from": "2026-01-01", "valid_until": "2026-12-31",
    "purposes": ["research", "model-training"], "train_models": True, "share_models": True, "export": True,
}  # fmt: skip


def document(id_, kind="licence", **changes):
    """A document that allows everything in 2026, but for the changes."""
    common = _COMMON
    if kind == "expert-determination":
        common = {name: _COMMON[name] for name in ("title", "licensor", "valid_from", "valid_until")}
        common = common | {"policy_sha256": POLICY}
    return parsed({**common, "id": id_, "kind": kind} | changes, id_)


def delivery(**changes):
    said = {"name": "hospital-1", "licensor": "Hospital", "licence": "hospital-2026", "received": DAY}
    return Delivery.model_validate(said | changes)
