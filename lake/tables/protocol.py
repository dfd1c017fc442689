"""What a Delta table may be, so that every engine reads and writes it alike.

Belongs here: opening a table with deltalake, and the gate at that door. The shared set is measured, on deltalake 1.6.6
and delta-spark 4.4.0; outside of it one of the two fails, or breaks the table for the other
(docs/decisions/0011-two-engines.md).
"""

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.errors import RESTORE, TableDamaged, TableMissing
from lake.stores.storage import Location

READER, WRITER, NAMED = 1, 4, 7
"""Highest protocol that both engines share; a writer of version 7 names its features one by one."""

FEATURES = frozenset({"appendOnly", "invariants", "changeDataFeed", "checkConstraints"})
"""Features that both engines read and write."""

PROPERTIES = {
    "deletionVectors": "delta.enableDeletionVectors",
    "columnMapping": "delta.columnMapping.mode",
    "identityColumns": "GENERATED ... AS IDENTITY",
    "generatedColumns": "GENERATED ALWAYS AS",
    "allowColumnDefaults": "delta.feature.allowColumnDefaults",
    "rowTracking": "delta.enableRowTracking",
    "inCommitTimestamp": "delta.enableInCommitTimestamps",
    "inCommitTimestamp-preview": "delta.enableInCommitTimestamps",
    "typeWidening": "delta.enableTypeWidening",
    "typeWidening-preview": "delta.enableTypeWidening",
    "v2Checkpoint": "delta.checkpointPolicy",
    "variantType": "a column of type VARIANT",
    "variantType-preview": "a column of type VARIANT",
    "variantShredding-preview": "delta.enableVariantShredding",
    "timestampNtz": "a column of type TIMESTAMP_NTZ",
    "clustering": "CLUSTER BY",
    "domainMetadata": "delta.feature.domainMetadata",
    "vacuumProtocolCheck": "delta.feature.vacuumProtocolCheck",
    "checkpointProtection": "delta.feature.checkpointProtection",
    "icebergCompatV1": "delta.enableIcebergCompatV1",
    "icebergCompatV2": "delta.enableIcebergCompatV2",
}
"""What switches a feature on, in the words of whoever made the table."""

_BY_VERSION = ("delta.columnMapping.mode",)
"""Properties that come with a higher protocol version instead of a named feature."""


class TableUnshared(ValueError):
    """A table has a property that one of the engines cannot read or write; the message names it."""


def opened(location: Location, path: str, version: int | None = None) -> DeltaTable:
    """A table as deltalake opens it.

    Args:
        location: where it lies.
        path: the contract's path, for messages.
        version: as of this version; None: newest.

    Raises:
        TableMissing: if there is none, or not this version of it yet.
        TableDamaged: if its log, in a local folder, is not whole.
        TableUnshared: if it has properties outside the shared set.
    """
    try:
        table = DeltaTable(location.uri, version=version, storage_options=location.options)
    except TableNotFoundError:
        raise TableMissing(
            f"found no table {path} in this lake, needed one; materialize the asset {path} first (larmor run DELIVERY)"
        ) from None
    except DeltaError as error:
        # some features keep deltalake from opening a table at all; it then names the feature
        if names := [name for name in PROPERTIES if name in str(error)]:
            raise _unshared(path, names) from None
        if version is not None and version > (newest := opened(location, path).version()):
            raise TableMissing(f"found no version {version} of table {path}, needed one of 0 to {newest}") from None
        if location.local:
            raise TableDamaged(
                f"table {path}: found a log that Delta's library cannot read, needed it as written; {RESTORE}"
            ) from error
        raise
    require_shared(table, path)
    return table


def require_shared(table: DeltaTable, path: str) -> None:
    """Refuse a table that one of the engines cannot read or write.

    Raises:
        TableUnshared: with the names of its properties.
    """
    protocol = table.protocol()
    features = {*(protocol.reader_features or ()), *(protocol.writer_features or ())}
    if strange := sorted(features - FEATURES):
        raise _unshared(path, strange)
    known = protocol.min_writer_version <= WRITER or protocol.min_writer_version == NAMED
    if protocol.min_reader_version > READER or not known:
        set_ = [name for name in _BY_VERSION if name in table.metadata().configuration]
        raise _unshared(
            path,
            set_ or [f"reader version {protocol.min_reader_version}, writer version {protocol.min_writer_version}"],
        )


def _unshared(path: str, names: list[str]) -> TableUnshared:
    told = ", ".join(dict.fromkeys(PROPERTIES.get(name, name) for name in names))
    return TableUnshared(
        f"table {path}: found the property {told}, needed a table that every engine reads and writes; copy its rows "
        "into a table without it, or drop the feature with the engine that set it"
    )
