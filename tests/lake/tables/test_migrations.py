"""A table of an older lake is brought forward in one commit, rows and pinned versions as they were, and never half."""

import concurrent.futures
import dataclasses
import json

import pytest
from deltalake import DeltaTable, Field
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import TableNewer, TableOutdated
from lake.tables import log, migrations
from lake.tables.changes import changes
from lake.tables.creation import properties
from lake.tables.formats import PROPERTY
from lake.tables.migrations import due, upgrade
from lake.tables.protocol import require_shared
from lake.tables.rewrite import delete, merge
from lake.tables.select import select
from lake.tables.table import LakeTable
from lake.zones import Lake
from schemas.contract import Column, Table, Zone
from schemas.tables import DECISIONS, LEDGER, SERIES, TABLES, VOLUMES
from schemas.tables.columns import FLOAT, STRING
from tests import older
from tests.older import OLDER, contracts, filled, row

BY_PATH = {table.path: table for table in TABLES}
CHANGED = [pytest.param(name, path, id=f"{name}-{path}") for name in OLDER for path in older.changed(name)]


def newest(table):
    return DeltaTable(table.location.uri, storage_options=table.location.options)


@pytest.mark.parametrize(("name", "path"), CHANGED)
def test_a_table_of_any_older_contract_is_brought_forward(tmp_path, name, path):
    lake, contract = Lake.open(tmp_path), BY_PATH[path]
    then = filled(lake, contracts(name)[path])
    before = then.read(then.contract.arrow_schema.names).to_pylist()
    table = lake.table(contract)
    gained = [n for n in contract.arrow_schema.names if n not in then.contract.arrow_schema.names]
    assert due(table) == gained
    version = upgrade(table)
    assert (version, table.version(), due(table), upgrade(table)) == (2, 2, None, None)
    assert set(contract.arrow_schema.names) == {field.name for field in newest(table).schema().fields}
    assert table.read(then.contract.arrow_schema.names).to_pylist() == before
    new = table.read(gained).to_pylist()
    assert new == [{n: contract.older(n) for n in gained}]
    assert table.read(gained, version=1).to_pylist() == new, "a version that a release is pinned to reads the same"
    partition = dict.fromkeys(contract.partition_by, "y")
    table.replace(partition, [table.write([row(contract)], partition)])
    assert table.read([contract.key[-1]]).num_rows == 2
    require_shared(newest(table), path)


@pytest.mark.parametrize("contract", TABLES, ids=lambda table: table.path)
def test_a_contract_that_changed_has_a_new_format(contract):
    known = json.loads((older.FOLDER / f"format-{contract.format}.json").read_text())
    assert known.get(contract.path) == older.described(contract), (
        f"the columns of {contract.path} changed: raise its format, and keep the contract in contracts/format-N.json"
    )


@pytest.mark.parametrize("name", OLDER)
def test_what_a_contract_gained_is_completed_in_older_rows(name):
    for path, then in contracts(name).items():
        assert BY_PATH[path].incomplete(BY_PATH[path].arrow_schema.names, then.arrow_schema.names) == []


def test_a_table_is_made_as_one_that_was_brought_forward(tmp_path):
    """Nobody can tell the two apart, but for the order of columns and what may be empty."""
    lake = Lake.open(tmp_path)
    filled(lake, contracts("spine")[SERIES.path])
    table = lake.table(SERIES)
    upgrade(table)
    fresh = Lake.open(tmp_path / "fresh").table(SERIES)
    fresh.append([])
    assert newest(table).metadata().configuration == newest(fresh).metadata().configuration == properties(SERIES)
    assert newest(table).protocol() == newest(fresh).protocol()
    about = [{f.name: (f.type, f.metadata) for f in newest(t).schema().fields} for t in (table, fresh)]
    assert about[0].keys() == about[1].keys()
    assert about[0]["snr"] == about[1]["snr"]
    assert newest(table).metadata().name == "series"


def test_what_somebody_set_stays(tmp_path):
    lake = Lake.open(tmp_path)
    then = filled(lake, contracts("spine")[SERIES.path])
    newest(then).alter.set_table_properties(
        {"delta.checkpointInterval": "7", "delta.logRetentionDuration": "interval 9 days"}
    )
    upgrade(lake.table(SERIES))
    told = newest(then).metadata().configuration
    assert (told["delta.checkpointInterval"], told["delta.logRetentionDuration"]) == ("7", "interval 9 days")


def test_a_protocol_is_raised_by_what_it_lacks_alone():
    before = migrations.Declared((), {}, writer=2)
    assert migrations.as_made_now(SERIES, before).writer == 4
    named = migrations.Declared((), {}, writer=7, features=frozenset({"checkConstraints"}))
    then = migrations.as_made_now(SERIES, named)
    assert (then.writer, then.features) == (7, {"checkConstraints", "changeDataFeed"})
    unwanted = migrations.Declared((), {"delta.enableChangeDataFeed": "false"}, writer=2)
    assert migrations.as_made_now(SERIES, unwanted).writer == 2


