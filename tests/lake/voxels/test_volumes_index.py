"""A table opens from its index alone, and whatever becomes of the index, it gives the volumes of its version."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.errors import TableMissing, TableOutdated
from lake.releases import Release
from lake.tables.files import data_files
from lake.voxels import index, payload
from lake.voxels.sources import LocalFiles
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS, VOLUMES
from tests import synthetic
from tests.lake.conftest import label_row, labelled

PROJECT = Path(__file__).parents[3]


def folder(lake):
    return lake.table(LABELS).location.path / index.FOLDER


def kept(lake):
    return sorted(path.name for path in folder(lake).iterdir())


def equal(volumes, arrays):
    assert volumes.ids == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)


def test_opening_and_a_crop_read_no_footer(lake, monkeypatch):
    arrays = labelled(lake, "a", ["l0", "l1"]) | labelled(lake, "b", ["l2"])
    monkeypatch.setattr(LocalFiles, "parquet", lambda self, path: pytest.fail("a footer was read"))
    volumes = Volumes(lake, LABELS)
    equal(volumes, arrays)
    assert volumes.shape("l2") == (70, 40, 33)
    assert "l2" in volumes
    assert "l3" not in volumes


def test_a_commit_reads_only_the_footers_of_its_own_files(lake, monkeypatch):
    labelled(lake, "a", ["l0", "l1"])
    asked = []
    parquet = LocalFiles.parquet
    monkeypatch.setattr(LocalFiles, "parquet", lambda self, path: asked.append(path) or parquet(self, path))
    labelled(lake, "b", ["l2"])
    assert [path.split("/")[0] for path in asked] == ["delivery=b"]


def test_commits_of_many_files_each_leave_none_of_them_to_the_next_reader(lake, monkeypatch):
    """A lag that is counted in commits, not in files, leaves a third of the table to whoever opens it next."""
    monkeypatch.setattr(index, "_LAG", 10)
    table = lake.table(LABELS)
    for number in range(4):
        partition = {"delivery": f"d{number}"}
        rows = [label_row(f"l{number}{file}", np.ones((4, 4, 4), np.uint8)) for file in range(5)]
        table.replace(partition, [table.write([row], partition) for row in rows])
    monkeypatch.setattr(LocalFiles, "parquet", lambda self, path: pytest.fail("a footer was read"))
    assert len(Volumes(lake, LABELS)) == 20


def test_a_withdrawn_delivery_is_in_no_index(lake):
    labelled(lake, "a", ["l0", "l1"])
    labelled(lake, "b", ["withdrawn"])
    labelled(lake, "b", [])
    assert kept(lake) == [f"{3:020}.arrow"]
    content = b"".join(path.read_bytes() for path in folder(lake).iterdir())
    assert b"withdrawn" not in content
    assert b"delivery=b" not in content


def test_the_index_is_no_part_file(lake):
    labelled(lake, "a", ["l0"])
    assert [file.path[-8:] for file in data_files(lake.table(LABELS))] == [".parquet"]
    assert not any(file.orphan for file in data_files(lake.table(LABELS)))


def test_a_pinned_version_keeps_its_volumes(lake):
    first = labelled(lake, "a", ["l0", "l1"])
    labelled(lake, "a", ["l1", "l2"], seed=1)
    equal(Volumes(lake, LABELS, version=1), first)
    assert len(Volumes(lake, LABELS, version=0)) == 0
    assert kept(lake) == [f"{2:020}.arrow"], "an older version's volumes are not kept"


@pytest.mark.parametrize("version", [-1, 2, 99])
def test_a_version_that_is_not_there_is_told(lake, version):
    labelled(lake, "a", ["l0"])
    with pytest.raises(TableMissing, match=rf"no version {version} of table curated/labels, needed one of 0 to 1"):
        Volumes(lake, LABELS, version=version)


def test_a_table_that_is_not_there_is_told(lake):
    with pytest.raises(TableMissing, match="materialize the asset curated/labels"):
        Volumes(lake, LABELS)


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_a_damaged_index_gives_no_wrong_answer(tmp_path_factory, data):
    lake = Lake.open(tmp_path_factory.mktemp("lake"))
    arrays = labelled(lake, "a", ["l0", "l1"])
    (path,) = folder(lake).iterdir()
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        damaged = bytearray(whole)
        damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    path.write_bytes(damaged)
    equal(Volumes(lake, LABELS), arrays)
    assert path.read_bytes() == whole, "it is made again"


def test_a_lake_from_before_the_index_gets_one(lake, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(index, "renew", lambda *_: None)
        arrays = labelled(lake, "a", ["l0", "l1"])
    assert not folder(lake).exists()
    equal(Volumes(lake, LABELS), arrays)
    assert kept(lake) == [f"{1:020}.arrow"]


def test_an_index_of_another_table_at_the_same_place_is_not_believed(lake, tmp_path):
    labelled(lake, "a", ["l0", "l1"])
    stale = shutil.copytree(folder(lake), tmp_path / "stale")
    shutil.rmtree(lake.table(LABELS).location.path)
    arrays = labelled(lake, "a", ["l2"])
    shutil.rmtree(folder(lake))
    shutil.copytree(stale, folder(lake))
    equal(Volumes(lake, LABELS), arrays)


def test_an_index_from_beyond_the_newest_version_goes(lake):
    arrays = labelled(lake, "a", ["l0", "l1"])
    labelled(lake, "b", ["l2"])
    (lake.table(LABELS).location.path / "_delta_log" / f"{2:020}.json").unlink()
    equal(Volumes(lake, LABELS), arrays)
    assert kept(lake) == [f"{1:020}.arrow"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_who_may_not_write_reads_without_an_index(lake):
    arrays = labelled(lake, "a", ["l0"])
    shutil.rmtree(folder(lake))
    root = lake.table(LABELS).location.path
    root.chmod(0o500)
    try:
        equal(Volumes(lake, LABELS), arrays)
    finally:
        root.chmod(0o700)


def test_an_index_that_cannot_be_kept_fails_no_commit(lake, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(LocalFiles, "write", full)
    arrays = labelled(lake, "a", ["l0"])
    equal(Volumes(lake, LABELS), arrays)


WRITER = """
import sys
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.tables import LABELS
from tests.lake.conftest import label_row, labelled

