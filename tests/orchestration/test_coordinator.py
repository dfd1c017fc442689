"""Runs say who started them, as the proxy knows it, and nothing that somebody wrote by hand counts."""

from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.workspace.context import WorkspaceRequestContext

from assets.resources import USER_TAG
from orchestration.coordinator import UNNAMED

CONFIG = """
telemetry: {enabled: false}
run_coordinator:
  module: orchestration.coordinator
  class: NamedRunCoordinator
  config: {user_header: X-User, dequeue_interval_seconds: 7}
"""


@dg.job
def nothing():
    pass


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "dagster.yaml").write_text(CONFIG)
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened


class Request(WorkspaceRequestContext):
    """What the webserver hands a coordinator, with a request's headers alone."""

    def __init__(self, headers):
        self._source = None if headers is None else SimpleNamespace(headers=headers)


def submitted(instance, headers, **tags):
    here = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("larmor"), "jobs")
    origin = here.get_job_origin(nothing.name)
    run = instance.create_run_for_job(nothing, tags=tags, remote_job_origin=origin)
    return instance.run_coordinator.submit_run(SubmitRunContext(run, Request(headers)))


def test_a_run_from_the_ui_is_queued_with_its_user_in_a_tag(instance):
    run = submitted(instance, {"X-User": "someone@hospital.example"})
    assert run.tags[USER_TAG] == "someone@hospital.example"
    assert run.status is dg.DagsterRunStatus.QUEUED
    assert instance.run_coordinator.dequeue_interval_seconds == 7


@pytest.mark.parametrize("headers", [{}, {"X-User": "a\nb"}, {"X-User": ""}, {"X-Forwarded-User": "someone"}])
def test_without_the_header_a_tag_by_hand_does_not_count(instance, headers):
    assert submitted(instance, headers, user="chief").tags[USER_TAG] == UNNAMED


def test_what_the_daemon_asks_for_stays_as_it_is(instance):
    assert USER_TAG not in submitted(instance, None).tags
