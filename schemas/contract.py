"""How a table is declared: columns with type, meaning, unit and PHI class, in one place.

Belongs here: the vocabulary of contracts. The tables themselves are in `schemas.tables`; where they lie and how they
are written is `lake`'s business. Whatever else describes a table (Delta schema, Dagster table schema, data card,
checks) derives from a contract and is never written a second time.
"""

import struct
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import pyarrow as pa

from schemas.zone import Zone

__all__ = ["Column", "Phi", "Table", "Zone"]


class Phi(StrEnum):
    """What a value can say about a person (45 CFR 164.514(b)(2))."""

    NONE = "none"
    PSEUDONYM = "pseudonym"
    QUASI = "quasi-identifier"
    DIRECT = "direct"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        older: what stands for a value in rows that were written before the table had this column, where it is not
            nullable; a column that a contract gains needs one or the other.

    Raises:
        ValueError: if the meaning is missing; a column nobody can explain is not part of a contract.
    """

    name: str
    type: pa.DataType
    meaning: str
    phi: Phi = Phi.NONE
    unit: str | None = None
    nullable: bool = False
    older: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a column without a meaning, or one whose empty values could be of two kinds."""
        if self.nullable and self.older is not None:
            raise ValueError(f"column {self.name!r}: found it nullable and with a value for older rows, needed one")
        if not self.meaning:
            raise ValueError(f"column {self.name!r} has no meaning; say what a reader should know of it")


