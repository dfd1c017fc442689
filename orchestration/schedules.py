"""What is done by the clock: files moved between storage tiers, files read again, the ledger sealed.

Belongs here: jobs of upkeep and their hours. What a move, a scrub or a seal does are the assets `audit/tier_moves`,
`audit/scrub` and `audit/ledger`.
"""

import dagster as dg

from orchestration.jobs import EVIDENCE_JOB
from orchestration.retention import RETENTION_SCHEDULE

TIERS_JOB = dg.define_asset_job(
    "tiers",
    selection=dg.AssetSelection.assets(["audit", "tier_plan"], ["audit", "tier_moves"]),
    description="Price ways of keeping the lake's files, and move those that the policy says.",
)

TIERS_SCHEDULE = dg.ScheduleDefinition(
    name="tiers",
    job=TIERS_JOB,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night, so that files are warm when a known use begins. Off until it is turned on.",
)

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

SEAL_SCHEDULE = dg.ScheduleDefinition(
    name="seal",
    job=EVIDENCE_JOB,
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Every night, after moves and scrub: what was done that day is signed, and the report shows it. "
    "Off until it is turned on.",
)

SCHEDULES = [TIERS_SCHEDULE, SCRUB_SCHEDULE, SEAL_SCHEDULE, RETENTION_SCHEDULE]
