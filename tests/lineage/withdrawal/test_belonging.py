"""Which rows belong is decided for whole columns as it would be row by row."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.withdrawal.belonging import Keys, Kind, Scope, columns, inside, needed, note
from schemas.tables import EXPOSURE_SETS, QUARANTINE, RECEIVED, TIER_MOVES, VOLUMES

NAMES = st.sampled_from(["a", "b", "c"])
ROW = st.fixed_dictionaries(
    {
        "delivery": NAMES,
        "subject": st.none() | NAMES,
        "licence": NAMES,
        "series": st.none() | NAMES,
        "path": NAMES,
        "source_deliveries": st.none() | st.lists(NAMES, max_size=2),
        "licences": st.none() | st.lists(NAMES, max_size=2),
    }
)
OF = st.dictionaries(NAMES, st.sets(NAMES))
SCHEMA = pa.schema([(name, pa.string()) for name in ("delivery", "subject", "licence", "series", "path")]).append(
    pa.field("source_deliveries", pa.list_(pa.string()))
).append(pa.field("licences", pa.list_(pa.string())))  # fmt: skip


def _alone(row, scope, keys):
    if row.get(scope.kind) is not None:
        parts = {"delivery": "source_deliveries", "licence": "licences"}.get(scope.kind, "")
        return row[scope.kind] == scope.value or scope.value in (row.get(parts) or ())
    for name, known in keys.of():
        if row.get(name) is not None:
            return row[name] in known.get(row["delivery"], ())
    return False


@settings(deadline=None)
@given(
    st.lists(ROW, max_size=12), st.sampled_from(list(Kind)), NAMES, OF, OF, OF, st.sets(st.sampled_from(SCHEMA.names))
)
def test_columns_and_rows_are_judged_alike(rows, kind, value, series, places, people, left_out):
    scope, keys = Scope(kind, value), Keys(series, places, people)
    names = [name for name in SCHEMA.names if name == "delivery" or name not in left_out]
    table = pa.Table.from_pylist(rows, schema=SCHEMA).select(names)
    judged = inside(table, scope, keys)
    assert judged.to_pylist() == [_alone({n: row[n] for n in names}, scope, keys) for row in rows]


def test_a_row_made_with_a_part_of_it_leads_to_its_delivery_and_not_to_its_series():
    scope, keys = Scope(Kind.DELIVERY, "a"), Keys()
    rows = pa.table({
        "delivery": ["a", "b", "b"], "subject": ["S1", "S2", "S3"], "series": ["1", "2", "3"],
        "source_deliveries": [["a"], ["a", "b"], ["b"]],
    })  # fmt: skip
    belongs = inside(rows, scope, keys)
    note(rows, belongs, scope, keys)
    assert belongs.to_pylist() == [True, True, False]
    assert (keys.series, keys.people, keys.made_of) == ({"a": {"1"}}, {"a": {"S1"}}, {"b"})


@pytest.mark.parametrize(
    ("table", "kind", "told"),
    [
        (VOLUMES, Kind.SUBJECT, {"delivery", "subject"}),
        (VOLUMES, Kind.LICENCE, {"delivery", "subject", "licence", "licences"}),
        (RECEIVED, Kind.SUBJECT, {"delivery", "subject"}),
        (QUARANTINE, Kind.LICENCE, set(columns(QUARANTINE))),
    ],
    ids=[
        "a column that every row says",
        "with its parts",
        "a column that is there, also where it may be empty",
        "no such column",
    ],
)
def test_only_columns_that_decide_are_read(table, kind, told):
    assert set(needed(table, Scope(kind, "x"))) == told


def test_tables_that_say_nothing_of_persons_or_deliveries_are_not_looked_into():
    assert columns(TIER_MOVES) == columns(EXPOSURE_SETS) == []
