"""Two machines never train in one folder, and a dead one does not block it for long."""

import json
import time

import pytest

from lake.stores.storage import Location
from training.errors import BusyError
from training.running import lease as module
from training.running.lease import Lease, held


@pytest.fixture
def place(tmp_path):
    return Location(tmp_path / "run")


def elsewhere(place, beat):
    """A lease of a process of another machine."""
    place.make()
    content = {"token": "t", "machine": "another", "host": "node7", "process": 12, "beat": beat}
    place.write_bytes("lease", json.dumps(content).encode())


def test_a_living_holder_of_another_machine_is_named_and_left_alone(place):
    elsewhere(place, time.time() - 30)
    with pytest.raises(BusyError, match=r"in use by process 12 of node7, .*30 s ago"), held(place, "lease"):
        pass
    assert b"node7" in place.read_bytes("lease")


@pytest.mark.parametrize("content", [None, b"", b'{"token": "t"}'], ids=["stale", "cut short", "no beat"])
def test_the_lease_of_a_dead_machine_is_taken_over_and_given_back(place, monkeypatch, content):
    monkeypatch.setattr(module, "SETTLE_S", 0.01)
    elsewhere(place, time.time() - module.STALE_S - 1)
    if content is not None:
        place.write_bytes("lease", content)
    with held(place, "lease") as mine:
        assert json.loads(place.read_bytes("lease"))["token"] == mine.token
    assert not place.exists("lease")


def test_a_process_of_this_machine_that_is_gone_is_followed_at_once(place):
    gone = Lease(place, "lease")
    gone.acquire()
    with held(place, "lease", locked=True):
        pass
    alive = Lease(place, "lease")
    alive.acquire()
    with pytest.raises(BusyError), held(place, "lease"):
        pass  # no lock says that it is dead, and it is not


def test_a_holder_that_was_taken_for_dead_learns_it_and_leaves_the_other_s_lease(place, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.01)
    with held(place, "lease") as mine:
        mine.check()
        deadline = time.monotonic() + 30
        while not mine.lost and time.monotonic() < deadline:
            elsewhere(place, time.time())  # a sign of life that was on its way may stand over it once
            time.sleep(0.01)
        with pytest.raises(BusyError, match="taken over by another training"):
            mine.check()
    assert b"node7" in place.read_bytes("lease")


def test_signs_of_life_are_given(place, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.01)
    with held(place, "lease"):
        first = json.loads(place.read_bytes("lease"))["beat"]
        deadline = time.monotonic() + 30
        while json.loads(place.read_bytes("lease"))["beat"] == first and time.monotonic() < deadline:
            time.sleep(0.01)
        assert json.loads(place.read_bytes("lease"))["beat"] > first
