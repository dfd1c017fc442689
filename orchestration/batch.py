"""Many deliveries in one run: what a run costs to start is paid once, and a broken delivery stops none of the others.

Belongs here: the job that works deliveries off one after the other, and what it reports of each. The assets and checks
are those of the job `delivery`, executed as they stand; which deliveries wait is noticed by `orchestration.sensors`.
Why it is one step and no backfill: docs/decisions/0009-deliveries-in-batches.md.
"""

import warnings
from collections.abc import Mapping

import dagster as dg
from dagster._core.events import (
    AssetMaterializationPlannedData,
)  # not public; without it nothing marks a partition failed

from assets.partitions import DELIVERIES_NAME, HOME_TAG
from assets.resources import LakeResource
from orchestration.jobs import DELIVERY_ASSETS, DELIVERY_JOB

_SHOWN = 20
"""Failures that the run's own error names; all of them are in the log and on their partitions."""

_RETRY = "dagster/retry_number"


class Batch(dg.Config):
    """Which deliveries."""

    deliveries: list[str]
    """Names of deliveries, in the order in which they are worked off."""


@dg.op(pool="cpu", required_resource_keys={"lake"})
def work_off(context: dg.OpExecutionContext, config: Batch) -> None:
    """Materialize each delivery, all assets and checks, and go on with the next one whatever became of it.

    Raises:
        Failure: after the last delivery, if some failed; what the others made is kept and reported.
    """
    from orchestration.definitions import build

    lake: LakeResource = context.resources.lake
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        job = build(lake.root).resolve_job_def(DELIVERY_JOB.name)
        failed: dict[str, str] = {}
        for number, delivery in enumerate(config.deliveries, 1):
            if _done_before(context, delivery):
                continue
            if reason := _materialize(context, job, delivery):
                failed[delivery] = reason
            told = f"failed: {reason}" if reason else "done"
            context.log.info(f"{number} of {len(config.deliveries)}, delivery {delivery}: {told}")
    if failed:
        raise dg.Failure(
            f"{len(failed)} of {len(config.deliveries)} deliveries failed, the others are done; correct what each "
            "says and materialize it again",
            metadata=dict(list(failed.items())[:_SHOWN]),
            allow_retries=False,
        )


@dg.job(
    name="deliveries",
    executor_def=dg.in_process_executor,
    description="Waiting deliveries, one after the other in one run; a broken one stops none of the others.",
)
def deliveries_job() -> None:
    """Work off a list of deliveries."""
    work_off()


def batch_config(deliveries: list[str]) -> Mapping[str, object]:
    """Run configuration of `deliveries_job`."""
    return {"ops": {work_off.name: {"config": {"deliveries": deliveries}}}}


def _materialize(context: dg.OpExecutionContext, job: dg.JobDefinition, delivery: str) -> str | None:
    """Run the job of one delivery in memory and report its events; what failed, or None."""
    from orchestration.headless import failure

    with dg.DagsterInstance.ephemeral() as memory:
        memory.add_dynamic_partitions(DELIVERIES_NAME, [delivery])
        result = job.execute_in_process(
            instance=memory, partition_key=delivery, raise_on_error=False, tags=_home(context.instance)
        )
        made = set()
        for event in result.all_events:
            if event.is_step_materialization:
                made.add(event.step_materialization_data.materialization.asset_key)
                context.log_event(event.step_materialization_data.materialization)
            elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                context.log_event(event.asset_check_evaluation_data)  # type: ignore[arg-type]  # it takes these as well
        if result.success:
            return None
        _mark_failed(context, delivery, {dg.AssetKey(list(key)) for key in DELIVERY_ASSETS} - made)
        return failure(result)


def _mark_failed(context: dg.OpExecutionContext, delivery: str, assets: set[dg.AssetKey]) -> None:
    """Say that this run was to make the delivery's partition of these assets; when it fails, they show as failed."""
    for asset in sorted(assets):
        planned = AssetMaterializationPlannedData(asset, partition=delivery)
        event = dg.DagsterEvent.build_asset_materialization_planned_event(
            context.job_name, str(context.op_handle), planned
        )
        context.instance.report_dagster_event(event, context.run_id)


def _done_before(context: dg.OpExecutionContext, delivery: str) -> bool:
    """Whether the run that this one repeats, because its process was lost, had finished the delivery."""
    before = context.run.parent_run_id
    if _RETRY not in context.run.tags or before is None:
        return False
    last = dg.AssetKey(list(DELIVERY_ASSETS[-1]))
    found = context.instance.get_latest_materialization_event(last) and context.instance.fetch_materializations(
        dg.AssetRecordsFilter(last, asset_partitions=[delivery]), limit=1
    )
    return bool(found and found.records and found.records[0].run_id == before)


def _home(instance: dg.DagsterInstance) -> dict[str, str]:
    return {} if instance.is_ephemeral else {HOME_TAG: instance.root_directory}
