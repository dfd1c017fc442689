"""The asset `restricted/received`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets.acting import acting
from assets.failures import explained
from assets.metadata import described, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import RECEIVED


@dg.asset(
    key=["restricted", "received"],
    deps=[["landing", "delivery"]],
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

    return dg.MaterializeResult(metadata=reported(receive(lake.open(), context.partition_key, context.log.info)))


@dg.asset_check(asset=received, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED))
def complete(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """The delivery has as many files as its licensor says."""
    from stages.upkeep.reconcile import completeness

    found, expected = completeness(lake.open(), context.partition_key)
    return dg.AssetCheckResult(
        passed=expected in (None, found),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"found": found, "expected": "not stated" if expected is None else expected},
    )


@dg.asset_check(asset=received, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED))
def settled(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """No file was left to a delivery that does not keep it any more; where one was, that delivery must run again."""
    from stages.versions import astray, leaning

    opened, delivery = lake.open(), context.partition_key
    left, others = astray(opened, delivery), leaning(opened, delivery)
    return dg.AssetCheckResult(
        passed=not left and not others,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"files_to_receive_again": left, "deliveries_to_run_again": ", ".join(others) or "none"},
    )
