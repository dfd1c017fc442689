"""A backup is a lake that comes back whole: row for row, ledger, releases, models; killed, it is made again."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from lake.integrity.backup import BackupError, backups
from lake.integrity.scrub import scrub
from lake.releases import Release
from lake.stores.storage import Location
from lake.tables.files import data_files
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.seals import seal
from lineage.ledger.verify import verify
from schemas.release import ReleaseSpec, Splits
from schemas.tables import INSTANCES, QUARANTINE, TABLES, VOLUMES
from stages.release import freeze
from stages.series import describe
from stages.upkeep.backups import backed_up, restored
from tests.kills import DELIVERY, PROJECT, delivered_to


@pytest.fixture(scope="session")
def frozen(tmp_path_factory):
    """A lake with a release and a model; tests copy it."""
    root = delivered_to(tmp_path_factory.mktemp("frozen") / "lake")
    lake = Lake.open(root)
    describe(lake, DELIVERY)
    spec = ReleaseSpec(name="knees", cohort="true", splits=Splits(train=0.5, validation=0.0, test=0.5), k=1)
    freeze(lake, spec)
    model = lake.location("models", "base")
    model.write_bytes("weights.safetensors", b"weights")
    model.write_bytes("manifest.json", b"{}")
    lake.location("models", ".runs").write_bytes("base.ckpt", b"unfinished")
    return root


@pytest.fixture
def lake(frozen, tmp_path):
    shutil.copytree(frozen, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def place(tmp_path):
    return Location(tmp_path / "backups", private=True)


def rows(lake, contract):
    table = lake.table(contract)
    return sorted(map(repr, table.rows([c.name for c in contract.columns]))) if table.exists() else None


def test_a_restored_lake_is_the_lake_that_was_copied(lake, place, tmp_path):
    before = {table.path: rows(lake, table) for table in TABLES}
    made, copied = backed_up(lake, place)
    assert 0 < copied <= made.files
    empty = Lake.open(tmp_path / "empty")
    found = restored(place, empty)
    assert found.ok
    assert found.findings == ()
    after = {table.path: rows(empty, table) for table in TABLES}
    differ = [path for path in before if before[path] != after[path]]
    # the ledger of the copy goes on: it says that it was restored
    assert differ == ["audit/ledger"]
    assert before["audit/ledger"] == [row for row in after["audit/ledger"] if row in before["audit/ledger"]]
    assert ledger.entries(empty)[-1]["type"] == "restored"
    seal(empty)
    assert verify(empty).ok
    old, new = Release.open(lake, "knees"), Release.open(empty, "knees")
    assert old.sha256 == new.sha256
    for volume in new.volumes().ids:
        assert (new.volumes().array(volume) == old.volumes().array(volume)).all()
    assert empty.location("models", "base").read_bytes("weights.safetensors") == b"weights"
    assert not empty.location("models").exists(".runs"), "what is being made is no part of a backup"
    assert (empty.landing / DELIVERY / "delivery.yaml").exists()
    zone = tmp_path / "empty" / "restricted"
    restricted = [zone, *zone.rglob("*")]
    assert not [p for p in restricted if p.stat().st_mode & 0o077]
    assert not [p for p in place.path.rglob("*") if p.stat().st_mode & 0o077], "a backup holds PHI"


def test_a_second_backup_copies_what_is_new_and_the_first_can_still_be_restored(lake, place, tmp_path):
    first, _ = backed_up(lake, place)
    old = rows(lake, QUARANTINE)
    lake.table(QUARANTINE).replace({"delivery": DELIVERY, "stage": "received"}, [])
    second, copied = backed_up(lake, place)
    assert copied < first.files / 4
    assert [one.name for one in backups(place)] == [first.name, second.name]
    for name, wanted in ((first.name, old), (second.name, rows(lake, QUARANTINE))):
        empty = Lake.open(tmp_path / name)
        assert restored(place, empty, name).ok
        assert rows(empty, QUARANTINE) == wanted


def test_versions_that_releases_need_are_part_of_it_and_others_are_not(lake, place, tmp_path):
    pinned = Release.open(lake, "knees").manifest.tables["curated/volumes"]
    frozen = lake.table(VOLUMES).rows(["volume"], version=pinned)
    lake.table(VOLUMES).replace({"delivery": DELIVERY}, [])
    lake.table(INSTANCES).replace({"delivery": DELIVERY}, [])
    backed_up(lake, place)
    empty = Lake.open(tmp_path / "empty")
    assert restored(place, empty).ok
    assert empty.table(VOLUMES).rows(["volume"]) == []
    assert empty.table(VOLUMES).rows(["volume"], version=pinned) == frozen
    assert len(Release.open(empty, "knees").volumes().ids)
    assert [file.on_disk for file in data_files(empty.table(INSTANCES))] == [False]


def test_without_the_restricted_zone_no_phi_is_copied(lake, place, tmp_path):
    made, _ = backed_up(lake, place, restricted=False)
    assert not [path for path in made.tables if path.startswith("restricted/")]
    received = {row["sha256"] for row in lake.table(TABLES[0]).rows(["sha256"])}
    assert not [p for p in (place.path / "objects").rglob("*") if p.name in received]
    empty = Lake.open(tmp_path / "empty")
    assert restored(place, empty).ok
    assert len(Release.open(empty, "knees").volumes().ids)


def test_a_backup_of_a_damaged_lake_and_from_a_damaged_backup_are_refused(lake, place, tmp_path):
    backed_up(lake, place)
    victim = max((place.path / "objects").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    raw = bytearray(victim.read_bytes())
    raw[100] ^= 1
    victim.write_bytes(raw)
    with pytest.raises(BackupError, match="damaged or missing in the backup"):
        restored(place, Lake.open(tmp_path / "empty"))
    part = next(lake.table(VOLUMES).location.path.rglob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(BackupError, match="other bytes than its commit says"):
        backed_up(lake, Location(tmp_path / "other", private=True))
    assert backups(Location(tmp_path / "other", private=True)) == []


def test_a_lake_that_holds_something_is_never_written_over(lake, place):
    backed_up(lake, place)
    before = lake.location("curated").walk()
    with pytest.raises(BackupError, match="found a lake there already"):
        restored(place, lake)
    assert lake.location("curated").walk() == before
    with pytest.raises(BackupError, match="found no backup never"):
        restored(place, lake, "never")


def test_a_scrub_restores_from_a_backup(lake, place):
    backed_up(lake, place)
    part = next(lake.table(VOLUMES).location.path.rglob("part-*.parquet"))
    raw = part.read_bytes()
    part.write_bytes(raw[:500] + b"\xff" + raw[501:])
    found = scrub(Lake.open(lake.settings.root, mirror=str(place.path)), everything=True)
    assert [f.restored for f in found.findings] == [True]
    assert part.read_bytes() == raw


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_killed_and_given_again_it_comes_to_the_same(lake, place, tmp_path, what):
    """Killed after the n-th file was put in place, for some n, then run once more."""
    if what == "restore":
        backed_up(lake, place)
    target = tmp_path / "empty"
    for number in (1, 40):
        ended = subprocess.run(
            [sys.executable, "-c", _KILLED, str(number), what, str(lake.settings.root), str(place.path), str(target)],
            cwd=PROJECT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(PROJECT)},
        )  # fmt: skip
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    if what == "backup":
        assert backups(place) == []
        _, copied = backed_up(lake, place)
        assert copied
    assert restored(place, Lake.open(target)).ok
    assert rows(Lake.open(target), VOLUMES) == rows(lake, VOLUMES)


_KILLED = """
import os, signal, sys
from pathlib import Path
number, what, root, place, target = int(sys.argv[1]), *sys.argv[2:]
from lake.stores.storage import Location
from lake.zones import Lake
from stages.upkeep.backups import backed_up, restored
def heard(event, arguments):
    global number
    if event == "os.rename":
        number -= 1
        if number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(heard)
place = Location(Path(place), private=True)
backed_up(Lake.open(root), place) if what == "backup" else restored(place, Lake.open(target))
"""
