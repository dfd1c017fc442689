"""Bringing a table forward to its contract, in one commit that touches no file of rows.

Belongs here: the migrations, each a pure function from what a table is declared as to what it must be, and carrying
them out. A lake goes through all of them, in order; one that is done already changes nothing, so a migration that was
killed is done again. What readers make of rows that are older than a column is the contract's business
(`schemas.contract.Table.completed`), the record is `stages.upkeep.upgrade`'s. Decision:
docs/decisions/0015-migrations.md.

Source: Delta transaction protocol, "Change Metadata", "Protocol Evolution", "Change Data Feed"
(github.com/delta-io/delta, PROTOCOL.md).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deltalake import DeltaTable, Schema

from lake.errors import TableOutdated
from lake.tables import formats, log
from lake.tables.creation import properties
from lake.tables.protocol import NAMED, opened
from lake.tables.table import Conflict, LakeTable
from schemas.contract import Table

OPERATION = "UPGRADE"
"""What a table's history says of the commit."""

_TRIES = 100
"""Tries of a commit that others overtook; it takes milliseconds, and the writers of a station pause between two."""

_FEED = ("delta.enableChangeDataFeed", "changeDataFeed", 4)
"""Property, feature, and the writer version that brings it: the only one of ours that asks for a protocol."""


@dataclass(frozen=True)
class Declared:
    """What a Delta log declares a table to be.

    Attributes:
        fields: its columns, as the log writes them.
        properties: its properties.
        writer: protocol version that a writer needs.
        features: writer features, where the protocol names them one by one.
    """

    fields: tuple[Mapping[str, Any], ...]
    properties: Mapping[str, str]
    writer: int
    features: frozenset[str] = frozenset()

    @classmethod
    def of(cls, delta: DeltaTable) -> "Declared":
        """What an opened version is declared as."""
        protocol = delta.protocol()
        fields = json.loads(delta.schema().to_json())["fields"]
        named = frozenset(protocol.writer_features or ())
        return cls(tuple(fields), dict(delta.metadata().configuration), protocol.min_writer_version, named)


Migration = Callable[[Table, Declared], Declared]
"""From what a table is to what its contract wants; the same where nothing is to be done."""


def columns(contract: Table, now: Declared) -> Declared:
    """Columns that the contract gained, behind the others and empty in the rows that are there.

    They may be empty in Delta's eyes whatever the contract says, because the rows that are there have nothing in them;
    Larmor's own writer keeps the contract. A column that the contract allows to be empty by now may be so here too.

    Raises:
        TableOutdated: if a column has another type, or older rows cannot do without one.
    """
    wanted = {
        field["name"]: field for field in json.loads(Schema.from_arrow(contract.arrow_schema).to_json())["fields"]
    }
    there = {field["name"]: field for field in now.fields}
    strange = [name for name in wanted.keys() & there.keys() if wanted[name]["type"] != there[name]["type"]]
    if undone := sorted(strange) or contract.incomplete(wanted, there):
        raise TableOutdated(
            f"table {contract.path}: found columns {undone} that no migration makes, needed them as the contract of "
            "this version has them; move the table away and materialize its deliveries again"
        )
    kept = (_loosened(field, wanted.get(field["name"])) for field in now.fields)
    new = (field | {"nullable": True} for name, field in wanted.items() if name not in there)
    return replace(now, fields=(*kept, *new))


def as_made_now(contract: Table, now: Declared) -> Declared:
    """Properties that a table of this contract has when it is made, and the protocol that they ask for.

    Those that somebody set stay, but for the list of columns with statistics, which follows from the columns.
    """
    wanted = properties(contract)
    follows = {name: wanted[name] for name in ("delta.dataSkippingStatsColumns",)}
    then = replace(now, properties={**wanted, **now.properties, **follows})
    feed, feature, least = _FEED
    if then.properties.get(feed) != "true":
        return then
    if then.writer == NAMED:
        return replace(then, features=then.features | {feature})
    return replace(then, writer=max(then.writer, least))


def numbered(contract: Table, now: Declared) -> Declared:
    """The number of the contract's format, so that an older Larmor does not write to the table any more."""
    return replace(now, properties={**now.properties, formats.PROPERTY: str(contract.format)})


MIGRATIONS: tuple[Migration, ...] = (columns, as_made_now, numbered)
"""In the order in which a table goes through them; one that turns on a format of its own comes before `numbered`."""


def due(table: LakeTable) -> list[str] | None:
    """What a table lacks that is there: names of columns, none where only its format is older; None: nothing is due.

    A sealed table never lacks anything: its columns are for ever.

    Raises:
        TableMissing: if the table has no commit yet.
        TableNewer: if a newer Larmor made it.
    """
    contract = table.contract
    if contract.sealed:
        return None
    made = table.made()
    formats.require_known(contract, made)
    return formats.lacking(contract, made) if formats.is_older(contract, made) else None


def upgrade(table: LakeTable) -> int | None:
    """Bring a table forward, in one commit; rows, files and older versions stay as they are.

    Beside readers and writers: readers keep the version that they opened, a writer that comes second commits anew.

    Returns:
        The table's version after it; None where nothing was to be done.

    Raises:
        TableMissing: if the table has no commit yet.
        TableNewer: if a newer Larmor made it.
        TableOutdated: if no migration leads to the contract.
        Conflict: if others committed first on every try.
    """
    contract = table.contract
    for _ in range(_TRIES):
        if due(table) is None:
            return None
        delta = opened(table.location, contract.path)
        now = then = Declared.of(delta)
        for migration in MIGRATIONS:
            then = migration(contract, then)
        if then == now:
            return None
        version = int(delta.version()) + 1
        try:
            log.declare(table.location, version, _actions(delta, now, then), OPERATION)
        except FileExistsError:
            continue
        return version
    raise Conflict(f"table {contract.name!r}: found {_TRIES} commits by others in a row, try again")


def _loosened(field: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {**field, "nullable": True} if wanted and wanted["nullable"] else field


def _actions(delta: DeltaTable, now: Declared, then: Declared) -> list[dict[str, Any]]:
    """What differs, as actions of the Delta log."""
    told = delta.metadata()
    metadata: dict[str, Any] = {
        "id": told.id,
        "name": told.name,
        "description": told.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": list(then.fields)}),
        "partitionColumns": told.partition_columns,
        "configuration": dict(then.properties),
        "createdTime": told.created_time,
    }
    actions = [{"metaData": {name: value for name, value in metadata.items() if value is not None}}]
    if (then.writer, then.features) == (now.writer, now.features):
        return actions
    features = {"writerFeatures": sorted(then.features)} if then.writer == NAMED else {}
    protocol = {"minReaderVersion": delta.protocol().min_reader_version, "minWriterVersion": then.writer}
    return [{"protocol": {**protocol, **features}}, *actions]
