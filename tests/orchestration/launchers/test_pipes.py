"""A job is watched by its lines: progress comes into the run, silence is borne for a while, a stopped run stops it."""

import json

import dagster as dg
import pytest
from dagster_pipes import PIPES_PROTOCOL_VERSION, PIPES_PROTOCOL_VERSION_FIELD

from assets.training_process import BOOTSTRAP
from orchestration.launchers.backend import Lines, Phase, State, Unreachable
from orchestration.launchers.pipes import SILENCE_S, PipesLauncherClient, Unfinished


def message(method, **params):
    """A line that Pipes writes."""
    return json.dumps({PIPES_PROTOCOL_VERSION_FIELD: PIPES_PROTOCOL_VERSION, "method": method, "params": params})


OPENED, CLOSED = message("opened"), message("closed")
REPORTED = message(
    "report_asset_materialization", asset_key="model", data_version=None,
    metadata={"loss": {"raw_value": 0.5, "type": "float"}},
)  # fmt: skip


class Told:
    """A backend that says what it is told to, a turn after the other."""

    def __init__(self, *turns):
        self.turns, self.submitted, self.cancelled, self.time = list(turns), [], [], 0.0

    def submit(self, job):
        self.submitted.append(job)
        return "17:/folder"

    def poll(self, handle):
        if not self.turns:
            return State(Phase.DONE)
        state = self.turns[0][0]
        if isinstance(state, Exception):
            self.turns.pop(0)
            raise state
        return state

    def logs(self, handle, cursor):
        return Lines(tuple(self.turns.pop(0)[1]) if self.turns else (), None)

    def cancel(self, handle):
        self.cancelled.append(handle)

    def sleep(self, seconds):
        self.time += seconds

    def clock(self):
        return self.time


def run(backend, job, **more):
    """Run a job in an asset; gives the run, and the client's error."""
    raised = []

    @dg.asset
    def model(context: dg.AssetExecutionContext):
        client = PipesLauncherClient(backend, poll_s=10.0, sleep=backend.sleep, clock=backend.clock)
        try:
            return client.run(context=context, job=job, **more).get_materialize_result()
        except Exception as error:
            raised.append(error)
            raise

    result = dg.materialize([model], raise_on_error=False)
    return result, raised[0] if raised else None


def log(result):
    """What a person reads of a run."""
    return [event.message for event in result.all_events]


def test_what_a_job_reports_comes_into_the_run_with_what_the_backend_keeps(job):
    running, done = State(Phase.RUNNING), State(Phase.DONE, "", 90.0, {"loss": 0.25})
    backend = Told((State(Phase.WAITING), []), (running, [OPENED, "a line"]), (done, [REPORTED, CLOSED]))
    result, error = run(backend, job())
    assert error is None
    (event,) = result.asset_materializations_for_node("model")
    shown = {name: value.value for name, value in event.metadata.items()}
    assert shown == {"loss": 0.5, "job": "17", "job_seconds": 90.0, "job.loss": 0.25}
    assert set(json.loads(backend.submitted[0].files[BOOTSTRAP])) == {"DAGSTER_PIPES_CONTEXT", "DAGSTER_PIPES_MESSAGES"}


def test_a_job_that_was_interrupted_opens_and_closes_again_and_counts_as_one(job):
    running = State(Phase.RUNNING)
    turns = [(running, [OPENED, CLOSED]), (running, [OPENED, message("log", message="again", level="INFO")])]
    result, error = run(Told(*turns, (State(Phase.DONE), [REPORTED, CLOSED])), job())
    assert error is None
    assert result.success
    assert not any("unexpected message" in line for line in log(result))


def test_lines_that_come_after_the_end_are_heard(job):
    late = [(State(Phase.DONE), [OPENED]), (None, []), (None, [REPORTED]), (None, [CLOSED])]
    result, error = run(Told(*late), job())
    assert error is None
    (event,) = result.asset_materializations_for_node("model")
    assert event.metadata["loss"].value == 0.5


def test_a_backend_that_is_silent_for_a_moment_is_asked_again_and_a_long_silence_is_a_failure(job):
    silent = (Unreachable("the controller did not answer"), [])
    _, error = run(Told(silent, silent, (State(Phase.DONE), [OPENED, REPORTED, CLOSED])), job())
    assert error is None
    _, error = run(Told(*[silent] * int(SILENCE_S / 10 + 3)), job())
    assert isinstance(error, Unreachable)


def test_a_job_that_fails_says_the_backends_reason_and_one_that_cannot_be_done_its_own(job):
    _, error = run(Told((State(Phase.FAILED, "NODE_FAIL"), [OPENED, CLOSED])), job())
    assert isinstance(error, Unfinished)
    assert (error.told, "NODE_FAIL" in str(error)) == ("", True)
    reason = message("report_custom_message", payload={"reason": "found no labels, needed some"})
    _, error = run(Told((State(Phase.FAILED, "exit code 1"), [OPENED, reason, CLOSED])), job())
    assert str(error) == error.told == "found no labels, needed some"


def test_a_job_that_waits_and_runs_for_too_long_is_stopped(job):
    backend = Told(*[(State(Phase.WAITING), [])] * 100)
    _, error = run(backend, job(max_run_s=60, max_wait_s=120))
    assert error.state.phase is Phase.STOPPED
    assert backend.cancelled == ["17:/folder"]
    assert backend.time == pytest.approx(130, abs=10)


def test_a_stopped_run_stops_its_job(job):
    class Interrupted(Told):
        def sleep(self, seconds):
            raise dg.DagsterExecutionInterruptedError

    backend = Interrupted((State(Phase.RUNNING), [OPENED]))
    result, _ = run(backend, job())
    assert not result.success
    assert backend.cancelled == ["17:/folder"]


def test_a_job_that_runs_already_is_found_again_and_not_submitted(job):
    backend = Told((State(Phase.DONE), [OPENED, REPORTED, CLOSED]))
    handles = []
    _, error = run(backend, job(), attach="16:/earlier", launched=handles.append)
    assert error is None
    assert (backend.submitted, handles) == ([], ["16:/earlier"])