def test_an_older_table_is_read_and_not_written(tmp_path):
    lake = Lake.open(tmp_path)
    filled(lake, contracts("spine")[SERIES.path])
    table = lake.table(SERIES)
    assert table.read(["contrast_agent", "snr"]).to_pylist() == [{"contrast_agent": "unknown", "snr": None}]
    assert select(table, ["series"], [("contrast_agent", "=", "unknown")]).num_rows == 1
    assert select(table, ["series"], [("snr", ">", 0.0)]).num_rows == 0
    here = {"delivery": "x"}
    writes = (
        lambda: table.write([row(SERIES)], here),
        lambda: table.replace(here, []),
        lambda: table.append([]),
        lambda: table.append([], expected_version=1),
        lambda: merge(table, [row(SERIES, **here)]),
        lambda: delete(table, [("series", "=", "k0")]),
    )
    for write in writes:
        with pytest.raises(TableOutdated, match=r"lacks contrast_agent, .* and 15 more.*; run larmor upgrade"):
            write()
    assert table.version() == 1


def test_rows_of_both_ages_are_asked_alike(tmp_path):
    lake = Lake.open(tmp_path)
    filled(lake, contracts("spine")[SERIES.path])
    table = lake.table(SERIES)
    upgrade(table)
    table.append([table.write([row(SERIES, series="new", contrast_agent="given", snr=3.0)], {"delivery": "y"})])
    asked = [("contrast_agent", "=", "unknown")]
    assert select(table, ["series", "contrast_agent"], asked).to_pylist() == [
        {"series": "k0", "contrast_agent": "unknown"}
    ]
    assert lake.sql("SELECT contrast_agent, snr FROM series ORDER BY 1").to_pylist() == [
        {"contrast_agent": "given", "snr": 3.0}, {"contrast_agent": "unknown", "snr": None},
    ]  # fmt: skip
    told = changes(table, after=2, columns=["series", "contrast_agent"]).to_pylist()
    assert told == [{"series": "new", "contrast_agent": "given", "version": 3, "change": "insert"}]
    merge(table, [row(SERIES, delivery="x", series="k0", snr=1.0)])
    assert sorted(table.read(["snr"])["snr"].to_pylist()) == [1.0, 3.0]
    delete(table, [("contrast_agent", "=", "given")])
    assert table.read(["series"])["series"].to_pylist() == ["k0"]


def test_a_checkpoint_of_either_side_tells_the_same(tmp_path):
    lake = Lake.open(tmp_path)
    newest(filled(lake, contracts("spine")[SERIES.path])).create_checkpoint()
    table = lake.table(SERIES)
    assert "snr" in due(table)
    upgrade(table)
    assert due(table) is None
    newest(table).create_checkpoint()
    assert due(table) is None
    assert log.made(table.location).columns == frozenset(SERIES.arrow_schema.names)


def test_a_newer_table_is_read_and_not_written(tmp_path):
    lake = Lake.open(tmp_path)
    table, here = lake.table(SERIES), {"delivery": "x"}
    table.append([table.write([row(SERIES)], here)])
    newest(table).alter.add_columns([Field("colour", "string")])
    newest(table).alter.set_table_properties({PROPERTY: "2"}, raise_if_not_exists=False)
    assert table.read(["series"]).num_rows == 1
    for write in (
        lambda: table.write([row(SERIES)], here),
        lambda: table.replace(here, []),
        lambda: merge(table, [row(SERIES, **here)]),
        lambda: upgrade(table),
    ):
        with pytest.raises(TableNewer, match="found format 2, this version writes up to 1; upgrade Larmor"):
            write()


def test_what_no_migration_makes_is_refused_with_the_remedy(tmp_path):
    lake = Lake.open(tmp_path)
    then = filled(lake, contracts("spine")[SERIES.path])
    columns = [dataclasses.replace(c, type=FLOAT) if c.name == "plane" else c for c in SERIES.columns]
    harder = (*SERIES.columns, Column("needed", STRING, "m"))
    for contract, name in ((columns, "plane"), (harder, "needed")):
        table = LakeTable(dataclasses.replace(SERIES, columns=tuple(contract)), then.location)
        with pytest.raises(TableOutdated, match=rf"columns \['{name}'\] that no migration makes.*move the table away"):
            upgrade(table)
    assert then.version() == 1
    with pytest.raises(TableOutdated, match=r"no columns \['needed'\]"):
        table.read(["needed"])


def test_a_column_that_may_be_empty_by_now_may_be_so_in_the_table(tmp_path):
    lake = Lake.open(tmp_path)
    then = filled(lake, contracts("spine")[SERIES.path])
    looser = [dataclasses.replace(c, nullable=True) if c.name == "plane" else c for c in SERIES.columns]
    table = LakeTable(dataclasses.replace(SERIES, columns=tuple(looser)), then.location)
    upgrade(table)
    assert next(f for f in newest(table).schema().fields if f.name == "plane").nullable
    told = {name: value for name, value in row(SERIES).items() if name != "plane"}
    table.replace({"delivery": "y"}, [table.write([told], {"delivery": "y"})])
    assert set(table.read(["plane"])["plane"].to_pylist()) == {"x", None}


