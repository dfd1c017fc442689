"""The assets `audit/tier_plan` and `audit/tier_moves`: what storage tiers would save, and the moves that do it."""

from typing import Any

import dagster as dg

from assets.acting import acting
from assets.automation import nightly
from assets.failures import explained
from assets.metadata import described, pictures, sheet
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import TIER_MOVES

_WAITING = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]


def queued(instance: dg.DagsterInstance) -> list[str]:
    """Releases that runs which have not started will train on, by their partition."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_WAITING, job_name="release"))
    return sorted({run.tags["dagster/partition"] for run in runs if "dagster/partition" in run.tags})


@dg.asset(
    key=["audit", "tier_plan"],
    deps=[
        dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping())
        for key in (["curated", "instances"], ["curated", "volumes"], ["curated", "release"])
    ],
    group_name="govern",
    kinds={"file", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    freshness_policy=nightly(),
)
@explained
@acting(reading(Zone.AUDIT))
def tier_plan(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Ways of keeping the lake's files, priced over its recorded use, and what the policy would move today."""
    from lake.tiering.plot import plot
    from stages.upkeep.tiers import plan, summary

    made = plan(lake.open(), queued(context.instance))
    ways = [{name: value for name, value in row.items() if name != "monthly"} for row in made.comparison.rows()]
    what = "recorded use" if made.replayed else "known future use"
    told: dict[str, Any] = {
        **summary(made),
        "policy": made.policy.name,
        "policy_sha256": made.policy.digest,
        "prices": f"{made.book.region}, {made.book.date}",
        "days": made.comparison.days,
        "ways": sheet(ways),
        "plot": pictures([(f"{made.comparison.days} days of {what}", plot(made.comparison))]),
    }
    return dg.MaterializeResult(metadata=told)


@dg.asset(
    key=["audit", "tier_moves"],
    deps=[["audit", "tier_plan"]],
    group_name="govern",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    metadata=described(TIER_MOVES),
    pool="cpu",
    freshness_policy=nightly(),
)
@explained
@acting(changing(Zone.RESTRICTED, Zone.CURATED, Zone.AUDIT))
def tier_moves(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Files moved between storage tiers as the policy says today: copied, verified, recorded."""
    from stages.upkeep.tiers import carry_out, plan, summary

    opened = lake.open()
    made = plan(opened, queued(context.instance))
    found = carry_out(opened, made) if made.possible else {}
    counts = {name: sum(len(getattr(each, name)) for each in found.values()) for name in ("moved", "gone", "waiting")}
    failed = [message for each in found.values() for message in each.failed]
    for message in failed:
        context.log.warning(message)
    remedy = {} if made.possible else {"remedy": "name folders of tiers in LARMOR_TIERS, or put zones on S3"}
    sizes = {"bytes": sum(move.bytes for each in found.values() for move in each.moved), "failed": len(failed)}
    return dg.MaterializeResult(metadata={**summary(made), **counts, **sizes, **remedy})
