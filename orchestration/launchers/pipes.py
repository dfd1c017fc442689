"""A Dagster Pipes client for every backend: submit, watch, hear, and stop when the run is stopped.

Belongs here: Pipes over a job's log lines, which every backend has. Which job to run is said by the caller.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg
from dagster_pipes import PIPES_PROTOCOL_VERSION_FIELD, PipesDefaultMessageWriter, PipesExtras, PipesParams

from assets.training_process import BOOTSTRAP
from orchestration.launchers.backend import Backend, LaunchError, Phase, State, Unreachable
from orchestration.launchers.sagemaker_jobs import SageMakerBackend
from schemas.job import TrainingJob

SILENCE_S = 900.0
"""Seconds without an answer of the backend after which a job counts as lost."""

_LATE = 6
"""Times that a log is asked again after the end: CloudWatch shows lines some seconds late."""


class LinesReader(dg.PipesMessageReader):
    """Hears Pipes messages in a job's log lines; all other lines go to the step's own output.

    A job that is interrupted and started again opens and closes Pipes each time. The run hears of the first opening
    and of the last closing.
    """

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._handler: Any = None
        self._opened = False
        self._closing: dict[str, Any] | None = None

    @property
    def closed(self) -> bool:
        """Whether the last that was heard is that the job closed."""
        return self._closing is not None

    @contextlib.contextmanager
    def read_messages(self, handler: Any) -> Iterator[PipesParams]:
        """Messages are written to standard output, among other lines."""
        self._handler = handler
        try:
            yield {PipesDefaultMessageWriter.STDIO_KEY: PipesDefaultMessageWriter.STDOUT}
        finally:
            if self._closing is not None:
                handler.handle_message(self._closing)
            self._handler = None

    def feed(self, lines: Sequence[str]) -> None:
        """Hear lines."""
        for line in lines:
            message = _message(line)
            if message is None:
                sys.stdout.write(f"{line}\n")
            elif message["method"] == "closed":
                self._closing = message
            else:
                self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        self._closing = None
        if message["method"] == "opened":
            if self._opened:
                return
            self._opened = True
        self._handler.handle_message(message)

    def no_messages_debug_text(self) -> str:
        """What to look at where nothing was heard."""
        return "Looked for messages in the lines that the job wrote; see its log at the backend."


def _message(line: str) -> dict[str, Any] | None:
    if PIPES_PROTOCOL_VERSION_FIELD not in line:
        return None
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("method"), str) else None


class PipesLauncherClient(dg.PipesClient):
    """Runs a job on a backend, within a Pipes session."""

    def __init__(
        self, backend: Backend, *, poll_s: float = 15.0, forward_termination: bool = True,
        sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Set the backend.

        Args:
            backend: where jobs run.
            poll_s: seconds between questions.
            forward_termination: whether a stopped run stops its job.
            sleep: waits; tests do not.
            clock: seconds.
        """
        self.backend, self._poll_s, self._forward = backend, poll_s, forward_termination
        self._sleep, self._clock = sleep, clock

    def run(  # type: ignore[override]  # as every client of dagster-aws: arguments of its own
        self,
        *,
        context: dg.AssetExecutionContext | dg.OpExecutionContext,
        job: TrainingJob,
        attach: str | None = None,
        launched: Callable[[str], None] = lambda _: None,
        extras: PipesExtras | None = None,
    ) -> dg.PipesClientCompletedInvocation:
        """Run a job to its end.

        Args:
            context: of the asset or op, whose log gets the progress.
            job: the job.
            attach: handle of one that was submitted before and is not over; None: submit it.
            launched: told the handle once there is one.
            extras: what the job finds in its Pipes context.

        Raises:
            LaunchError: if the backend refuses the job, or it did not finish.
            Unreachable: if the backend was silent for too long; the job may go on.
        """
        reader = LinesReader()
        with dg.open_pipes_session(
            context=context, context_injector=dg.PipesEnvContextInjector(), message_reader=reader, extras=extras
        ) as session:
            opens = {BOOTSTRAP: json.dumps(session.get_bootstrap_env_vars())}
            handle = attach or self.backend.submit(job.model_copy(update={"files": {**job.files, **opens}}))
            launched(handle)
            context.log.info(f"{'found again' if attach else 'submitted'}: job {handle}")
            try:
                state = self._watched(context, job, handle, reader)
            except dg.DagsterExecutionInterruptedError:
                if self._forward:
                    context.log.info(f"the run is stopped, so is job {handle}; it saves what it has done")
                    self.backend.cancel(handle)
                raise
        done = dg.PipesClientCompletedInvocation(session, metadata=metadata(handle, state))
        if state.phase is not Phase.DONE:
            raise Unfinished(state, reason_of(done))
        return done

    def _watched(self, context: Any, job: TrainingJob, handle: str, reader: LinesReader) -> State:
        """Ask until the job is over, and hear all that it wrote."""
        began = heard = self._clock()
        cursor: str | None = None
        told: Phase | None = None
        while True:
            try:
                state = self.backend.poll(handle)
                written = self.backend.logs(handle, cursor)
                heard = self._clock()
            except Unreachable as error:
                if self._clock() - heard > SILENCE_S:
                    raise
                context.log.warning(f"{error}; asked again")
                self._sleep(self._poll_s)
                continue
            cursor = written.cursor
            reader.feed(written.lines)
            if state.phase is not told:
                context.log.info(f"job {handle} is {state.phase}{f' ({state.reason})' if state.reason else ''}")
                told = state.phase
            if state.phase.over:
                self._heard_out(handle, cursor, reader)
                return state
            if job.max_wait_s is not None and self._clock() - began > job.max_wait_s:
                self.backend.cancel(handle)
                return State(Phase.STOPPED, f"it was not done within {job.max_wait_s} s of waiting and running")
            self._sleep(self._poll_s)

    def _heard_out(self, handle: str, cursor: str | None, reader: LinesReader) -> None:
        for _ in range(_LATE):
            if reader.closed:
                return
            with contextlib.suppress(Unreachable):
                written = self.backend.logs(handle, cursor)
                cursor = written.cursor
                reader.feed(written.lines)
            if not reader.closed:
                self._sleep(min(self._poll_s, 5.0))


class PipesSageMakerClient(PipesLauncherClient):
    """A Pipes client for Amazon SageMaker training jobs, for assets that an installation adds."""

    def __init__(self, backend: SageMakerBackend, **more: Any) -> None:
        """Set account, region and the installation's document (`SageMakerBackend`)."""
        super().__init__(backend, **more)


class Unfinished(LaunchError):
    """A job ended without having done its work.

    Attributes:
        state: what the backend says.
        told: the job's own reason, which a further try does not change; empty: it gave none.
    """

    def __init__(self, state: State, told: str) -> None:
        """Make the message that a person reads."""
        super().__init__(
            told
            or f"found a job that {state.phase} ({state.reason or 'no reason was given'}), needed it to finish; run "
            "again, it goes on from the last saved step"
        )
        self.state, self.told = state, told


def reason_of(done: dg.PipesClientCompletedInvocation) -> str:
    """Why a job says it cannot be done; empty: it does not."""
    told = [m["reason"] for m in done.get_custom_messages() if isinstance(m, dict) and "reason" in m]
    return str(told[-1]) if told else ""


def metadata(handle: str, state: State) -> dict[str, Any]:
    """What a run shows of a job: its handle, what is charged, and the curves that the backend kept."""
    charged = {} if state.seconds is None else {"job_seconds": float(state.seconds)}
    return {"job": handle.partition(":")[0], **charged, **{f"job.{name}": v for name, v in state.numbers.items()}}
