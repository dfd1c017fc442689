"""One Spark session for all tests, and both engines behind one name."""

import os

import pytest

from lake.engines.contract import EngineMissing
from lake.engines.local import LocalEngine
from lake.engines.session import session
from lake.engines.spark import SparkEngine
from lake.engines.spark_tables import SparkTables
from lake.engines.tables import DeltaTables
from lake.settings import Settings
from tests.conftest import PROJECT

BOTH = ["local", pytest.param("spark", marks=pytest.mark.spark)]


@pytest.fixture(scope="session")
def spark_engine():
    """Spark on two cores of this machine, or a skip with the reason."""
    # the executors run functions of these tests, which Larmor does not carry to them
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(PROJECT)
    try:
        # memory for several of the suite's workers beside it
        return SparkEngine(session(Settings(spark_master="local[2]", spark_conf={"spark.driver.memory": "2g"})))
    except EngineMissing as reason:
        pytest.skip(str(reason))
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture(params=BOTH)
def engine(request):
    """Both engines, one after the other."""
    return LocalEngine(2) if request.param == "local" else request.getfixturevalue("spark_engine")


@pytest.fixture(params=BOTH)
def tables(request):
    """Operations on tables by both engines, one after the other."""
    if request.param == "local":
        return DeltaTables(LocalEngine(1))
    return SparkTables(request.getfixturevalue("spark_engine"))
