"""When files are moved between storage tiers: the job and its schedule.

Belongs here: the hour. What is moved, and why, is the asset `audit/tier_moves`.
"""

import dagster as dg

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
