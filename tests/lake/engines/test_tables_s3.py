"""Operations on tables that lie on S3: the same rows, versions and changes as in a folder, and nothing lost."""

import threading

import numpy as np
import pytest

from lake.engines.local import LocalEngine
from lake.engines.tables import DeltaTables
from lake.errors import TableMissing
from lake.tables.compaction import intact
from lake.tables.protocol import opened
from lake.tables.rewrite import stored
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS, QUARANTINE
from tests.lake.conftest import labelled
from tests.lake.engines.test_tables import HERE, paths, row, told

pytestmark = pytest.mark.s3
TABLES = DeltaTables(LocalEngine(1))


@pytest.fixture
def far(bucket, tmp_path, monkeypatch):
    """A lake with its tables on S3."""
    for zone in ("RESTRICTED", "CURATED"):
        monkeypatch.setenv(f"LARMOR_{zone}", f"s3://lake/{zone.lower()}")
    return Lake.open(tmp_path)


def test_a_table_through_its_life(far):
    table = far.table(QUARANTINE)
    assert not table.location.local
    TABLES.replace(table, HERE, [table.write([row("a"), row("b", line=2)], HERE)])
    TABLES.append(table, [table.write([row("c")], HERE)])
    assert TABLES.merge(table, [row("b", reason="new", line=2), row("z", delivery="d-2")]) == 3
    assert TABLES.delete(table, [("path", "in", ["a", "nobody"])]) == 4
    assert TABLES.delete(table, [("path", "=", "nobody")]) == 4
    assert paths(TABLES.select(table, ["path"], [("path", ">", "a")], HERE)) == ["b", "c"]
    before = TABLES.select(table).sort_by("path").to_pylist()
    assert TABLES.optimize(table) == 5
    assert TABLES.select(table).sort_by("path").to_pylist() == before
    assert len(table.names({"delivery": "d-1"})) == 1
    # travel in time, what changed, and what was done
    assert paths(TABLES.select(table, ["path"], version=1)) == ["a", "b"]
    assert paths(table.read(["path"], version=3)) == ["a", "b", "c", "z"]
    assert told(TABLES.changes(table, 2, 4, ["path", "reason"])) == [
        (3, "delete", "b", "r"), (3, "insert", "b", "new"), (3, "insert", "z", "r"), (4, "delete", "a", "r"),
    ]  # fmt: skip
    assert [commit.operation for commit in TABLES.history(table)][:3] == ["OPTIMIZE", "DELETE", "MERGE"]


def test_a_clean_up_removes_what_nothing_needs(far):
    table = far.table(QUARANTINE)
    for reason in ("one", "two", "three"):
        table.replace(HERE, [table.write([row("a", reason=reason)], HERE)])
    orphan = table.write([row("a")], HERE)
    would = TABLES.vacuum(table, [1], 0, nobody_writes=True, dry_run=True)
    assert orphan.path in would
    assert TABLES.vacuum(table, [1], 0, nobody_writes=True) == would
    assert not {found.name for found in table.location.files()} & set(would)
    assert [r["reason"] for r in table.read(version=1).to_pylist()] == ["one"]
    assert [r["reason"] for r in table.read().to_pylist()] == ["three"]
    with pytest.raises(OSError, match=r".+"):
        table.read(version=2)
    with pytest.raises(TableMissing, match="no version 9"):
        table.read(version=9)


def test_merges_at_the_same_time_lose_nothing(far):
    table = far.table(QUARANTINE)
    table.append([])
    failures = []

    def many(name):
        try:
            for number in range(3):
                TABLES.merge(table, [row(f"{name}{number}"), row("both", reason=name)])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=many, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert paths(table.read()) == sorted([f"{n}{i}" for n in "ab" for i in range(3)] + ["both"])


def test_voxels_keep_their_layout_in_a_deletion(far):
    arrays = labelled(far, "d-1", ["a", "b"])
    table = far.table(LABELS)
    TABLES.delete(table, [("label", "=", "b")])
    assert all(intact(table, file) for file in stored(table, opened(table.location, LABELS.path)))
    volumes = Volumes(far, LABELS)
    assert volumes.ids == ["a"]
    assert np.array_equal(volumes.array("a"), arrays["a"])
