"""What a person sees of a run on the terminal: one line a step, one a report of progress.

Belongs here: from Dagster's events to lines. The full log stays in Dagster's storage.
"""

import logging
import sys
from typing import Any

import dagster as dg


class _Lines(logging.Handler):
    """Writes what matters of a run's log to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or nothing."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        line = _line(record, meta)
        if line:
            sys.stderr.write(f"  {line}\n")
            sys.stderr.flush()


def _line(record: logging.LogRecord, meta: dict[str, Any]) -> str | None:
    event = meta.get("dagster_event")
    step = str(meta.get("step_key") or "").replace("__", "/")
    if event is None:
        told = str(meta.get("orig_message") or record.getMessage())
        # steps that wait for a failed one say so at error level; the failure itself is told at the end
        return f"{step}: {told}" if step and record.levelno == logging.INFO else None
    if event.event_type_value == "STEP_SUCCESS":
        return f"{step}: done in {event.step_success_data.duration_ms / 1000:.1f} s"
    if event.event_type_value == "ASSET_CHECK_EVALUATION":
        return _checked(event.event_specific_data)
    return None


def _checked(check: dg.AssetCheckEvaluation) -> str | None:
    """Nothing of a check that passed; of another what it says, and whether it stops what comes behind."""
    if check.passed:
        return None
    asset = "/".join(check.asset_key.path)
    found = "please look" if check.severity == dg.AssetCheckSeverity.WARN else "failed"
    return f"{asset}: check {check.check_name}: {found}" + (f"; {check.description}" if check.description else "")


@dg.logger({}, "Lines for a person at a terminal.")
def progress(_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger that tells a person at a terminal how far the work is."""
    logger = logging.Logger("larmor.progress", level=logging.DEBUG)
    logger.addHandler(_Lines())
    return logger
