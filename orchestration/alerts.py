"""Runs that fail are told to people who do not look at the UI: what failed, for which partition, what to do.

Belongs here: the words, and the sensor that sends them. How they leave is `orchestration.post`. Only words that Larmor
wrote go into a message; what a library or an installation's own asset raised stays in the UI, by its class alone.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from assets.failures import OURS
from lake.settings import Settings
from orchestration.post import configured, post

_SHOWN = 5
"""Steps that a message names; the first has the cause, and the UI has them all."""

_WILL_RETRY = "dagster/will_retry"


def alerts(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor that sends failures, on from the start; none where no way out is configured."""
    if not configured(settings):
        return []

    @dg.run_failure_sensor(
        name="alerts",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends runs that failed to the webhook or the mailbox that LARMOR_ALERT_* name.",
    )
    def sensor(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        """Tell of one run."""
        run = context.dagster_run
        if run.tags.get(_WILL_RETRY) == "true":
            return dg.SkipReason("the run is started again by itself")
        subject, text = message(run, context.get_step_failure_events(), settings.ui_url)
        post(settings, subject, text)
        return None

    return [sensor]


def message(run: dg.DagsterRun, failures: Sequence[dg.DagsterEvent], ui_url: str | None) -> tuple[str, str]:
    """Subject and text about a run that failed.

    Args:
        run: the run.
        failures: its failed steps.
        ui_url: where people open the UI; None: they know.
    """
    partition = run.tags.get("dagster/partition")
    subject = f"Larmor: {run.job_name} failed" + (f", {partition}" if partition else "")
    lines = list(_lines(failures)) or ["found a run that ended before its steps did; its process was lost or killed"]
    where = f"{ui_url.rstrip('/')}/runs/{run.run_id}" if ui_url else f"run {run.run_id} in the Dagster UI"
    return subject, "\n".join([*lines[:_SHOWN], where])


def _lines(failures: Sequence[dg.DagsterEvent]) -> Iterator[str]:
    for event in failures:
        step, data = str(event.step_key).replace("__", "/"), event.step_failure_data
        said = data.user_failure_data
        if said and said.metadata.get(OURS) == dg.MetadataValue.bool(True):
            yield f"{step}: {said.description}"
        elif data.error:
            error = data.error
            while error.cause:
                error = error.cause
            yield f"{step}: {error.cls_name}; open the run to read it"