def test_a_sealed_table_is_left_alone(tmp_path):
    lake = Lake.open(tmp_path)
    filled(lake, contracts("spine")[LEDGER.path], sequence=0)
    assert due(lake.table(LEDGER)) is None
    assert upgrade(lake.table(LEDGER)) is None


def test_a_part_file_may_lack_columns_of_its_table(tmp_path):
    import numpy as np

    from lake import Volumes
    from lake.voxels.payload import encode

    lake = Lake.open(tmp_path)
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    frame = bytes(encode(array))
    facts = {"voxels": frame, "voxels_bytes": len(frame), "shape": [2, 3, 4], "volume": "v"}
    filled(lake, contracts("spine")[VOLUMES.path], **facts)
    for _ in range(2):
        volumes = Volumes(lake)
        assert volumes.row("v", ["snr", "sources", "delivery"]) == {"snr": None, "sources": [], "delivery": "x"}
        np.testing.assert_array_equal(volumes.array("v"), array)
        upgrade(lake.table(VOLUMES))
    assert Volumes(lake).version == 2


def test_writers_and_an_upgrade_do_not_lose_each_other(tmp_path):
    """Processes of the older version go on writing; each commit lands, and so does the upgrade, once."""
    lake = Lake.open(tmp_path)
    then = filled(lake, contracts("spine")[SERIES.path])

    def write(number):
        here = {"delivery": f"d{number}"}
        then.replace(here, [then.write([row(then.contract, series=f"s{number}")], here)])

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(write, number) for number in range(24)]
        upgrades = [pool.submit(upgrade, lake.table(SERIES)) for _ in range(4)]
        done = [each.result() for each in (*writers, *upgrades)][24:]
    assert len([version for version in done if version is not None]) == 1
    assert lake.table(SERIES).read(["series"]).num_rows == 25
    assert due(lake.table(SERIES)) is None


def test_a_reader_keeps_the_version_that_it_opened(tmp_path):
    lake = Lake.open(tmp_path)
    then = filled(lake, contracts("spine")[SERIES.path])
    reader = newest(then)
    upgrade(lake.table(SERIES))
    assert reader.version() == 1
    assert reader.to_pyarrow_dataset().to_table().num_rows == 1


def test_a_restricted_table_stays_for_its_owner_alone(tmp_path):
    lake = Lake.open(tmp_path)
    table = lake.table(BY_PATH["restricted/received"])
    filled(lake, contracts("spine")[table.contract.path])
    version = upgrade(table)
    commit = table.location.path / "_delta_log" / log.name(version)
    assert commit.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", [SERIES.path, VOLUMES.path, DECISIONS.path])
def test_a_table_on_s3_is_brought_forward_and_written(bucket, tmp_path, path):
    lake = Lake.open(tmp_path, curated="s3://lake/curated", audit="s3://lake/audit")
    contract = BY_PATH[path]
    then = filled(lake, contracts("spine")[path])
    table, here = lake.table(contract), {"delivery": "y"}
    with pytest.raises(TableOutdated, match="larmor upgrade"):
        table.replace(here, [table.write([row(contract)], here)])
    assert newest(then).schema() == newest(table).schema()
    assert upgrade(table) == 2
    assert upgrade(table) is None
    schema = newest(table).schema()
    table.replace(here, [table.write([row(contract)], here)])
    table.replace({"delivery": "x"}, [])
    assert newest(table).schema() == schema, "a later commit does not take back what a column may be"
    assert table.read([contract.key[-1]]).num_rows == 1


COLUMNS = st.lists(st.tuples(st.sampled_from([None, "nullable", "older"]), st.booleans()), max_size=6)


@settings(max_examples=40, deadline=None)
@given(COLUMNS)
def test_any_columns_that_a_contract_can_complete_are_gained(tmp_path_factory, columns):
    """Columns of any kind, there or not there in the older table: the newest contract writes and reads."""
    lake = Lake.open(tmp_path_factory.mktemp("any"))
    key, delivery = Column("key", STRING, "m"), Column("delivery", STRING, "m")
    now = [
        Column(f"c{n}", STRING, "m", nullable=kind == "nullable", older="old" if kind == "older" else None)
        for n, (kind, _) in enumerate(columns)
    ]
    there = [c for c, (kind, was) in zip(now, columns, strict=True) if was or kind is None]
    then = Table("t", Zone.CURATED, "m", (delivery, key, *there), ("key",))
    contract = Table("t", Zone.CURATED, "m", (delivery, key, *now), ("key",))
    filled(lake, then)
    table = lake.table(contract)
    assert (upgrade(table) is None) == (len(there) == len(now))
    table.append([table.write([row(contract, key="k1")], {"delivery": "y"})])
    rows = {each["key"]: each for each in table.rows()}
    old = {c.name: "x" if c in there and not c.nullable else c.older for c in now}
    new = {c.name: None if c.nullable else "x" for c in now}
    assert rows == {"k0": {"delivery": "x", "key": "k0", **old}, "k1": {"delivery": "y", "key": "k1", **new}}
    assert migrations.due(table) is None
