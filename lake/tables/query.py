"""Questions in SQL over the tables of a lake, for people: a cohort, counts, all rows of a subject.

Belongs here: reading metadata of the curated and the audit zone, wherever they lie. Statistics in the Delta log and
values of partitions decide which files are opened at all (DataFusion, as deltalake brings it). Nothing is written;
columns of bytes (files, voxels, pictures) are not there, `lake.Volumes` reads those; the restricted zone holds PHI and
is not asked. That a person asked is recorded by `Lake.sql`.

Example:
    >>> from lake.zones import Lake  # doctest: +SKIP
    >>> Lake.open().sql("SELECT licence, count(*) AS series FROM series GROUP BY licence")  # doctest: +SKIP
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from schemas.contract import Column, Table, Zone
from schemas.tables import TABLES

if TYPE_CHECKING:
    from lake.zones import Lake

_ASKED = tuple(table for table in TABLES if table.zone in (Zone.CURATED, Zone.AUDIT))
"""Tables that can be asked; names are unique over both zones."""

_QUESTIONS = ("select", "with", "explain")
"""First words of statements that read."""

_OF_THE_QUESTION = ("SQL error", "Schema error", "Error during planning", "This feature is not implemented")
"""Beginnings of messages that speak of the question alone; others may quote a value that a file holds."""

_SCANNED = re.compile(r"TableScan: (\w+)__files")
"""How a plan of DataFusion names a table that it reads."""

_RUST = {pa.string(): "Utf8", pa.int64(): "Int64", pa.float64(): "Float64"}
"""Types of values in contracts, by the names that DataFusion has for them."""


@dataclass(frozen=True)
class Answer:
    """What came of a question.

    Attributes:
        rows: the answer itself.
        read: path of each table that was read for it, with the version that was asked for; None: the newest.
    """

    rows: pa.Table
    read: Mapping[str, int | None]


class QueryError(ValueError):
    """A question that is none over the tables of the lake; the message says what there is."""


def ask(lake: "Lake", question: str, versions: Mapping[str, int] | None = None) -> Answer:
    """The answer to a question.

    Args:
        lake: the lake.
        question: one SELECT over tables by their names, for example `series`; columns are those of
            `docs/reference/tables.md`, without those of bytes.
        versions: version of a table by its path, for example those of a release; newest where not named.

    Raises:
        QueryError: if it is no SELECT, or no SQL over these tables and columns.
    """
    text = _without_comments(question)
    if text.split(maxsplit=1)[:1] and text.split(maxsplit=1)[0].lower() not in _QUESTIONS:
        raise QueryError("found a statement that may change something, needed one SELECT: a lake is read here")
    session, pinned = QueryBuilder(), versions or {}
    words = set(re.findall(r"\w+", text.lower()))
    for table in _ASKED:
        if table.name in words:
            _offer(session, lake, table, pinned.get(table.path))
    try:
        answer = _executed(session, text)
        read = set(_read(session, text))
    except (DeltaError, pa.ArrowException) as error:
        raise QueryError(_told(str(error))) from None
    rows = answer.cast(pa.schema([pa.field(field.name, _plain(field.type)) for field in answer.schema]))
    return Answer(rows, {table.path: pinned.get(table.path) for table in _ASKED if table.name in read})


def _executed(session: QueryBuilder, text: str) -> pa.Table:
    return pa.RecordBatchReader.from_stream(session.execute(text)).read_all()


def _read(session: QueryBuilder, text: str) -> Iterator[str]:
    """Names of the tables that the plan of a question reads; words of the question may name columns as well."""
    asked = re.sub(r"^explain\s+((analyze|verbose)\s+)*", "", text, flags=re.IGNORECASE)
    if asked:
        for plan in _executed(session, f"EXPLAIN {asked}")["plan"].to_pylist():
            yield from _SCANNED.findall(plan)


def _offer(session: QueryBuilder, lake: "Lake", table: Table, version: int | None) -> None:
    """A table under its name, without its columns of bytes; none where there is no such table yet."""
    location = lake.table(table).location
    try:
        delta = DeltaTable(location.uri, version=version, storage_options=location.options)
    except TableNotFoundError:
        return
    there = {field.name for field in delta.schema().fields}
    listed = ", ".join(_read_as(column, there) for column in table.columns if _is_offered(table, column, there))
    session.register(f"{table.name}__files", delta)
    session.execute(f'CREATE VIEW "{table.name}" AS SELECT {listed} FROM "{table.name}__files"')  # noqa: S608  # contract's


def _is_offered(table: Table, column: Column, there: Container[str]) -> bool:
    return not pa.types.is_binary(column.type) and not table.incomplete([column.name], there)


def _read_as(column: Column, there: Container[str]) -> str:
    """A column, with what the contract says of rows that were written before it was, as `Table.completed` reads them.

    A table that was not brought forward yet may lack it altogether.
    """
    name = f'"{column.name}"'
    if column.name in there and column.older is None:
        return name
    older = f"arrow_cast({_literal(column.older)}, '{_rust(column.type)}')"
    return f"coalesce({name}, {older}) AS {name}" if column.name in there else f"{older} AS {name}"


def _literal(value: str | tuple[str, ...] | None) -> str:
    """A value of a contract in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, tuple):
        return f"make_array({', '.join(_literal(each) for each in value)})"
    escaped = value.replace("'", "''")
    return f"'{escaped}'"


def _rust(type_: pa.DataType) -> str:
    """Name that DataFusion has for a type of a contract."""
    if pa.types.is_list(type_):
        return f"List({_rust(type_.value_type)})"
    return _RUST[type_]


def _plain(type_: pa.DataType) -> pa.DataType:
    """The type that the rest of the lake has for values of a type."""
    if pa.types.is_list(type_):
        return pa.list_(_plain(type_.value_type))
    return pa.string() if type_ in (pa.string_view(), pa.large_string()) else type_


def _without_comments(question: str) -> str:
    return re.sub(r"/\*.*?\*/|--[^\n]*", " ", question, flags=re.DOTALL).strip().rstrip(";")


def _told(message: str) -> str:
    names = ", ".join(table.name for table in _ASKED)
    if message.startswith(_OF_THE_QUESTION):
        return f"found a question that cannot be answered ({message.splitlines()[0]}), needed SQL over {names}"
    return f"found a question that failed while it was answered, needed SQL over {names}; look at types and casts in it"
