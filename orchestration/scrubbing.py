"""When files are read again: the scrub's job and its schedule.

Belongs here: the hour. What a scrub does is the asset `audit/scrub`.
"""

import dagster as dg

SCRUB_JOB = dg.define_asset_job(
    "scrub",
    selection=dg.AssetSelection.assets(["audit", "scrub"]),
    description="Read the next share of the files and compare them with their digests.",
)

SCRUB_SCHEDULE = dg.ScheduleDefinition(
    name="scrub",
    job=SCRUB_JOB,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night; with LARMOR_SCRUB_ROUNDS=30 every file is read once a month. Off until it is turned on.",
)
