"""Where things lie: the zones of a lake.

Alone, so that a verb of the command line names the zones it needs without what describes tables.
"""

from enum import StrEnum


class Zone(StrEnum):
    """Where things lie. PHI is allowed in `RESTRICTED` only; `MODELS` holds checkpoints and no tables."""

    RESTRICTED = "restricted"
    CURATED = "curated"
    AUDIT = "audit"
    MODELS = "models"
