"""A changed bit anywhere in the data is found by reading it again, told, and healed from a copy where there is one."""

import random
import shutil

import numpy as np
import pytest

from lake.integrity.scrub import Fault, marked, scrub
from lake.zones import Lake
from schemas.contract import Zone
from schemas.tables import QUARANTINE, TABLES, VOLUMES
from tests.kills import DELIVERY, delivered_to


@pytest.fixture(scope="session")
def delivered(tmp_path_factory):
    """A lake in which a small delivery went through to its volumes; tests copy it."""
    return delivered_to(tmp_path_factory.mktemp("delivered") / "lake")


@pytest.fixture
def lake(delivered, tmp_path):
    shutil.copytree(delivered, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def data(lake):
    """Every part file of every table."""
    return sorted(path for table in TABLES for path in lake.table(table).location.path.rglob("part-*.parquet"))


def flip(path, bit):
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def names(scrubbed):
    return {f"{f.place}/{f.name}" for f in scrubbed.findings}


def test_an_intact_lake_has_no_finding_and_every_file_has_a_digest(lake):
    first, second = scrub(lake, everything=True), scrub(lake, everything=True)
    assert first.findings == second.findings == ()
    assert first.files == second.files > len(data(lake))
    assert first.recorded
    assert second.recorded == 0
    assert marked(lake) == []


def test_each_of_a_thousand_flipped_bits_is_found(lake):
    """One bit at a time, anywhere in the data; what the digests of all files say is told without reading the others."""
    from lake.integrity.watched import location, part_files

    watched = {(w.place, w.name): w for table in TABLES for w in part_files(lake, table)}
    assert all(w.sha256 for w in watched.values())
    assert len(watched) == len(data(lake))
    choice, places = random.Random(1), sorted(watched)
    sizes = np.cumsum([watched[place].bytes for place in places])
    for _ in range(1000):
        byte = choice.randrange(sizes[-1])
        number = int(np.searchsorted(sizes, byte, side="right"))
        place, name = places[number]
        path = location(lake, place).path / name
        bit = choice.randrange(8 * watched[places[number]].bytes)
        flip(path, bit)
        assert location(lake, place).sha256(name) != watched[place, name].sha256
        flip(path, bit)
    assert scrub(lake, everything=True).findings == ()


def test_a_flipped_bit_in_any_kind_of_file_is_a_finding_and_marked_until_it_is_healed(lake):
    scrub(lake, everything=True)
    root = lake.settings.root
    chosen = [
        *(next(lake.table(table).location.path.rglob("part-*.parquet")) for table in (VOLUMES, QUARANTINE)),
        next(path for path in sorted((root / "landing" / DELIVERY).rglob("*.dcm"))),
        root / "restricted" / "vault" / "vault.check",
        root / "curated" / "instances" / "_delta_log" / "00000000000000000001.json",
    ]
    for path in chosen:
        flip(path, 8 * 20 + 3)
    found = scrub(lake, everything=True)
    wanted = {path.relative_to(root).as_posix() for path in chosen}
    assert wanted <= names(found)
    assert all(f.fault in (Fault.DAMAGED, Fault.UNREADABLE) for f in found.left)
    assert wanted <= {f"{f.place}/{f.name}" for f in marked(lake)}
    for path in chosen:
        flip(path, 8 * 20 + 3)
    # a marked file is read again in every round, whatever its share
    assert scrub(Lake.open(root, scrub_rounds=1000)).findings == ()
    assert marked(lake) == []


def test_shares_go_round_so_that_every_file_is_read_once(lake):
    root = lake.settings.root
    scrub(lake, everything=True)
    flip(next(lake.table(VOLUMES).location.path.rglob("part-*.parquet")), 9999)
    rounds = [scrub(Lake.open(root, scrub_rounds=5)) for _ in range(5)]
    assert [one.round for one in rounds] == [0, 1, 2, 3, 4]
    found = [one for one in rounds if one.findings]
    assert found
    assert found[0].findings[0].table == "curated/volumes"
    assert sum(one.files for one in rounds) >= scrub(lake, everything=True).files


def test_a_damaged_or_missing_file_is_restored_from_a_copy_that_holds_its_bytes(lake, tmp_path):
    root = lake.settings.root
    shutil.copytree(root, tmp_path / "copy")
    damaged, gone = (next(lake.table(table).location.path.rglob("part-*.parquet")) for table in (VOLUMES, QUARANTINE))
    before = damaged.read_bytes(), gone.read_bytes()
    flip(damaged, 5000)
    gone.unlink()
    opened = Lake.open(root, mirror=str(tmp_path / "copy"))
    found = scrub(opened, everything=True)
    assert {(f.table, f.fault, f.restored) for f in found.findings} == {
        ("curated/volumes", Fault.DAMAGED, True),
        ("restricted/quarantine", Fault.MISSING, True),
    }
    assert (damaged.read_bytes(), gone.read_bytes()) == before
    assert gone.stat().st_mode & 0o077 == 0
    aside = list((root / "restricted" / "scrub" / "damaged").iterdir())
    assert len(aside) == 1, "the damaged bytes are kept"
    assert marked(lake) == []


def test_a_copy_that_is_damaged_too_heals_nothing(lake, tmp_path):
    root = lake.settings.root
    path = next(lake.table(VOLUMES).location.path.rglob("part-*.parquet"))
    shutil.copytree(root, tmp_path / "copy")
    flip(path, 5000)
    flip(tmp_path / "copy" / path.relative_to(root), 6000)
    raw = path.read_bytes()
    found = scrub(Lake.open(root, mirror=f"{tmp_path / 'nowhere'} {tmp_path / 'copy'}"), everything=True)
    assert [f.restored for f in found.findings] == [False]
    assert path.read_bytes() == raw, "nothing is moved or changed"


def test_a_log_that_cannot_be_read_is_told_and_healed_from_a_copy(lake, tmp_path):
    root = lake.settings.root
    scrub(lake, everything=True)
    shutil.copytree(root, tmp_path / "copy")
    log = root / "curated" / "volumes" / "_delta_log" / "00000000000000000001.json"
    log.write_bytes(log.read_bytes()[:-40])
    assert "curated/volumes" in {f.table for f in scrub(lake, everything=True).left}
    assert scrub(Lake.open(root, mirror=str(tmp_path / "copy")), everything=True).left == []
    assert lake.table(VOLUMES).read(["volume"]).num_rows


def test_what_is_told_of_a_finding_names_no_file_that_may_hold_phi(lake):
    root = lake.settings.root
    path = next(path for path in sorted((root / "landing" / DELIVERY).rglob("*.dcm")))
    flip(path, 77)
    found = scrub(lake, everything=True).findings
    assert [f.shown for f in found] == ["landing"]
    assert lake.location(Zone.RESTRICTED, "scrub").path.stat().st_mode & 0o077 == 0
