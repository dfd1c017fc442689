"""Asking the terms before the work.

Belongs here: the question a station asks of a delivery's licence. What the terms say is `lineage.terms`.
"""

import datetime as dt

from lake.zones import Lake
from lineage.terms import terms
from schemas.delivery import Delivery
from schemas.licence import Licence


def permitted(lake: Lake, licence: Licence, delivery: Delivery, action: terms.Action) -> terms.Decision:
    """The decision that a delivery may be treated today for the purpose its manifest states.

    Raises:
        Refusal: if the licence does not allow it; the refusal is on the ledger.
    """
    today = dt.datetime.now(dt.UTC).date()
    return terms.permit(lake, licence, delivery, purpose=delivery.purpose, action=action, day=today)
