"""Erased rows are in no version, no file and no statistics; what stood beside them stays as it was."""

import datetime as dt
import os
import time

import numpy as np
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from lake.tables import erasure
from lake.tables.erasure import erase
from lake.tables.rewrite import Sealed
from lake.voxels.volumes import Volumes
from schemas.tables import LEDGER, VOLUMES
from tests import synthetic

COLUMNS = ["subject"]


def _of(subject):
    return lambda rows: pc.equal(rows["subject"], subject)


@pytest.fixture
def filled(lake):
    """Three versions: both subjects, both in other files, and another delivery."""
    rows = [synthetic.volume_row("a", subject) for subject in ("S1", "S2")]
    synthetic.put(lake, VOLUMES, "a", rows)
    synthetic.put(lake, VOLUMES, "a", [*rows, synthetic.volume_row("a", "S2", "T2")])
    synthetic.put(lake, VOLUMES, "b", [synthetic.volume_row("b", "S3")])
    return lake


def _subjects(table, version=None):
    return sorted(row["subject"] for row in table.rows(["subject"], version=version))


def test_rows_are_gone_from_newest_and_kept_versions_and_the_rest_stays(filled):
    table = filled.table(VOLUMES)
    older, newest = table.version() - 2, table.version()
    before = {p.name for p in table.location.path.rglob("*.parquet")}
    found = erase(table, COLUMNS, _of("S1"), keep=[older], forget="S1".__eq__)
    assert found.rows == 1
    assert found.files == 2
    assert _subjects(table) == ["S2", "S2", "S3"]
    assert _subjects(table, older) == ["S2"]
    delta = DeltaTable(table.location.path, version=older)
    assert delta.to_pyarrow_table(columns=["subject"])["subject"].to_pylist() == ["S2"]
    with pytest.raises(FileNotFoundError):
        table.rows(["subject"], version=newest - 1)
    after = {p.name for p in table.location.path.rglob("part-*.parquet")}
    assert len(before - after) == 2


def test_voxels_beside_the_erased_are_the_same(filled):
    table = filled.table(VOLUMES)
    older = table.version() - 2
    erase(table, COLUMNS, _of("S1"), keep=[older])
    name = synthetic.volume_id("a", "S2", "T1")
    for version in (None, older):
        volumes = Volumes.open(table.location.uri, version)
        np.testing.assert_array_equal(volumes.array(name), synthetic.stored(name))
        with pytest.raises(KeyError):
            volumes.array(synthetic.volume_id("a", "S1", "T1"))


def test_no_byte_of_the_log_names_the_subject_any_more(filled):
    table = filled.table(VOLUMES)
    DeltaTable(table.location.path).create_checkpoint()
    erase(table, COLUMNS, _of("S1"), keep=range(table.version() + 1), forget="S1".__eq__)
    log = table.location.path / "_delta_log"
    assert not [p.name for p in log.glob("*.json") if '\\"S1\\"' in p.read_text()]
    assert _subjects(table) == ["S2", "S2", "S3"]
    for version in range(table.version() + 1):
        assert "S1" not in DeltaTable(table.location.path, version=version).get_add_actions(flatten=True).schema.names
        assert "S1" not in _subjects(table, version)


def test_again_changes_nothing(filled):
    table = filled.table(VOLUMES)
    erase(table, COLUMNS, _of("S1"), keep=[1], forget="S1".__eq__)
    version = table.version()
    there = {p: p.stat().st_mtime_ns for p in table.location.path.rglob("*.parquet")}
    found = erase(table, COLUMNS, _of("S1"), keep=[1], forget="S1".__eq__)
    assert (found.rows, found.files, found.commits, table.version()) == (0, 0, 0, version)
    assert {p: p.stat().st_mtime_ns for p in table.location.path.rglob("*.parquet")} == there


def test_a_file_that_may_be_in_writing_is_told_and_left(filled):
    table = filled.table(VOLUMES)
    part = table.write([synthetic.volume_row("a", "S1")], {"delivery": "a"})
    assert erase(table, COLUMNS, _of("S1")).in_writing == 1
    old = time.time() - erasure.IN_WRITING / dt.timedelta(seconds=2)
    path = table.location.path / part.path
    os.utime(path, (old, old))
    assert erase(table, COLUMNS, _of("S1")).in_writing == 1
    os.utime(path, (0, 0))
    assert erase(table, COLUMNS, _of("S1")).files == 1
    assert not path.exists()


def test_the_ledger_is_refused(lake):
    with pytest.raises(Sealed):
        erase(lake.table(LEDGER), ["sequence"], _of("S1"))
