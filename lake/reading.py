"""A table of volumes in a scientist's hands: what `lake.Volumes` gives, whose opening is an access on the record.

Belongs here: finding the lake that keeps the record, and recording. Reading is `lake.voxels.volumes`, which rooms use
whose work has a record of its own: a training its exposures, an export its event. A frozen choice of volumes is
`lake.opened`.
"""

from pathlib import Path

from lake import above
from lake.voxels import index, volumes
from lake.voxels.sources import source_of
from lake.zones import Lake
from schemas.contract import Table
from schemas.tables import VOLUMES


class NoLake(ValueError):
    """A table belongs to no lake that could keep the record of its reading; the message says what to do."""


class Volumes(volumes.Volumes):
    """A table of volumes, or of label maps, opened for a purpose.

    To open it is one access, with as many rows as it has volumes; crops, rows and copies in other processes are none.

    Example:
        >>> import lake  # doctest: +SKIP
        >>> volumes = lake.Volumes.open("s3://bucket/curated/volumes", purpose="atlas study")  # doctest: +SKIP
        >>> crop = volumes.crop(volumes.ids[0], (0, 0, 0), (96, 96, 96))  # doctest: +SKIP
    """

    def __init__(
        self, lake: Lake, contract: Table = VOLUMES, version: int | None = None, *, purpose: str | None = None
    ) -> None:
        """Open a table of a lake.

        Args:
            lake: the lake.
            contract: `VOLUMES`, or `LABELS`, whose ids are those of label maps.
            version: the table as of this version; None: newest.
            purpose: what for; None: `LARMOR_PURPOSE`, else that it was not stated.

        Raises:
            TableMissing, TableOutdated, lake.tiering.archived.Archived: as `lake.voxels.volumes.Volumes`.
            lineage.terms.refusal.Refusal: if the installation has roles, and none gives the principal the zone.
        """
        super().__init__(lake, contract, version)
        above.recorded(lake, contract.path, len(self), purpose, version=self.version)

    @classmethod
    def open(
        cls, uri: str | Path, version: int | None = None, contract: Table | None = None, *, purpose: str | None = None
    ) -> "Volumes":
        """Open a table of a lake by its place.

        Args:
            uri: the table's folder, or its `s3://` URI.
            version: the table as of this version; None: newest.
            contract: its contract; None: the one that the last part of `uri` names, volumes or labels.
            purpose: what for; None: `LARMOR_PURPOSE`, else that it was not stated.

        Raises:
            NoLake: if the table is of no lake that could keep the record.
            ValueError, TableMissing, TableOutdated: as `lake.voxels.volumes.Volumes.open`.
            lineage.terms.refusal.Refusal: if the installation has roles, and none gives the principal the zone.
        """
        source = source_of(uri)
        found = contract or volumes.contract_of(source)
        made = cls.__new__(cls)
        made._set(source, found, index.opened(source, found, version))
        above.recorded(_lake_of(source.uri, found), found.path, len(made), purpose, version=made.version)
        return made


def _lake_of(uri: str, contract: Table) -> Lake:
    """The lake of a table: the configured one, or the one whose folder holds the zone that holds it."""
    place = uri.rstrip("/")
    candidates = [Lake.open()]
    if "://" not in place:
        candidates.append(Lake.open(Path(place).parent.parent))
    for lake in candidates:
        if lake.table(contract).location.uri == place:
            return lake
    raise NoLake(
        "found a table of no lake that is known here, needed one that keeps the record of its reading; name the lake "
        f"with LARMOR_ROOT, or its zone with LARMOR_{contract.zone.upper()}"
    )
