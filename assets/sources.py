"""What the assets rest on and do not make: deliveries in landing, the vault, the quarantine that every station fills.

Belongs here: specifications of things that have no materialization of their own.
"""

import dagster as dg

from assets.metadata import described
from assets.partitions import DELIVERIES
from schemas.tables import QUARANTINE

SOURCES = [
    dg.AssetSpec(
        ["landing", "delivery"],
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
    dg.AssetSpec(
        ["restricted", "quarantine"],
        deps=[
            ["restricted", "received"],
            ["curated", "instances"],
            ["curated", "volumes"],
            ["curated", "labels"],
            ["curated", "diagnoses"],
        ],
        description="What the stations held back, each with a reason of a closed list and a remedy.",
        group_name="quarantine",
        kinds={"deltalake"},
        owners=["team:data-engineering"],
        partitions_def=DELIVERIES,
        tags={"phi": "yes"},
        metadata=described(QUARANTINE),
    ),
]
"""Specifications; without them the graph would show undescribed stubs."""
