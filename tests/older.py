"""Tables and lakes as older versions of Larmor made them, built by the code of today under the contracts of then.

Belongs here: these contracts, which lie in `tests/lake/tables/contracts`, and what is made under them. `spine` are
those of the first state of the project, `certificates` and `quality` later ones, none of which told its format;
`format-1` and what follows are those of `schemas.contract.Table.format`.
"""

import json
import shutil
from functools import cache
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from lake.tables.table import LakeTable
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.history import digest
from schemas.contract import Column, Table, Zone
from schemas.tables import DECISIONS, INSTANCES, LICENCES, QUARANTINE, RECEIVED, TABLES

FOLDER = Path(__file__).parent / "lake" / "tables" / "contracts"
OLDER = ("spine", "certificates", "quality")
_TYPES = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64(), "binary": pa.binary()}
_VALUES = {"string": "x", "int64": 1, "double": 1.5, "binary": b"x"}


@cache
def contracts(name):
    """Contracts by path, as they were."""
    told = json.loads((FOLDER / f"{name}.json").read_text())
    return {path: _contract(path, about) for path, about in told.items()}


def described(contract):
    """A contract as its file describes it."""
    columns = {c.name: f"{c.type}{'?' * c.nullable}" for c in contract.columns}
    told = {name: getattr(contract, name) for name in ("payload", "sealed")}
    return {"columns": columns, "key": list(contract.key), "partition_by": list(contract.partition_by), **told}


def _contract(path, about):
    zone, name = path.split("/")
    columns = tuple(
        Column(column, _type(kind.rstrip("?")), "as it was", nullable=kind.endswith("?"))
        for column, kind in about["columns"].items()
    )
    keys = tuple(about["key"]), tuple(about["partition_by"])
    return Table(name, Zone(zone), "as it was", columns, *keys, about["payload"], bool(about["sealed"]))


def _type(kind):
    inside = kind.removeprefix("list<item: ").removesuffix(">")
    return pa.list_(_TYPES[inside]) if inside != kind else _TYPES[kind]


def changed(name):
    """Paths of tables that have other columns today."""
    now = {table.path: set(table.arrow_schema.names) for table in TABLES}
    return [path for path, then in contracts(name).items() if now[path] != set(then.arrow_schema.names)]


def row(contract, **values):
    """A row with a value in every column that needs one."""
    made = {}
    for column in contract.columns:
        kind = str(column.type).removeprefix("list<item: ").removesuffix(">")
        if not column.nullable:
            made[column.name] = [_VALUES[kind]] if pa.types.is_list(column.type) else _VALUES[kind]
    return made | values


def made(lake, contract):
    """The table of a contract in a lake, made as it was then: with none of the properties that came later."""
    table = LakeTable(contract, lake.location(contract.zone, contract.name))
    table.location.make()
    DeltaTable.create(
        table.location.uri,
        contract.arrow_schema,
        name=contract.name,
        partition_by=list(contract.partition_by) or None,
        configuration={"delta.checkpointInterval": "100"},
        storage_options=table.location.options,
    )
    return table


def filled(lake, contract, rows=1, **values):
    """The same with a part file of rows in it, in the partition `x`."""
    table = made(lake, contract)
    partition = dict.fromkeys(contract.partition_by, "x")
    told = [row(contract, **({contract.key[-1]: f"k{number}"} | values)) for number in range(rows)]
    table.replace(partition, [table.write(told, partition)])
    return table


def remade(treated, root, name):
    """A lake with the rows of another, in tables that are made under older contracts, told on a ledger of its own."""
    copied = ("landing", "licences", "restricted/vault")
    for folder in copied:
        shutil.copytree(treated.settings.root / folder, root / folder)
    lake = Lake.open(root, workers=1, principal="tester")
    then = contracts(name)
    for contract in (table for table in TABLES if not table.sealed and table.path in then):
        here = treated.table(contract)
        if here.exists():
            _fill(made(lake, then[contract.path]), here, lake)
    return lake


def _fill(table, here, lake):
    contract = table.contract
    for partition in here.partitions():
        rows = here.read(list(contract.arrow_schema.names), partition)
        version = table.replace(partition, [table.write(rows, partition)])
        if contract.path != QUARANTINE.path and partition.get("delivery"):
            _tell(lake, contract.path, partition["delivery"], version, rows.num_rows)
        if contract.path == LICENCES.path:
            for known in rows.select(["licence", "digest"]).to_pylist():
                ledger.append(lake, "term_known", {"licence": known["licence"], "licence_sha256": known["digest"]})


def _tell(lake, path, delivery, version, rows):
    counts = {"kept": rows, "duplicates": 0, "quarantined": 0}
    said = {"delivery": delivery, "version": version, "commit_sha256": digest(lake, path, version), **counts}
    if path == RECEIVED.path:
        said |= {"received": rows, "licence": "phantom-licence", "licence_sha256": "0" * 64}
        ledger.append(lake, "received", said)
    elif path == INSTANCES.path:
        ledger.append(lake, "deidentified", {**said, "policy_sha256": "0" * 64})
    elif path.startswith("curated/") or path == DECISIONS.path:
        ledger.append(lake, "materialized", {**said, "table": path})
