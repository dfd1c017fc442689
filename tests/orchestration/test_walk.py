"""A day of the data engineer in the Dagster UI, in a real browser; and the officer's, in which nothing can be done."""

import pytest

from tests.browser import page, program
from tests.orchestration.walk import DONE, STATIONS, asked, prepared, served

LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchPipelineExecution(executionParams: $parameters) { __typename ... on UnauthorizedError { message } }
}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    program()
    return prepared(tmp_path_factory.mktemp("walk") / "lake").settings.root


@pytest.fixture(scope="module")
def address(root):
    with served(root) as found:
        yield found


@pytest.fixture(scope="module")
def ui(address):
    with page(address, width=1280, height=800, quiet=False) as opened:
        yield opened


@pytest.mark.ui
@pytest.mark.slow
@pytest.mark.parametrize("station", STATIONS, ids=lambda station: station.__name__)
def test_a_day_in_the_ui(station, ui, address):
    station(ui, address)


@pytest.mark.ui
@pytest.mark.slow
def test_nothing_can_be_started_on_the_officers_port(root):
    with served(root, "--read-only") as address:
        job = {"repositoryLocationName": "larmor", "repositoryName": "__repository__", "jobName": "evidence"}
        parameters = {"selector": job, "mode": "default", "runConfigData": {}}
        assert asked(address, LAUNCH, parameters=parameters) == {
            "launchPipelineExecution": {"__typename": "UnauthorizedError", "message": "Authorization failed"}
        }
        shown = asked(address, "{assetsOrError {... on AssetConnection {nodes {key {path}}}}}")
        assert {"path": ["curated", "volumes"]} in [node["key"] for node in shown["assetsOrError"]["nodes"]]
        assert DONE in str(asked(address, "{runsOrError {... on Runs {results {tags {key value}}}}}"))
