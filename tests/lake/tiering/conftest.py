"""A lake of two deliveries with an older version of one, and folders for its tiers."""

import pytest

from lake.tiering.tiers import price_book
from lake.zones import Lake
from schemas.tables import VOLUMES
from tests import synthetic

COLD, FROZEN = "S3 Glacier Instant Retrieval", "S3 Glacier Deep Archive"


@pytest.fixture
def book():
    return price_book()


@pytest.fixture
def tiered(tmp_path):
    """Version 0 and 1 hold deliveries a and b; version 2 replaced a, so that its first file is spare."""
    tiers = {COLD: tmp_path / "cold", FROZEN: tmp_path / "frozen"}
    lake = Lake.open(tmp_path / "lake", tiers=tiers)
    synthetic.know(lake, synthetic.licence())
    synthetic.fill(lake, {"a": ["S1", "S2"], "b": ["S3"]})
    synthetic.put(lake, VOLUMES, "a", [synthetic.volume_row("a", "S1")])
    return lake


@pytest.fixture
def files(tiered):
    """Files of `curated/volumes` by what they are: needed or spare."""
    from lake.tables.files import data_files

    found = data_files(tiered.table(VOLUMES))
    return {"needed": [f for f in found if f.newest], "spare": [f for f in found if not f.newest]}
