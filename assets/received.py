"""The asset `restricted/received`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets import checks
from assets.acting import acting
from assets.failures import explained
from assets.metadata import described, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from assets.sources import DELIVERY
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import RECEIVED


@dg.asset(
    key=["restricted", "received"],
    deps=[DELIVERY],
    partitions_def=DELIVERIES,
    group_name="intake",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    tags={"phi": "yes"},
    pool="cpu",
    metadata=described(RECEIVED),
)
@explained
@acting(changing(Zone.RESTRICTED))
def received(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Every file of a delivery: registered, hashed, deduplicated, its licence in force; the rest in quarantine."""
    from stages.received import receive

    outcome = receive(lake.open(), context.partition_key, context.log.info)
    files = {name: outcome.details[name] for name in ("files", "expected_files")}
    # nobody materializes what licensors bring; without this the graph would show every delivery as missing
    context.log_event(dg.AssetMaterialization(DELIVERY, partition=context.partition_key, metadata=files))
    return dg.MaterializeResult(metadata=reported(outcome))


@dg.asset_check(asset=received, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED))
def complete(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """The delivery has as many files as its licensor says."""
    from stages.upkeep.reconcile import completeness

    return checks.complete(*completeness(lake.open(), context.partition_key))


@dg.asset_check(asset=received, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED))
def settled(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """No file was left to a delivery that does not keep it any more; where one was, that delivery must run again."""
    from stages.versions import astray, leaning

    opened, delivery = lake.open(), context.partition_key
    return checks.settled(astray(opened, delivery), leaning(opened, delivery))
