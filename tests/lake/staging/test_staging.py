"""A staged release is whole or absent, is read like the zone, and survives kills, flipped bits and full disks."""

import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lake.releases import Release
from lake.staging import copying
from lake.staging.cache import MANIFEST, Cache
from lake.staging.errors import StagingError
from lake.staging.files import StagedFiles
from lake.staging.stage import drop, stage, staging
from lake.tiering import archived
from lake.voxels.sources import LocalFiles
from lake.zones import Lake
from schemas.tables import LABELS, VOLUMES
from tests import synthetic


@pytest.fixture
def release(cohorts, tmp_path):
    """A release of two deliveries, in a lake with a staging folder."""
    shutil.copytree(cohorts.settings.root, tmp_path / "lake")
    return Release.open(Lake.open(tmp_path / "lake", staging=tmp_path / "staging"), "cohort")


def configured(release, name=None, **settings):
    """A release of the same lake, under other settings."""
    kept = {"staging": release.lake.settings.staging} | settings
    return Release.open(Lake.open(release.lake.settings.root, **kept), name or release.name)


def cache_of(release):
    return Cache.of(release.lake.settings)


def objects(release):
    return sorted(cache_of(release).folder.glob("objects/*/*"))


def part_files(release):
    """Files of the lake that the release needs."""
    tables = release.indexes().values()
    names = [(source, path) for _, source, found in tables for path in sorted(set(found.rows["file"].to_pylist()))]
    return [release.lake.settings.root / source.uri / path for source, path in names]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same(release, arrays):
    volumes = release.volumes()
    assert volumes.ids == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)


@pytest.fixture
def arrays(release):
    volumes = configured(release, staging=None).volumes()
    return {name: volumes.array(name) for name in volumes.ids}


def test_a_staged_release_is_read_without_the_zone(release, arrays):
    done = stage(release)
    assert done.files == len(part_files(release)) == done.stated
    assert done.copied == done.bytes == sum(path.stat().st_size for path in part_files(release))
    for path in part_files(release):
        path.unlink()
    same(release, arrays)
    volumes, labels = release.volumes(), release.labels()
    assert labels.array(labels.ids[0]).shape == synthetic.SHAPE
    name = volumes.ids[0]
    assert volumes.row(name)["volume"] == name
    np.testing.assert_array_equal(volumes.crop(name, (1, 2, 3), (4, 4, 3)), arrays[name][1:5, 2:6, 3:6])


def test_what_is_archived_must_be_restored_to_be_staged_and_what_is_staged_is_read(release, arrays):
    def archive(table):
        place = archived.Place("GLACIER", "0" * 64, 1, "2026-01-01", 5.0)
        archived.keep(release.lake.table(table).location, dict.fromkeys(release.lake.table(table).names(), place))

    archive(VOLUMES)
    with pytest.raises(archived.Archived, match="larmor tiers restore curated/volumes"):
        stage(release)
    shutil.rmtree(release.lake.table(VOLUMES).location.path / archived.FOLDER)
    stage(release)
    archive(VOLUMES)
    same(release, arrays)


def test_what_is_not_staged_is_read_from_the_zone(release, arrays):
    same(release, arrays)
    assert not isinstance(release.volumes()._source, StagedFiles)
    assert not release.lake.settings.staging.exists()


def test_staging_again_copies_nothing(release):
    stage(release)
    assert stage(release).copied == 0


def test_nothing_is_staged_before_the_manifest(release, arrays):
    stage(release)
    (cache_of(release).place(release.sha256).path / MANIFEST).unlink()
    assert not isinstance(release.volumes()._source, StagedFiles)
    assert stage(release).copied == 0
    assert isinstance(release.volumes()._source, StagedFiles)


def test_a_flipped_bit_is_found_and_fetched_again(release, arrays):
    stage(release)
    for path in objects(release):
        flip(path)
        assert 0 < stage(release).copied == path.stat().st_size
        same(release, arrays)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.chmod(0o600)
    path.write_bytes(content)


