"""Which rows belong to a scope, decided for whole columns at once.

Belongs here: the rule, the same for a plan and for what carries it out. Reading rows is `lineage.withdrawal.holdings`.

A row that says the scope's own column belongs by it, or by the list of all that it was made of. One that does not say
it belongs by its series, its path or its subject, the first of these that it says, if a row that does say it has the
same there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.contract import Table

Booleans: TypeAlias = "pa.Array | pa.ChunkedArray"
Of = dict[str, set[str]]
"""Delivery to series, paths or subjects in it."""


class Kind(StrEnum):
    """What can be withdrawn."""

    SUBJECT = "subject"
    DELIVERY = "delivery"
    LICENCE = "licence"


@dataclass(frozen=True)
class Scope:
    """What is to be withdrawn.

    Attributes:
        kind: a subject (pseudonym), a delivery or a licence.
        value: which.
    """

    kind: Kind
    value: str


@dataclass
class Keys:
    """What leads to rows that do not carry the scope's own column.

    Attributes:
        series: series of it.
        places: paths of its files.
        people: subjects of it.
        made_of: deliveries of which a row was made with a part of it; what is left of them must be made again.
    """

    series: Of = field(default_factory=dict)
    places: Of = field(default_factory=dict)
    people: Of = field(default_factory=dict)
    made_of: set[str] = field(default_factory=set)

    def of(self) -> Iterator[tuple[str, Of]]:
        """Columns that lead on, the first one that a row says decides."""
        yield from (("series", self.series), ("path", self.places), ("subject", self.people))


_OWN = ("delivery", "subject", "licence", "series", "path")
_PARTS = {"delivery": "source_deliveries", "licence": "licences"}
"""Columns with every delivery and licence that a row was made of; its own delivery and licence are one of them."""


def columns(table: Table) -> list[str]:
    """Columns of a table that say whether a row belongs to a scope."""
    # files are told by their paths inside a delivery, and by nothing else
    return [name for name in (*_OWN, *_PARTS.values()) if has(table, name)] if has(table, "delivery") else []


def has(table: Table, name: str) -> bool:
    """Whether a table has a column of this name."""
    return any(column.name == name for column in table.columns)


def needed(table: Table, scope: Scope) -> list[str]:
    """Columns that decide whether a row belongs to this scope, and whose it is, where each row says the scope's own."""
    asked = ["delivery", "subject", scope.kind, _PARTS.get(scope.kind, "")]
    return [name for name in columns(table) if name in asked or not has(table, scope.kind)]


def inside(rows: pa.Table, scope: Scope, keys: Keys) -> Booleans:
    """Whether each of some rows belongs to a scope.

    Args:
        rows: with the columns of `needed`, or with all of `columns` where one does not say the scope's own.
        scope: the scope.
        keys: what leads on; for rows that say the scope's own column it may be empty.

    Returns:
        (rows,) booleans, none of them null.
    """
    answer: Booleans = _same(rows.num_rows, value=False)
    open_: Booleans = _same(rows.num_rows, value=True)
    if scope.kind in rows.column_names:
        answer = pc.or_(own(rows, scope), _made_of(rows, scope))
        if not rows[scope.kind].null_count:
            return answer
        open_ = pc.is_null(rows[scope.kind])
        answer = pc.and_(answer, pc.invert(open_))
    for name, known in keys.of():
        if name in rows.column_names and pc.any(open_).as_py():
            answer = pc.or_(answer, pc.and_(open_, _known(rows, name, known)))
            open_ = pc.and_(open_, pc.is_null(rows[name]))
    return answer


def own(rows: pa.Table, scope: Scope) -> Booleans:
    """Whether each row says the scope itself, and not only that a part of it came from there."""
    if scope.kind not in rows.column_names:
        return _same(rows.num_rows, value=True)
    return pc.fill_null(pc.equal(rows[scope.kind], scope.value), False)


def note(rows: pa.Table, belongs: Booleans, scope: Scope, keys: Keys) -> None:
    """Note what rows that belong to a scope lead to."""
    mine = rows.filter(belongs)
    if not mine.num_rows:
        return
    if scope.kind in rows.column_names:
        strange = pc.fill_null(pc.not_equal(mine[scope.kind], scope.value), False)
        keys.made_of |= set(mine.filter(strange)["delivery"].unique().to_pylist())
        mine = mine.filter(pc.invert(strange))  # the series they stand under are another's
    for name, known in keys.of():
        if name in rows.column_names:
            for delivery, values in _by_delivery(mine, name):
                known.setdefault(delivery, set()).update(values.drop_null().to_pylist())


def _made_of(rows: pa.Table, scope: Scope) -> Booleans:
    """Whether the list of all that a row was made of names the scope."""
    name = _PARTS.get(scope.kind, "")
    if name not in rows.column_names:
        return _same(rows.num_rows, value=False)
    lists = rows[name].combine_chunks()
    named = pc.equal(pc.list_flatten(lists), scope.value)
    if not pc.any(named).as_py():
        return _same(rows.num_rows, value=False)
    places = pc.list_parent_indices(lists).filter(named)
    return pc.is_in(pa.array(np.arange(rows.num_rows), places.type), places)


def _known(rows: pa.Table, name: str, known: Mapping[str, set[str]]) -> Booleans:
    """Whether the value of a row is known in the row's delivery."""
    answer: Booleans = _same(rows.num_rows, value=False)
    for delivery in rows["delivery"].unique().to_pylist():
        if values := known.get(delivery):
            there = pc.is_in(rows[name], pa.array(values, pa.string()))
            answer = pc.or_(answer, pc.and_(pc.fill_null(pc.equal(rows["delivery"], delivery), False), there))
    return answer


def _by_delivery(rows: pa.Table, name: str) -> Iterator[tuple[str, pa.Array]]:
    for delivery in rows["delivery"].unique().to_pylist():
        yield delivery, rows.filter(pc.equal(rows["delivery"], delivery))[name].unique()


def _same(count: int, *, value: bool) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)
