"""What the assets rest on and do not make: deliveries in landing, the vault.

Belongs here: specifications of things that have no materialization of their own.
"""

import dagster as dg

from assets.partitions import DELIVERIES

DELIVERY = dg.AssetKey(["landing", "delivery"])

SOURCES = [
    dg.AssetSpec(
        DELIVERY,
        description="A licensed delivery as it came: a folder with delivery.yaml. Holds PHI.",
        group_name="intake",
        kinds={"file"},
        owners=["team:data-engineering"],
        partitions_def=DELIVERIES,
        tags={"phi": "yes"},
    ),
    dg.AssetSpec(
        ["restricted", "vault"],
        description="One encrypted secret a person; pseudonyms and shifts derive from it. Deleting it is shredding.",
        group_name="intake",
        kinds={"file"},
        owners=["team:compliance"],
        tags={"phi": "yes"},
    ),
]
"""Specifications; without them the graph would show undescribed stubs."""
