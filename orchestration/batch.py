"""Many deliveries in one run: what a run costs to start is paid once, and a broken delivery stops none of the others.

Belongs here: the job that works deliveries off one after the other, and what it reports of each. The assets and checks
are those of the job `delivery`, executed as they stand; which deliveries wait is noticed by `orchestration.sensors`.
Why it is one step and no backfill: docs/decisions/0009-deliveries-in-batches.md.
"""

from collections.abc import Mapping

import dagster as dg

# not public: without them nothing marks a partition failed, or a check as being about what was made
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as TargetMaterialization,
)
from dagster._core.events import AssetMaterializationPlannedData

from assets.config import StepConfig
from assets.failures import told
from assets.partitions import DELIVERIES_NAME, HOME_TAG
from assets.resources import USER_TAG, LakeResource
from orchestration.jobs import DELIVERY_ASSETS, DELIVERY_JOB
from orchestration.quiet import unannounced

_SHOWN = 20
"""Failures that the run's own error names; all of them are in the log and on their partitions."""

_RETRY = "dagster/retry_number"


class Batch(StepConfig):
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
    with unannounced():
        job = build(lake.root).resolve_job_def(DELIVERY_JOB.name)
        failed: dict[str, str] = {}
        for number, delivery in enumerate(config.deliveries, 1):
            if _done_before(context, delivery):
                continue
            if reason := _materialize(context, job, delivery):
                failed[delivery] = reason
            ended = f"failed: {reason}" if reason else "done"
            context.log.info(f"{number} of {len(config.deliveries)}, delivery {delivery}: {ended}")
    if failed:
        raise told(
            f"{len(failed)} of {len(config.deliveries)} deliveries failed, the others are done; correct what each "
            "says and materialize it again",
            **dict(list(failed.items())[:_SHOWN]),
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
            instance=memory, partition_key=delivery, raise_on_error=False, tags=_home(context.instance) | _user(context)
        )
        made = set()
        for event in result.all_events:
            if event.is_step_materialization:
                made.add(event.step_materialization_data.materialization.asset_key)
                context.log_event(event.step_materialization_data.materialization)
            elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                context.log_event(_aimed(context, event.asset_check_evaluation_data))  # type: ignore[arg-type]  # it may
        if result.success:
            return None
        reason = failure(result)
        _mark_failed(context, delivery, {dg.AssetKey(list(key)) for key in DELIVERY_ASSETS} - made, reason)
        return reason


def _aimed(context: dg.OpExecutionContext, judged: dg.AssetCheckEvaluation) -> dg.AssetCheckEvaluation:
    """The outcome of a check, about what was just reported here rather than what the instance in memory holds.

    Dagster takes a check that is about no materialization it knows for one that was never made.
    """
    wanted = dg.AssetRecordsFilter(judged.asset_key, asset_partitions=[str(judged.partition)])
    records = context.instance.fetch_materializations(wanted, limit=1).records
    return dg.AssetCheckEvaluation(
        asset_key=judged.asset_key,
        check_name=judged.check_name,
        passed=judged.passed,
        metadata=judged.metadata,
        target_materialization_data=TargetMaterialization(
            storage_id=records[0].storage_id, run_id=records[0].run_id, timestamp=records[0].timestamp
        )
        if records
        else None,
        severity=judged.severity,
        description=judged.description,
        blocking=judged.blocking,
        partition=judged.partition,
    )


def _mark_failed(context: dg.OpExecutionContext, delivery: str, assets: set[dg.AssetKey], reason: str) -> None:
    """Say that this run was to make the delivery's partition of these assets; when it fails, they show as failed.

    Of a run that many deliveries share, its own error says little to who looks at one: each partition has its reason.
    """
    for asset in sorted(assets):
        context.log_event(dg.AssetObservation(asset, partition=delivery, metadata={"failed": reason}))
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


def _user(context: dg.OpExecutionContext) -> dict[str, str]:
    """Whom the run acts for, so that the runs in memory act for the same person."""
    return {name: value for name, value in context.run.tags.items() if name == USER_TAG}


def _home(instance: dg.DagsterInstance) -> dict[str, str]:
    return {} if instance.is_ephemeral else {HOME_TAG: instance.root_directory}
