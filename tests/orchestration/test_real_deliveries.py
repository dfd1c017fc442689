"""Real series of four vendors go the whole way: nothing that a scanner wrote holds a delivery up for no reason."""

from pathlib import Path

import pytest

from orchestration.headless import run_delivery
from schemas.tables import INSTANCES, QUARANTINE, RECEIVED, VOLUMES
from stages.intake.intake import ingest
from tests.synthetic import know, licence

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.data
@pytest.mark.parametrize(("folder", "volumes"), [("dcm_qa_nih", 8), ("dcm_qa_enh", 3), ("dcm_qa_ts", 9)])
def test_a_real_delivery_comes_through_every_check(lake, folder, volumes):
    if not (DATA / folder).is_dir():
        pytest.skip(f"needs {folder} in ../shared/data")
    terms = licence()
    know(lake, terms)
    ingest(lake, DATA / folder / "In", "real", terms)
    run_delivery(lake.settings, "real", "curated/series")
    assert lake.table(QUARANTINE).read(["reason"]).num_rows == 0
    assert lake.table(INSTANCES).read(["instance"]).num_rows == lake.table(RECEIVED).read(["path"]).num_rows
    assert lake.table(VOLUMES).read(["volume"]).num_rows == volumes
