"""A run whose process was killed is ended; one whose process lives, here or on another machine, is left alone."""

import os
import socket

import dagster as dg
import pytest

from orchestration.processes import TAG, end_lost_runs, own_mark


@pytest.mark.parametrize(
    ("mark", "ended"),
    [
        (own_mark(), 0),
        (f"{socket.gethostname()}/{os.getpid()}/1", 1),
        (f"{socket.gethostname()}/4194305/77", 1),
        ("another-machine/4194305/77", 0),
        (None, 0),
    ],
    ids=["alive", "its id was given to another process", "killed", "elsewhere", "not ours"],
)
def test_only_lost_runs_are_ended(mark, ended):
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {TAG: mark} if mark else {}
        run = instance.create_run_for_job(job(), status=dg.DagsterRunStatus.STARTED, tags=tags)
        assert end_lost_runs(instance) == ended
        status = instance.get_run_by_id(run.run_id).status
        assert status == (dg.DagsterRunStatus.FAILURE if ended else dg.DagsterRunStatus.STARTED)


def job():
    @dg.op
    def nothing():
        pass

    @dg.job
    def empty():
        nothing()

    return empty
