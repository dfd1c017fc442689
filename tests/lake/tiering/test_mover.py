"""Files move without a reader noticing, or with one that is told; a mover killed at any point loses nothing."""

import json
import os
import signal

import numpy as np
import pytest

from lake.tables.files import data_files
from lake.tiering import archived, mover
from lake.tiering.archived import Archived, places
from lake.tiering.mover import Busy, Move, MoveRefused
from lake.voxels.volumes import Volumes
from schemas.tables import LEDGER, VOLUMES
from tests import synthetic
from tests.lake.tiering.conftest import COLD, FROZEN

FIRST = "S3 Standard"


def move_of(file, target, source=FIRST):
    return Move(file.path, file.bytes, source, target, file.sha256, "test")


def content(lake):
    """Every voxel of the newest version."""
    volumes = Volumes(lake)
    return {name: volumes.array(name) for name in volumes.ids}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_a_file_that_moved_to_a_readable_tier_is_read_as_before(tiered, files, book):
    before, rows = content(tiered), tiered.table(VOLUMES).rows()
    told = []
    result = mover.move(tiered, VOLUMES, [move_of(f, COLD) for f in files["needed"]], book, lambda *a: told.append(a))
    assert len(result.moved) == 2
    assert [m.path for m in told[0][2]] == [m.path for m in result.moved]
    for file in files["needed"]:
        link = tiered.table(VOLUMES).location.path / file.path
        assert link.is_symlink()
        assert (tiered.settings.tiers[COLD] / VOLUMES.path / file.path).read_bytes() == link.read_bytes()
    assert same(content(tiered), before)
    assert tiered.table(VOLUMES).rows() == rows
    assert {p.tier for p in places(tiered.table(VOLUMES).source).values()} == {COLD}
    assert [f.path for f in data_files(tiered.table(VOLUMES))] == sorted(
        f.path for f in files["needed"] + files["spare"]
    )
    back = mover.move(tiered, VOLUMES, [move_of(f, FIRST, COLD) for f in files["needed"]], book)
    assert len(back.moved) == 2
    assert not places(tiered.table(VOLUMES).source)
    assert not [p for p in tiered.settings.tiers[COLD].rglob("*") if p.is_file()]
    assert not any((tiered.table(VOLUMES).location.path / f.path).is_symlink() for f in files["needed"])
    assert same(content(tiered), before)


def test_a_reader_is_told_of_archived_files_before_it_fails(tiered, files, book):
    table, (spare,) = tiered.table(VOLUMES), files["spare"]
    old = table.version() - 1
    before = table.rows(version=old)
    mover.move(tiered, VOLUMES, [move_of(spare, FROZEN)], book)
    assert not (table.location.path / spare.path).exists()
    for read in (lambda: table.rows(version=old), lambda: Volumes(tiered, version=old)):
        with pytest.raises(Archived, match=r"1 of its files archived.*larmor tiers restore curated/volumes.*12 hours"):
            read()
    assert len(content(tiered)) == 3
    restored = mover.restore(tiered, VOLUMES, [spare.path], book)
    assert [m.path for m in restored.moved] == [spare.path]
    assert table.rows(version=old) == before
    assert Volumes(tiered, version=old).ids


def test_what_a_reader_needs_is_never_put_out_of_reach(tiered, files, book):
    table = tiered.table(VOLUMES)
    there = sorted(table.location.walk())
    needed, (spare,) = files["needed"][0], files["spare"]
    with pytest.raises(MoveRefused, match=r"newest version or a release needs.*12 hours"):
        mover.move(tiered, VOLUMES, [move_of(spare, FROZEN), move_of(needed, FROZEN)], book)
    with pytest.raises(MoveRefused, match="one data centre"):
        mover.move(tiered, VOLUMES, [move_of(needed, "S3 One Zone-IA")], book)
    log = Move("_delta_log/00000000000000000000.json", 1, FIRST, COLD)
    index = Move("_index/00000000000000000002.arrow", 1, FIRST, COLD)
    for each in (log, index):
        with pytest.raises(MoveRefused, match="log or an index"):
            mover.move(tiered, VOLUMES, [each], book)
    with pytest.raises(MoveRefused, match="outside the table"):
        mover.move(tiered, VOLUMES, [Move("../series/part.parquet", 1, FIRST, COLD)], book)
    event = data_files(tiered.table(LEDGER))[0]
    with pytest.raises(MoveRefused, match="sealed table"):
        mover.move(tiered, LEDGER, [move_of(event, COLD)], book)
    assert sorted(n for n in table.location.walk() if not n.startswith("_tiers/")) == there


