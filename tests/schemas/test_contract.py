"""A contract refuses what contradicts itself, keeps PHI in its zone, and refuses rows that break it."""

import pyarrow as pa
import pytest

from schemas.contract import Column, Phi, Table, Zone
from schemas.tables import TABLES, VOLUMES

DELIVERY = Column("delivery", pa.string(), "Delivery")
COUNT = Column("count", pa.int64(), "How many")
NOTE = Column("note", pa.string(), "Remark", nullable=True)


def table(**changes):
    facts = {"zone": Zone.CURATED, "columns": (DELIVERY, COUNT, NOTE), "key": ("delivery",)} | changes
    return Table("things", meaning="Things", **facts)


@pytest.mark.parametrize("zone", [Zone.CURATED, Zone.AUDIT])
def test_direct_identifiers_cannot_be_declared_outside_the_restricted_zone(zone):
    name = Column("name", pa.string(), "A name", Phi.DIRECT)
    with pytest.raises(ValueError, match="must stay restricted"):
        table(zone=zone, columns=(DELIVERY, name))


@pytest.mark.parametrize(
    "changes",
    [{"key": ("missing",)}, {"partition_by": ("missing",)}, {"payload": "missing"}],
    ids=lambda c: next(iter(c)),
)
def test_a_contract_cannot_speak_of_columns_it_does_not_declare(changes):
    with pytest.raises(ValueError, match="needed also"):
        table(**changes)


def test_a_column_nobody_can_explain_is_refused():
    with pytest.raises(ValueError, match="no meaning"):
        Column("x", pa.int64(), "")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"count": None, "note": "a"}], "1 empty values in 'count'"),
        ([{"count": 1, "other": 2}], "does not declare"),
        (pa.table({"note": ["a"]}), "needed all of the contract's"),
        (pa.table({"count": ["many"], "note": ["a"]}), "needed the contract's"),
        ([{"count": "many", "note": "a"}], "another type in 'count', needed int64"),
    ],
    ids=["null in a needed column", "unknown column", "missing column", "wrong type", "wrong value"],
)
def test_rows_that_break_the_contract_are_refused_without_quoting_values(rows, said):
    with pytest.raises(ValueError, match=said) as refusal:
        table().conform(rows)
    assert "many" not in str(refusal.value)


def test_partition_values_are_not_in_files():
    assert table().conform([{"delivery": "d", "count": 1}]).column_names == ["count", "note"]


@pytest.mark.parametrize("contract", TABLES, ids=lambda t: t.name)
def test_every_column_says_what_it_means_and_what_it_says_of_a_person(contract):
    for field in contract.arrow_schema:
        assert field.metadata[b"comment"]
        assert field.metadata[b"phi"].decode() in list(Phi)


def test_the_names_that_others_build_on_stay():
    names = {"delivery", "subject", "study", "series", "volume", "kind", "shape", "affine", "spacing", "dtype", "slope"}
    names |= {"intercept", "percentiles", "occupancy", "missing_slices", "voxels"}
    assert names <= set(VOLUMES.arrow_schema.names)
    assert {t.path for t in TABLES} >= {"curated/instances", "restricted/quarantine", "audit/ledger", "audit/exposures"}