root, delivery = sys.argv[1:]
for number in range(4):
    labelled(Lake.open(root), delivery, [f"{delivery}{number}"])
    assert f"{delivery}{number}" in Volumes(Lake.open(root), LABELS)
"""


def test_processes_that_commit_and_open_at_once_leave_one_right_index(lake):
    command = [sys.executable, "-c", WRITER, str(lake.settings.root)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    writers = [subprocess.Popen([*command, delivery], env=environment) for delivery in ("a", "b", "c")]
    assert [writer.wait(300) for writer in writers] == [0, 0, 0]
    assert kept(lake) == [f"{lake.table(LABELS).version():020}.arrow"]
    assert Volumes(lake, LABELS).ids == ["a3", "b3", "c3"]


def test_a_file_that_another_engine_rewrote_in_place_is_read_by_id(lake):
    arrays = labelled(lake, "a", ["l0", "l1", "l2"])
    (file,) = lake.table(LABELS).files()
    rows = pq.read_table(file, partitioning=None)
    pq.write_table(rows.take([2, 0, 1]), file, compression="zstd", row_group_size=2)
    volumes = Volumes(lake, LABELS)
    equal(volumes, arrays)
    assert volumes.row("l1")["label"] == "l1"


def test_rows_come_in_the_order_asked_for_and_equal_single_ones(lake):
    labelled(lake, "a", ["l0", "l1"])
    labelled(lake, "b", ["l2"])
    volumes = Volumes(lake, LABELS)
    assert volumes.rows() == [volumes.row(name) for name in volumes.ids]
    assert volumes.rows(["l2", "l0", "l2"], ["delivery", "label"]) == [
        {"delivery": "b", "label": "l2"}, {"delivery": "a", "label": "l0"}, {"delivery": "b", "label": "l2"},
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"no columns \['colour'\]"):
        volumes.rows(columns=["colour"])


def test_files_without_a_needed_column_are_told_to_be_outdated(lake):
    labelled(lake, "a", ["l0"])
    (file,) = lake.table(LABELS).files()
    rows = pq.read_table(file, partitioning=None)
    pq.write_table(rows.drop_columns(["scheme"]), file)
    with pytest.raises(TableOutdated, match=r"no columns \['scheme'\]"):
        Volumes(lake, LABELS).row("l0")
    shutil.rmtree(folder(lake))
    pq.write_table(rows.drop_columns(["shape"]), file)
    with pytest.raises(TableOutdated, match=r"no columns \['shape'\]"):
        Volumes(lake, LABELS)


def test_a_lost_file_is_told_and_spoils_no_other(lake):
    labelled(lake, "a", ["l0"])
    arrays = labelled(lake, "b", ["l1"])
    next(file for file in lake.table(LABELS).files() if "delivery=a" in str(file)).unlink()
    volumes = Volumes(lake, LABELS)
    np.testing.assert_array_equal(volumes.array("l1"), arrays["l1"])
    for ask in (volumes.array, volumes.row, lambda name: volumes.rows([name])):
        with pytest.raises(FileNotFoundError, match="label l0: found its part file gone"):
            ask("l0")


def test_a_lost_or_damaged_file_is_told_where_an_index_must_be_made(lake):
    labelled(lake, "a", ["l0"])
    shutil.rmtree(folder(lake))
    (file,) = lake.table(LABELS).files()
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(OSError, match="curated/labels, version 1: found a damaged part file"):
        Volumes(lake, LABELS)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="curated/labels, version 1: found a part file gone"):
        Volumes(lake, LABELS)


def damaged_header(content, place):
    content[place.offset : place.offset + 40] = bytes(40)


def damaged_chunk(content, place):
    middle = place.offset + place.length // 2
    content[middle : middle + 4000] = bytes(4000)


def cut(content, place):
    del content[place.offset + 50 :]


def emptied(content, place):
    content.clear()


@pytest.mark.parametrize("damage", [damaged_header, damaged_chunk, cut, emptied])
def test_a_damaged_payload_is_told(lake, damage):
    labelled(lake, "a", ["l0"])
    (file,) = lake.table(LABELS).files()
    content = bytearray(file.read_bytes())
    damage(content, Volumes(lake, LABELS)._place("l0"))
    file.write_bytes(content)
    with pytest.raises(payload.PayloadError, match=r"label l0: .*restore the file from a backup") as told:
        Volumes(lake, LABELS).array("l0")
    assert str(told.value).count("restore the file") == 1


def test_a_release_opens_from_its_own_index_whatever_becomes_of_the_table(lake, monkeypatch):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3", "S4"]})
    frozen = synthetic.frozen(lake)
    members = [m for split in ("train", "validation", "test") for m in frozen.members(split, sealed_ok=True)]
    arrays = {member.volume: frozen.volumes().array(member.volume) for member in members}
    synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", "S5")])
    release = Release.open(lake, frozen.name)
    monkeypatch.setattr(LocalFiles, "parquet", lambda self, path: pytest.fail("a footer was read"))
    volumes = release.volumes()
    assert volumes.ids == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)
    assert set(release.labels().ids) == {member.label for member in members if member.label}


def test_a_release_without_an_index_of_its_own_has_the_same_volumes(lake):
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2", "S3"]})
    release = synthetic.frozen(lake, cohort="contrast = 'T1'")
    ids = release.volumes().ids
    assert len(ids) == 3
    for path in (lake.settings.root / "curated" / "releases").rglob("*.index"):
        path.unlink()
    assert release.volumes().ids == ids