def test_a_release_keeps_its_files_readable_after_the_table_went_on(tiered, book):
    synthetic.frozen(tiered)
    synthetic.put(tiered, VOLUMES, "b", [synthetic.volume_row("b", "S9")])
    pinned = [f for f in data_files(tiered.table(VOLUMES)) if not f.newest and f.partition["delivery"] == "b"]
    with pytest.raises(MoveRefused, match="release"):
        mover.move(tiered, VOLUMES, [move_of(f, FROZEN) for f in pinned], book)
    assert len(mover.move(tiered, VOLUMES, [move_of(f, COLD) for f in pinned], book).moved) == 1


def test_a_damaged_file_stays_and_is_told_of(tiered, files, book):
    file = files["needed"][0]
    path = tiered.table(VOLUMES).location.path / file.path
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(bytes(raw))
    result = mover.move(tiered, VOLUMES, [move_of(f, COLD) for f in files["needed"]], book)
    assert len(result.moved) == 1
    assert "other bytes than its commit recorded" in result.failed[0]
    assert not path.is_symlink()
    assert not (tiered.settings.tiers[COLD] / VOLUMES.path / file.path).exists()


def test_a_file_that_was_cleaned_up_meanwhile_is_no_error(tiered, files, book):
    (spare,) = files["spare"]
    (tiered.table(VOLUMES).location.path / spare.path).unlink()
    result = mover.move(tiered, VOLUMES, [move_of(spare, FROZEN)], book)
    assert [m.path for m in result.gone] == [spare.path]
    assert not places(tiered.table(VOLUMES).source)


def test_a_tier_without_a_folder_says_how_to_name_one(tiered, files, book):
    result = mover.move(tiered, VOLUMES, [move_of(files["needed"][0], "S3 Standard-IA")], book)
    assert "LARMOR_TIERS" in result.failed[0]


def test_two_movers_of_one_table_do_not_meet(tiered, files, book):
    with mover._alone(tiered.table(VOLUMES)), pytest.raises(Busy):
        mover.move(tiered, VOLUMES, [move_of(files["needed"][0], COLD)], book)
    assert len(mover.move(tiered, VOLUMES, [move_of(files["needed"][0], COLD)], book).moved) == 1


_STEPS = ("replace", "fsync", "unlink", "open", "link", "symlink")
"""What changes a disk, or makes a change last."""


def _killed(step, work):
    """Do work in a child that is killed before its n-th step; True if it came to the end."""
    child = os.fork()
    if not child:
        count = 0

        def counted(real):
            def call(*arguments, **named):
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return call

        for name in _STEPS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


@pytest.mark.parametrize("way", ["cold", "frozen", "between", "back"])
def test_killed_at_any_step_nothing_is_lost_and_the_next_run_finishes(tiered, files, book, way):
    table, (spare,) = tiered.table(VOLUMES), files["spare"]
    some = {
        "cold": [move_of(f, COLD) for f in files["needed"]],
        "frozen": [move_of(spare, FROZEN)],
        "between": [move_of(spare, FROZEN, COLD)],
        "back": [move_of(spare, FIRST, FROZEN)],
    }[way]
    whole = {f.path: (table.location.path / f.path).read_bytes() for f in files["needed"] + files["spare"]}
    before, step, done = content(tiered), 0, False
    while not done:
        step += 1
        start = some[0].source
        if start != FIRST:
            mover.move(tiered, VOLUMES, [move_of(spare, start)], book)
        done = _killed(step, lambda: mover.move(tiered, VOLUMES, some, book))
        for path, data in whole.items():
            copies = [table.location.path / path, *(t / VOLUMES.path / path for t in tiered.settings.tiers.values())]
            assert any(c.is_file() and c.read_bytes() == data for c in copies), f"{path} lost at step {step}"
        assert same(content(tiered), before), f"a reader failed after step {step}"
        told = []
        mover.resume(tiered, VOLUMES, book, lambda *a, told=told: told.append(a))
        assert not table.location.exists(f"{archived.FOLDER}/{mover.JOURNAL}")
        there = places(table.source)
        ended = [each for each in some if (there[each.path].tier if each.path in there else FIRST) == each.target]
        if told:
            assert len(ended) == len(some)
        # to the beginning: what was not begun stayed, what was is whole on its tier alone
        home = [Move(p, place.bytes, place.tier, FIRST, place.sha256) for p, place in places(table.source).items()]
        assert not mover.move(tiered, VOLUMES, home, book).failed
        left = [p for folder in tiered.settings.tiers.values() for p in folder.rglob("*.parquet") if p.is_file()]
        assert not left, f"a copy was left at step {step}"
        assert {p: (table.location.path / p).read_bytes() for p in whole} == whole
    assert step > 10


def test_the_journal_holds_no_more_than_names_and_digests(tiered, files, book, monkeypatch):
    monkeypatch.setattr(mover, "keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        mover.move(tiered, VOLUMES, [move_of(files["needed"][0], COLD)], book)
    said = json.loads(tiered.table(VOLUMES).location.join(archived.FOLDER).read_bytes(mover.JOURNAL))
    assert set(said["moves"][0]) == {"path", "bytes", "source", "target", "sha256", "why"}
