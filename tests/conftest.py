"""What tests of every room share: a lake of their own, and no way to the network."""

import ipaddress
import socket
import sys
from pathlib import Path

import pytest
from absl import logging as absl_logging

from lake.zones import Lake

from .s3 import bucket, faults, store

__all__ = ["bucket", "faults", "store"]

PROJECT = Path(__file__).parent.parent
REAL_DATA = PROJECT.parent / "shared" / "data"


def pytest_configure():
    """Keep absl's log handler, which TensorBoard and mlcroissant bring along, off pytest's captured stream.

    Dagster's `dictConfig` closes every handler that was made before, and absl's closes the stream it was made with.
    """
    absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)


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
