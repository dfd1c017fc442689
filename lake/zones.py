"""The lake: where its zones lie, and the way to its tables and files.

Belongs here: from a setting to a location. What a table does is `lake.table`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lake.settings import Settings
from lake.storage import Location
from lake.table import LakeTable
from schemas.contract import Table, Zone


@dataclass(frozen=True)
class Lake:
    """A lake; cheap to open, safe to send to other processes."""

    settings: Settings

    @classmethod
    def open(cls, root: Path | str | None = None, **settings: Any) -> "Lake":
        """The lake at `root`, or the one that `LARMOR_*` and `larmor.yaml` name.

        Args:
            root: the lake's folder; None: as configured.
            settings: other settings, which win over the environment.
        """
        named: dict[str, Any] = {} if root is None else {"root": Path(root)}
        return cls(Settings(**named, **settings))

    def location(self, zone: Zone, *parts: str) -> Location:
        """A folder of a zone; those of the restricted zone are private."""
        return Location(self.settings.folder(zone), private=zone is Zone.RESTRICTED).join(*parts)

    @property
    def landing(self) -> Path:
        """Where deliveries land; holds PHI."""
        return self.settings.folder("landing")

    @property
    def licences(self) -> Path:
        """Where licence documents lie."""
        return self.settings.folder("licences")

    def table(self, contract: Table) -> LakeTable:
        """A table of the lake."""
        return LakeTable(contract, self.location(contract.zone, contract.name))