def test_a_bit_that_rots_on_the_disk_is_found_when_the_last_check_is_old(release, arrays, monkeypatch):
    """A disk that rots tells nobody: size and times of the file stay."""
    stage(release)
    path = objects(release)[0]
    times = path.stat()
    flip(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    monkeypatch.setattr(copying, "TRUSTED_S", 0.0)
    assert stage(release).copied == path.stat().st_size
    same(release, arrays)


def test_a_damaged_file_of_the_zone_is_never_staged(release):
    flip(part_files(release)[0])
    with pytest.raises(StagingError, match="table curated/volumes: found a part file with another content"):
        stage(release)
    assert cache_of(release).staged(release.sha256) is None
    assert not isinstance(release.volumes()._source, StagedFiles)


def test_a_file_that_is_gone_is_told(release):
    part_files(release)[0].unlink()
    with pytest.raises(FileNotFoundError):
        stage(release)


def unstated(release):
    """The lake as it is where another engine wrote: no commit states a digest."""
    for table in (VOLUMES, LABELS):
        for commit in (release.lake.table(table).location.path / "_delta_log").glob("*.json"):
            lines = [json.loads(line) for line in commit.read_text().splitlines()]
            for line in lines:
                line.get("commitInfo", {}).pop("larmor.files", None)
            commit.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_without_a_stated_digest_the_first_copys_is_kept(release, arrays):
    unstated(release)
    opened = configured(release)
    assert stage(opened).stated == 0
    flip(objects(release)[0])
    assert stage(opened).copied == objects(release)[0].stat().st_size
    same(opened, arrays)


def test_staging_is_refused_before_anything_is_copied_where_it_does_not_fit(release):
    small = configured(release, staging_bytes=1000)
    with pytest.raises(StagingError, match=r"found room for 1000 bytes in the staging folder, needed \d+; raise"):
        stage(small)
    assert not objects(release)


def test_a_full_disk_is_told_before_anything_is_copied(release, monkeypatch):
    usage = type("Usage", (), {"free": 1 << 28})
    monkeypatch.setattr("lake.staging.cache.shutil.disk_usage", lambda _: usage)
    with pytest.raises(StagingError, match="found room for 0 bytes"):
        stage(release)
    assert not objects(release)


def test_the_least_recently_used_release_makes_room(release, arrays):
    second, third = configured(release, "c"), configured(release, "d")
    bound = stage(second).bytes + stage(release).bytes + 1000
    release.volumes()
    with staging(configured(release, "d", staging_bytes=bound)):
        assert cache_of(release).staged(second.sha256) is None
        assert not cache_of(release).place(second.sha256).path.exists()
        assert isinstance(third.volumes()._source, StagedFiles)
        same(release, arrays)
        assert sum(path.stat().st_size for path in objects(release)) <= bound


FORK = multiprocessing.get_context("fork")


def started(work, *given):
    """A process that does some work, and a queue of what it says."""
    said = FORK.Queue()
    process = FORK.Process(target=work, args=(said, *given))
    process.start()
    return process, said


def killed(process):
    process.kill()
    process.join()


def _reader(said, release):
    volumes = release.volumes()
    said.put(len(volumes))
    time.sleep(600)


def _stager(said, release):
    said.put(stage(release).copied)


def test_what_another_process_reads_is_not_evicted_until_it_dies(release, arrays):
    total = stage(release).bytes
    reader, said = started(_reader, release)
    try:
        assert said.get(timeout=60) == len(arrays)
        second = configured(release, "c", staging_bytes=total + 1000)
        with pytest.raises(StagingError, match="while other processes use what is there"):
            stage(second)
        assert drop(release.lake.settings, release.sha256) == 0
        assert len(objects(release)) == len(part_files(release))
    finally:
        killed(reader)
    stage(second)
    same(release, arrays)
    assert not {path.name for path in objects(release)} & set(map(digest, part_files(release)))


def test_processes_that_stage_one_release_copy_it_once(release, arrays):
    processes = [started(_stager, release) for _ in range(3)]
    copied = sum(said.get(timeout=60) for _, said in processes)
    assert copied == sum(path.stat().st_size for path in part_files(release))
    same(release, arrays)


def test_staging_goes_on_where_a_killed_process_left_it(release, arrays, monkeypatch, tmp_path):
    """Killed again and again at any moment, it copies each range about once, and ends whole."""
    part, size, asked = LocalFiles.part, 512, tmp_path / "asked"

    def slowly(self, path, offset, length):
        time.sleep(0.002)
        with asked.open("ab") as file:
            file.write(b"." if length == size else b"")
        return part(self, path, offset, length)

    monkeypatch.setattr(copying, "RANGE", size)
    monkeypatch.setattr(LocalFiles, "part", slowly)
    random, kills = np.random.default_rng(1), 0
    while cache_of(release).staged(release.sha256) is None:
        process, _ = started(_stager, release)
        process.join(random.uniform(0.01, 0.08) * (1 + kills / 10))
        kills += process.is_alive()
        killed(process)
    assert kills > 1
    whole = sum(path.stat().st_size // size for path in part_files(release))
    # what was on its way when a process was killed is asked for again
    assert whole <= asked.stat().st_size <= whole + 16 * kills
    assert stage(release).copied == 0
    same(release, arrays)
    assert not list((release.lake.settings.staging / "partial").iterdir())


def test_a_range_that_a_power_cut_lost_is_fetched_again(release, arrays, monkeypatch):
    """Also where no digest is stated, which would show it: each range that is noted has a checksum."""
    unstated(release)
    opened = configured(release)
    monkeypatch.setattr(copying, "RANGE", 1024)

    def cut(*_):
        raise InterruptedError

    with monkeypatch.context() as during:
        during.setattr(copying, "_publish", cut)
        with pytest.raises(InterruptedError):
            stage(opened)
    partials = [path for path in (release.lake.settings.staging / "partial").iterdir() if not path.suffix]
    for path in partials:
        with path.open("r+b") as file:
            file.seek(100)
            file.write(bytes(200))
    done = stage(opened)
    assert 0 < done.copied < done.bytes
    same(opened, arrays)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_it_travels_to_other_processes(release, arrays, start):
    stage(release)
    volumes = release.volumes()
    for path in part_files(release):
        path.unlink()
    with multiprocessing.get_context(start).Pool(2) as pool:
        for name, array in zip(sorted(arrays), pool.map(volumes.array, sorted(arrays)), strict=True):
            np.testing.assert_array_equal(array, arrays[name])


def test_a_process_that_was_sent_volumes_holds_them_against_eviction(release, arrays):
    stage(release)
    volumes = pickle.loads(pickle.dumps(release.volumes()))
    volumes.array(volumes.ids[0])
    assert drop(release.lake.settings, release.sha256) == 0
    assert len(objects(release)) == len(part_files(release))
    for path in part_files(release):
        path.unlink()
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)


def test_volumes_that_were_sent_and_evicted_in_the_meantime_are_read_from_the_zone(release, arrays):
    stage(release)
    sent = pickle.dumps(release.volumes())
    shutil.rmtree(release.lake.settings.staging)
    volumes = pickle.loads(sent)
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)


