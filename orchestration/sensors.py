"""What notices that something is there: deliveries in landing, specifications of releases.

Belongs here: from files to partitions and runs. Names only: nothing a sensor logs or tags can hold PHI.
"""

from pathlib import Path

import dagster as dg

from assets.partitions import DELIVERIES, DELIVERIES_NAME, RELEASES, RELEASES_NAME
from assets.resources import LakeResource
from orchestration.jobs import DELIVERY_JOB

_DELIVERIES_A_TICK = 20
"""Runs asked for at once: ten thousand deliveries arrive in one night, and each run takes a slot and a log."""


@dg.sensor(name="landing", job=DELIVERY_JOB, minimum_interval_seconds=30)
def landing(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Deliveries in landing that have a manifest become partitions, and are run, a few a tick."""
    from schemas.delivery import MANIFEST_NAME

    folder = lake.open().landing
    there = set(_named(folder, MANIFEST_NAME))
    new = sorted(there - set(context.instance.get_dynamic_partitions(DELIVERIES_NAME)))[:_DELIVERIES_A_TICK]
    if not new:
        return dg.SkipReason("found no new delivery in landing")
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=name, partition_key=name) for name in new],
        dynamic_partitions_requests=[DELIVERIES.build_add_request(new)],
    )


@dg.sensor(
    name="release_specs", minimum_interval_seconds=30, asset_selection=dg.AssetSelection.keys(["curated", "release"])
)
def release_specs(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Specifications of releases become partitions; a person freezes them when the cohort is complete."""
    from stages.release import SPECS

    folder = lake.open().settings.root / SPECS
    there = {path.stem for path in folder.glob("*.yaml")} if folder.is_dir() else set()
    new = sorted(there - set(context.instance.get_dynamic_partitions(RELEASES_NAME)))
    if not new:
        return dg.SkipReason("found no new specification of a release")
    return dg.SensorResult(dynamic_partitions_requests=[RELEASES.build_add_request(new)])


def _named(folder: Path, manifest: str) -> list[str]:
    """Complete deliveries: one that is still being written has a dot before its name, or no manifest yet."""
    if not folder.is_dir():
        return []
    return [p.name for p in folder.iterdir() if not p.name.startswith(".") and (p / manifest).is_file()]


SENSORS = [landing, release_specs]
