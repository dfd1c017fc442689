"""Everything Dagster is told, put together in one place.

Belongs here: assembly only. `definitions` is lazy, so that importing this module costs nothing.
"""

import dagster as dg

from orchestration.quiet import unannounced


@dg.definitions
def definitions() -> dg.Definitions:
    """Assets, checks, jobs, sensors and resources of Larmor."""
    return build()


def build(root: str | None = None) -> dg.Definitions:
    """Definitions over the lake at `root`, or over the configured one."""
    with unannounced():
        from assets import (
            evaluations,
            governance,
            instances,
            labels,
            models,
            quarantine,
            received,
            reconciled,
            release,
            reports,
            scrub,
            series,
            tiers,
            volumes,
        )
        from assets.resources import LakeResource, buckets
        from assets.sources import SOURCES
        from lake.settings import Settings
        from orchestration.alerts import alerts
        from orchestration.batch import deliveries_job
        from orchestration.jobs import JOBS
        from orchestration.launchers.resource import launcher
        from orchestration.progress import progress
        from orchestration.retention import RETENTION_JOB
        from orchestration.schedules import SCHEDULES
        from orchestration.sensors import SENSORS

        settings = Settings()
        curated = [instances, series, volumes, reports, labels, quarantine]
        modules = [received, *curated, release, models, evaluations, governance, reconciled, scrub, tiers]
        made = dg.Definitions(
            assets=[*dg.load_assets_from_modules(modules), *SOURCES],
            asset_checks=dg.load_asset_checks_from_modules(modules),
            jobs=[*JOBS, deliveries_job, RETENTION_JOB],
            sensors=[*SENSORS, *alerts(settings)],
            schedules=SCHEDULES,
            resources={"lake": LakeResource(root=root), "launcher": launcher(settings), **buckets(settings)},
            # a process a step would cost a second or more each, and the work of a step has processes of its own
            executor=dg.in_process_executor,
            loggers={"progress": progress, "console": dg.colored_console_logger},
        )
        # put together once and kept, here, where what Dagster announces meanwhile is kept off people's terminals
        made.get_repository_def()
        return made