def test_a_dropped_release_leaves_no_byte_and_shared_files_stay(release, arrays):
    everything = configured(release, "everything")
    stage(everything)
    stage(release)
    assert drop(release.lake.settings, release.sha256) == 0
    assert stage(everything).copied == 0
    assert drop(release.lake.settings, everything.sha256) > 0
    assert not objects(release)


def test_threads_that_stage_at_once_copy_once(release):
    with ThreadPoolExecutor(4) as threads:
        copied = sum(done.copied for done in threads.map(lambda _: stage(release), range(4)))
    assert copied == sum(path.stat().st_size for path in part_files(release))


@pytest.fixture
def mount(release, tmp_path):
    """The curated zone, mounted elsewhere."""
    folder = tmp_path / "mount"
    for table in (VOLUMES, LABELS):
        shutil.copytree(release.lake.table(table).location.path, folder / table.name)
    return folder


def test_a_mounted_zone_is_read_by_way_of_the_mount(release, arrays, mount):
    mounted = configured(release, staging=None, mount_curated=mount)
    done = stage(mounted)
    assert (done.mounted, done.copied) == (True, 0)
    volumes = mounted.volumes()
    for path in part_files(release):
        path.unlink()
    for name, array in arrays.items():
        np.testing.assert_array_equal(volumes.array(name), array)


def test_what_a_mount_has_not_yet_or_not_whole_is_read_from_the_zone(release, arrays, mount):
    first, *others = sorted(mount.glob("volumes/delivery=*/*.parquet"))
    first.unlink()
    for path in others:
        path.write_bytes(path.read_bytes()[:500])
    same(configured(release, staging=None, mount_curated=mount), arrays)


def test_a_mount_with_other_content_is_told(release, mount):
    flip(sorted(mount.glob("volumes/delivery=*/*.parquet"))[0])
    with pytest.raises(StagingError, match=r"found 1 of \d+ files missing or with another content on the mount"):
        stage(configured(release, staging=None, mount_curated=mount))


def test_staging_from_a_mount_takes_from_the_zone_what_is_wrong_there(release, arrays, mount):
    first, second = sorted(mount.glob("volumes/delivery=*/*.parquet"))[:2]
    flip(first)
    second.unlink()
    both = configured(release, mount_curated=mount)
    stage(both)
    for path in part_files(release):
        path.unlink()
    same(both, arrays)


def test_staging_needs_somewhere_to_stage(release):
    with pytest.raises(StagingError, match="found neither a staging folder nor a mount"):
        stage(configured(release, staging=None))


def test_a_staged_file_is_asked_for_nowhere_else(release, arrays, monkeypatch):
    stage(release)
    volumes = release.volumes()
    root = LocalFiles.part
    asked = []
    monkeypatch.setattr(LocalFiles, "part", lambda self, *where: asked.append(self.uri) or root(self, *where))
    for name in arrays:
        volumes.array(name)
    assert set(asked) == {str(release.lake.settings.staging)}
