"""The lake: where its zones lie, and the way to its tables and files.

Belongs here: from a setting to a location. What a table does is `lake.tables.table`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake.settings import Settings
from lake.stores.storage import Location
from lake.tables.table import LakeTable
from schemas.contract import Table, Zone

_DESK = ("scratch", "models")
"""Below the root: models in the making, and what a killed training needs to go on."""


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
        """A folder of a zone, or a prefix of S3; those of the restricted zone are private."""
        return self._at(zone, private=zone is Zone.RESTRICTED).join(*parts)

    @property
    def landing(self) -> Path:
        """The folder where deliveries land, where it is local; holds PHI. See `landed`.

        Raises:
            NotLocal: if it lies on S3.
        """
        return self.settings.folder("landing")

    def landed(self, *parts: str) -> Location:
        """Where deliveries land, or the folder of one: a folder or a prefix of S3; holds PHI."""
        return self._at("landing", private=True).join(*parts)

    @property
    def licences(self) -> Path:
        """Where licence documents lie."""
        return self.settings.folder("licences")

    @property
    def desk(self) -> Path:
        """The folder of this machine where models are made and read: their zone, or one beside it where that is on S3.

        Holds no PHI.
        """
        zone = self.location(Zone.MODELS)
        return zone.path if zone.local else self.settings.root.joinpath(*_DESK)

    def table(self, contract: Table) -> LakeTable:
        """A table of the lake."""
        return LakeTable(contract, self.location(contract.zone, contract.name))

    def sql(self, question: str, versions: Mapping[str, int] | None = None, *, purpose: str | None = None) -> pa.Table:
        """The answer to a SELECT over the tables of the curated and the audit zone; see `lake.tables.query`.

        Each table that is read for it is an access on the record, with the rows of the answer.

        Args:
            question: the SELECT.
            versions: version of a table by its path, for example those of a release; newest where not named.
            purpose: what for; None: `LARMOR_PURPOSE`, else that it was not stated.

        Raises:
            lake.tables.query.QueryError: if it is no SELECT, or no SQL over these tables and columns.
            lineage.terms.refusal.Refusal: if the installation has roles, and none gives the principal a zone of it.
        """
        from lake import above
        from lake.tables.query import ask

        answer = ask(self, question, versions)
        for path, version in answer.read.items():
            above.recorded(self, path, answer.rows.num_rows, purpose, version=version)
        return answer.rows

    def _at(self, name: str, *, private: bool) -> Location:
        return Location(self.settings.place(name), private, self.settings.access(name))