@dataclass(frozen=True)
class Table:
    """A table contract.

    Attributes:
        payload: the binary column whose values are stored uncompressed, one row group a row, so that a reader can
            map them straight from the file (see `lake.voxels.payload`); None for ordinary tables.
        sealed: whether every byte of the table is accounted for (`lineage.ledger.verify`), so that nothing but commits
            may write into its folder: no Delta checkpoints, no clean-up. Its columns are for ever.
        format: raised with every change of the columns; what a lake's table was made as is in its own properties
            (`lake.tables.formats`).

    Raises:
        ValueError: if a key, partition or payload column is not declared, or a direct identifier stands outside the
            restricted zone.
    """

    name: str
    zone: Zone
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ("delivery",)
    payload: str | None = None
    sealed: bool = False
    format: int = 1

    def __post_init__(self) -> None:
        """Refuse a contract that contradicts itself or lets PHI out of its zone."""
        names = {column.name for column in self.columns}
        needed = {*self.key, *self.partition_by, *({self.payload} if self.payload else ())}
        if missing := needed - names:
            raise ValueError(f"table {self.name!r}: found columns {sorted(names)}, needed also {sorted(missing)}")
        direct = [column.name for column in self.columns if column.phi is Phi.DIRECT]
        if direct and self.zone is not Zone.RESTRICTED:
            raise ValueError(
                f"table {self.name!r} in zone {self.zone}: direct identifiers {direct} must stay restricted"
            )

    @property
    def path(self) -> str:
        """Where the table lies below the lake's root, `<zone>/<table>`."""
        return f"{self.zone}/{self.name}"

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema, meaning as field metadata, in declaration order."""
        return pa.schema(
            pa.field(c.name, c.type, c.nullable, {"comment": c.meaning, "phi": c.phi, "unit": c.unit or ""})
            for c in self.columns
        )

    @cached_property
    def file_schema(self) -> pa.Schema:
        """The Arrow schema of a part file: partition values are in Delta's log, not in the file."""
        return pa.schema(field for field in self.arrow_schema if field.name not in self.partition_by)

    def older(self, name: str) -> Any:
        """What stands for the value of a column in a row that was written before the column was."""
        return pa.scalar(self._columns[name].older, self._columns[name].type).as_py()

    def incomplete(self, names: Iterable[str], there: Container[str]) -> list[str]:
        """Columns that are wanted, not there, and not to be completed in rows that were written before they were."""
        missing = (self._columns[name] for name in names if name not in there)
        return [column.name for column in missing if not column.nullable and column.older is None]

    def completed(self, rows: pa.Table, names: Sequence[str]) -> pa.Table:
        """Columns of stored rows, with what stands for a value in those that were written before a column was.

        Args:
            rows: as a file or an engine gives them; may lack columns that the contract gained.
            names: columns that are wanted.

        Raises:
            ValueError: if one can neither be found nor completed.
        """
        if missing := self.incomplete(names, rows.column_names):
            raise ValueError(f"table {self.name!r}: found rows without columns {missing}, needed a value in every row")
        return pa.Table.from_arrays([_completed(self._columns[name], rows) for name in names], names=list(names))

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    def conform(self, rows: list[Mapping[str, object]] | pa.Table) -> pa.Table:
        """Rows as an Arrow table of exactly this contract's file columns.

        Args:
            rows: one mapping a row, or an Arrow table; partition columns may be present and are left out.

        Raises:
            ValueError: if a column is unknown, a needed one is missing or null, or a value has another type. Values
                are never quoted.
        """
        table = rows if isinstance(rows, pa.Table) else self._tabled(rows)
        if missing := set(self.file_schema.names) - set(table.column_names):
            raise ValueError(f"table {self.name!r}: found no columns {sorted(missing)}, needed all of the contract's")
        table = table.select(self.file_schema.names)
        try:
            table = table.cast(pa.schema([f.with_nullable(True) for f in self.file_schema]))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            raise ValueError(f"table {self.name!r}: found types {table.schema.types}, needed the contract's") from None
        for field in self.file_schema:
            if not field.nullable and table[field.name].null_count:
                raise ValueError(
                    f"table {self.name!r}: found {table[field.name].null_count} empty values in {field.name!r}, "
                    "needed a value in every row"
                )
        return table.cast(self.file_schema)

    def _tabled(self, rows: list[Mapping[str, object]]) -> pa.Table:
        known = {column.name for column in self.columns}
        if unknown := {name for row in rows for name in row} - known:
            raise ValueError(f"table {self.name!r}: found columns {sorted(unknown)} that its contract does not declare")
        arrays = []
        for field in self.file_schema:
            values = [row.get(field.name) for row in rows]
            try:
                arrays.append(_viewed(values) if field.name == self.payload else pa.array(values, field.type))
            except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, OverflowError):
                # Arrow's own message quotes the value
                raise ValueError(
                    f"table {self.name!r}: found values of another type in {field.name!r}, needed {field.type}"
                ) from None
        return pa.Table.from_arrays(arrays, names=self.file_schema.names)


def _viewed(payloads: list[Any]) -> pa.ChunkedArray:
    """Payloads as a binary column that reads them where they are: of all that is written they are the most by far."""
    chunks = [
        pa.nulls(1, pa.binary())
        if data is None
        else pa.Array.from_buffers(pa.binary(), 1, [None, _ends(memoryview(data).nbytes), pa.py_buffer(data)])
        for data in payloads
    ]
    return pa.chunked_array(chunks, pa.binary())


def _ends(size: int) -> pa.Buffer:
    """Where the one value of a binary array begins and ends, in 32 bits each.

    Source: Arrow columnar format, "Variable-size Binary Layout".

    Raises:
        ValueError: if it does not fit.
    """
    if size >= 1 << 31:
        raise ValueError("found a payload of 2 GiB or more, needed a smaller one; a row holds one volume")
    return pa.py_buffer(struct.pack("=ii", 0, size))


def _completed(column: Column, rows: pa.Table) -> pa.ChunkedArray:
    older = pa.scalar(column.older, column.type)
    if column.name not in rows.column_names:
        return pa.chunked_array([pa.repeat(older, rows.num_rows)])
    values = rows[column.name]
    return values.cast(column.type).fill_null(older) if older.is_valid and values.null_count else values
