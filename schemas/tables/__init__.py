"""Every table of the lake, declared once.

Belongs here: the contracts, a file a zone, and their list. A column added there appears in Delta, in the Dagster
catalogue, in data cards and in checks.
"""

from schemas.tables.audit import (
    ACCESS,
    CERTIFICATES,
    DECISIONS,
    EXPOSED_CHECKPOINTS,
    EXPOSED_VOLUMES,
    EXPOSURE_SETS,
    EXPOSURES,
    LEDGER,
    LICENCES,
    REVIEWS,
    TIER_MOVES,
)
from schemas.tables.curated import COPIES, DIAGNOSES, INSTANCES, LABELS, REPORTS, SERIES, VOLUMES
from schemas.tables.restricted import IDENTIFIERS, QUARANTINE, RECEIVED

__all__ = [
    "ACCESS",
    "CERTIFICATES",
    "COPIES",
    "DECISIONS",
    "DIAGNOSES",
    "EXPOSED_CHECKPOINTS",
    "EXPOSED_VOLUMES",
    "EXPOSURES",
    "EXPOSURE_SETS",
    "IDENTIFIERS",
    "INSTANCES",
    "LABELS",
    "LEDGER",
    "LICENCES",
    "QUARANTINE",
    "RECEIVED",
    "REPORTS",
    "REVIEWS",
    "SERIES",
    "TABLES",
    "TIER_MOVES",
    "VOLUMES",
]

TABLES = (
    RECEIVED,
    IDENTIFIERS,
    QUARANTINE,
    INSTANCES,
    COPIES,
    DECISIONS,
    CERTIFICATES,
    SERIES,
    VOLUMES,
    REPORTS,
    LABELS,
    DIAGNOSES,
    LEDGER,
    LICENCES,
    EXPOSURES,
    EXPOSED_CHECKPOINTS,
    EXPOSURE_SETS,
    EXPOSED_VOLUMES,
    ACCESS,
    TIER_MOVES,
    REVIEWS,
)
"""All tables, in the order of the data's way."""
