"""Small files are written whole or not at all, and what exists is never overwritten by `create`."""

import stat
import threading

import pytest

from lake.stores.storage import Location


def test_of_many_creators_exactly_one_wins(tmp_path):
    location, won = Location(tmp_path / "new"), []

    def create(name):
        try:
            location.create("key", name)
            won.append(name)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=create, args=(bytes([i]) * 1000,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [location.read_bytes("key")]
    assert location.list() == ["key"]


def test_a_failed_write_keeps_the_old_content_and_leaves_no_rest(tmp_path, monkeypatch):
    location = Location(tmp_path)
    location.write_bytes("a", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        location.write_bytes("a", b"new")
    assert location.read_bytes("a") == b"old"
    assert location.list() == ["a"]


def test_private_locations_are_for_their_owner_only(tmp_path):
    location = Location(tmp_path / "restricted", private=True).join("vault")
    location.write_bytes("key", b"x")
    assert stat.S_IMODE((tmp_path / "restricted").stat().st_mode) == 0o700
    assert stat.S_IMODE((location.path / "key").stat().st_mode) == 0o600
