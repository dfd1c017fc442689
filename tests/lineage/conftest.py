"""A lake of its own for each test, and a small sealed ledger to copy and to edit."""

import shutil

import pytest

from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.seals import seal


def _materialized(number):
    return ("materialized", {"table": "curated/volumes", "delivery": f"delivery-{number}", "rows": number})


@pytest.fixture
def lake(tmp_path):
    return Lake.open(tmp_path / "lake", principal="tester")


@pytest.fixture(scope="session")
def sealed_root(tmp_path_factory):
    """A lake of 17 entries in 8 commits under 2 seals, the last two entries not sealed; not to be written."""
    lake = Lake.open(tmp_path_factory.mktemp("sealed"), principal="tester")
    for number in range(3):
        ledger.append(lake, *_materialized(number))
    ledger.append_many(lake, [_materialized(number) for number in range(3, 8)])
    seal(lake)
    ledger.append_many(lake, [_materialized(number) for number in range(8, 14)])
    ledger.append(lake, *_materialized(14))
    seal(lake)
    for number in (15, 16):
        ledger.append(lake, *_materialized(number))
    return lake.settings.root


@pytest.fixture
def sealed(sealed_root, tmp_path):
    """A copy of that lake, to edit."""
    shutil.copytree(sealed_root, tmp_path / "copy")
    return Lake.open(tmp_path / "copy", principal="tester")
