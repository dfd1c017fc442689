"""What is done by the clock: files moved between storage tiers, files read again, the ledger sealed, terms that ended.

Belongs here: hours. What is run is `orchestration.jobs` and `orchestration.retention`.
"""

import dagster as dg


def _nightly(name: str, job: str, hour: int, reason: str) -> dg.ScheduleDefinition:
    """A job every night at an hour (UTC), once somebody has turned it on."""
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=f"0 {hour} * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Every night, {reason}. Off until it is turned on.",
    )


SCHEDULES = [
    _nightly("tiers", "tiers", 2, "so that files are warm when a known use begins"),
    _nightly("scrub", "scrub", 3, "a share of the files: with LARMOR_SCRUB_ROUNDS=30 each is read once a month"),
    _nightly("seal", "evidence", 4, "after moves and scrub: what was done that day is signed, and the report shows it"),
    _nightly(
        "retention", "retention", 5, "what may no longer be kept is planned, and waits for a person to confirm it"
    ),
]
"""In the order of their hours: a night's moves and reads are under the seal that follows them."""
