"""What notices that something is there: deliveries in landing, specifications of releases, inputs made anew.

Belongs here: from files to partitions and runs. Names only: nothing a sensor logs or tags can hold PHI.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import dagster as dg

from assets.partitions import DELIVERIES, DELIVERIES_NAME, RELEASES, RELEASES_NAME
from assets.resources import LakeResource
from orchestration.batch import batch_config, deliveries_job

if TYPE_CHECKING:
    from lake.zones import Lake

_DELIVERIES_A_RUN = 100
"""Deliveries of one run: its start and its log are then a small share of the work, and a run of small deliveries ends
within the hour, so that what it says of broken ones is read."""

_RUNS_AT_ONCE = 4
"""Runs that may wait or go on before more are asked for; what lies in landing waits there as well as in a queue."""

_GOING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    name="landing",
    job=deliveries_job,
    minimum_interval_seconds=30,
    description="Deliveries in landing become partitions, and are run once, a hundred in one run. Off until turned on.",
)
def landing(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Deliveries in landing that have a manifest become partitions, and are run once, many in one run."""
    going = context.instance.get_runs_count(dg.RunsFilter(job_name=deliveries_job.name, statuses=_GOING))
    room = (_RUNS_AT_ONCE - going) * _DELIVERIES_A_RUN
    if room <= 0:
        return dg.SkipReason(f"found {going} runs of deliveries that wait or go on, needed fewer than {_RUNS_AT_ONCE}")
    known = set(context.instance.get_dynamic_partitions(DELIVERIES_NAME))
    opened = lake.open()
    unknown = sorted(name for name in opened.landed().list() if not name.startswith(".") and name not in known)
    new = list(islice(_whole(opened, unknown), room))
    if not new:
        return dg.SkipReason(_nothing_new(len(unknown)))
    batches = [new[i : i + _DELIVERIES_A_RUN] for i in range(0, len(new), _DELIVERIES_A_RUN)]
    return dg.SensorResult(
        run_requests=[
            # a delivery is new only once, so its first names a batch
            dg.RunRequest(run_key=batch[0], run_config=batch_config(batch), tags={"larmor/deliveries": str(len(batch))})
            for batch in batches
        ],
        dynamic_partitions_requests=[DELIVERIES.build_add_request(new)],
    )


@dg.sensor(
    name="release_specs",
    minimum_interval_seconds=30,
    asset_selection=dg.AssetSelection.assets(["curated", "release"]),
    description="Specifications of releases become partitions; a person freezes them. Off until turned on.",
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


def _whole(lake: "Lake", names: Iterable[str]) -> Iterator[str]:
    """Those of the folders in landing that have their manifest."""
    from schemas.delivery import MANIFEST_NAME

    landing = lake.landed()
    # asked one by one: on S3 each question is a request, and of 10,000 that wait only the first few have room
    return (name for name in names if landing.exists(f"{name}/{MANIFEST_NAME}"))


def _nothing_new(waiting: int) -> str:
    """Why nothing is run, for a person who waits for a delivery; a count, because a folder's name may name people."""
    from schemas.delivery import MANIFEST_NAME

    more = f"; {waiting} of what lies there without {MANIFEST_NAME}: add one, or bring the files with larmor ingest"
    return "found no new delivery in landing" + (more if waiting else "")


FOLLOWING = dg.AutomationConditionSensorDefinition(
    "following",
    target=dg.AssetSelection.all(),
    minimum_interval_seconds=60,
    description="What was made once is made again when its inputs are (assets.automation). Off until turned on.",
)

SENSORS = [landing, release_specs, FOLLOWING]
