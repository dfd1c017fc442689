"""The check `audit/ledger:agrees`: the ledger, the tables' histories and Dagster's own storage tell the same."""

import dagster as dg

from assets.acting import acting
from assets.failures import explained
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import reading


@dg.asset_check(asset=["audit", "ledger"])
@explained
@acting(reading(Zone.AUDIT))
def agrees(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Ledger, Delta history and Dagster's events tell of the same deliveries, versions and counts."""
    from assets.told import told
    from lineage.ledger.reconcile import compared

    comparison = compared(lake.open(), told(context.instance))
    found, notes = comparison.differences, {"notes": comparison.notes} if comparison.notes else {}
    remedy = "run larmor verify: where the ledger holds, the other record was edited, wiped, or written without it"
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"differences": len(found), **notes, **({"first": found[:20], "remedy": remedy} if found else {})},
    )
