"""Rows of a table by columns, conditions, partition and version, with all of it pushed down to the files.

Belongs here: conditions, and reading under them through deltalake. Whole partitions are read by `LakeTable.read`.
"""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import pyarrow as pa

from lake.tables.formats import Made, require_readable
from lake.tables.protocol import opened
from lake.tables.table import LakeTable
from schemas.contract import Table

Condition = tuple[str, str, Any]
"""Column, one of `OPERATORS`, and a value; a list of values for `in`. Several conditions must all hold."""

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")


def select(
    table: LakeTable,
    columns: Sequence[str] | None = None,
    where: Sequence[Condition] = (),
    partition: Mapping[str, str] | None = None,
    version: int | None = None,
) -> pa.Table:
    """Rows that fulfil all conditions, in no promised order.

    Files whose statistics rule a row out are not opened, and only the columns that are needed are read.

    Args:
        table: the table.
        columns: which; None: all but the payload.
        where: conditions.
        partition: only rows of this partition.
        version: the table as of this version; None: newest.

    Raises:
        TableMissing: if the table has no commit yet.
        ValueError: if a condition names no column of the table, or no operator.
    """
    contract, names = table.contract, chosen(table.contract, columns)
    conditions = [*where, *((name, "=", value) for name, value in (partition or {}).items())]
    sql(contract, conditions)  # told before anything is opened
    delta = opened(table.location, contract.path, version)
    made = Made.opened(delta)
    stored = there(contract, names, made)
    predicate = sql(contract, conditions, made.columns) or None
    return shaped(contract, names, pa.RecordBatchReader.from_stream(delta.scan(stored, predicate)).read_all())


def chosen(contract: Table, columns: Sequence[str] | None) -> list[str]:
    """Names of the columns that are read: those asked for, or all but the payload."""
    return list(columns or (column.name for column in contract.columns if column.name != contract.payload))


def there(contract: Table, names: Sequence[str], made: Made) -> list[str]:
    """Columns to ask an engine for: those that are wanted and that a version has; at least one, which counts the rows.

    Raises:
        TableOutdated: if it lacks a column that the contract cannot complete.
    """
    require_readable(contract, made, names)
    return [name for name in names if name in made.columns] or [contract.key[0]]


def shaped(contract: Table, names: Sequence[str], rows: pa.Table) -> pa.Table:
    """Rows as the contract types them, older ones completed; engines give views and other nullability."""
    schema = pa.schema([contract.arrow_schema.field(name).remove_metadata() for name in names])
    return contract.completed(rows, names).cast(schema)


def sql(
    contract: Table, where: Sequence[Condition], columns: Container[str] | None = None, *, backslashes: bool = False
) -> str:
    """Conditions as SQL; empty where there are none.

    Args:
        contract: of the table.
        where: the conditions.
        columns: those that a version has; of others a condition sees what older rows are completed with. None: all.
        backslashes: whether the dialect takes a backslash in a text for an escape, as Spark's does.

    Raises:
        ValueError: if a condition names no column of the table, or no operator, or an empty list.
    """
    parts = []
    for name, operator, value in where:
        if name not in contract.arrow_schema.names:
            raise ValueError(f"table {contract.path}: found a condition on {name!r}, needed one of its columns")
        if operator not in OPERATORS:
            raise ValueError(f"found operator {operator!r}, needed one of {', '.join(OPERATORS)}")
        if operator == "in":
            listed = ", ".join(_literal(each, backslashes) for each in value)
            if not listed:
                raise ValueError(f"found no values for {name!r}, needed at least one")
            parts.append(f"{_seen(contract, name, columns)} IN ({listed})")
        else:
            parts.append(f"{_seen(contract, name, columns)} {operator} {_literal(value, backslashes)}")
    return " AND ".join(parts)


def _seen(contract: Table, name: str, columns: Container[str] | None) -> str:
    """A column, or what stands for its value in rows that were written before it was."""
    older = contract.older(name)
    literal = f"'{older}'" if isinstance(older, str) else "NULL"
    if columns is not None and name not in columns:
        return literal
    return f"coalesce({name}, {literal})" if isinstance(older, str) else name


def _literal(value: object, backslashes: bool) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        text = value.replace("\\", "\\\\") if backslashes else value
        # Spark knows no doubled quote: it takes two texts beside each other for one
        return "'" + text.replace("'", "\\'" if backslashes else "''") + "'"
    raise ValueError(f"found a value of type {type(value).__name__} in a condition, needed a text or a number")
