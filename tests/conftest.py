"""What tests of every room share: a lake of their own, and no way to the network."""

import ipaddress
import socket
from pathlib import Path

import pytest

from lake.zones import Lake

from .s3 import bucket, faults, store

__all__ = ["bucket", "faults", "store"]

PROJECT = Path(__file__).parent.parent
REAL_DATA = PROJECT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch):
    """Fail on any connection that leaves the machine: no telemetry, no downloads."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError("a test tried to reach the network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch, tmp_path):
    """Settings of the person who runs the tests must not decide them."""
    import os

    for name in [name for name in os.environ if name.startswith(("LARMOR_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("LARMOR_WORKERS", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lake(tmp_path) -> Lake:
    """An empty lake."""
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def real_data() -> Path:
    """Folder of real MR data, or a skip with the reason."""
    if not REAL_DATA.is_dir():
        pytest.skip("found no real MR data beside the project, needed ../shared/data (see CONTRIBUTING.md)")
    return REAL_DATA
