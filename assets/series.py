"""The asset `curated/series`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs
from assets.failures import explained
from assets.metadata import described, reported, sheet
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import SERIES


@dg.asset(
    key=["curated", "series"],
    deps=[["curated", "instances"], ["curated", "volumes"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    metadata=described(SERIES),
    automation_condition=follows_inputs(),
)
@explained
@acting(changing(Zone.CURATED))
def series(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """What each series of a delivery is: classification with evidence, geometry, quality, what is missing."""
    from stages.series import describe

    return dg.MaterializeResult(metadata=reported(describe(lake.open(), context.partition_key, context.log.info)))


@dg.asset_check(asset=series, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.CURATED))
def usual(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """No series has a fault, or stands out in quality among those of its site, scanner and contrast."""
    from stages.quality import by_scanner

    lines = by_scanner(lake.open(), context.partition_key)
    flagged, total = (sum(line[name] for line in lines) for name in ("flagged", "series"))
    return dg.AssetCheckResult(
        passed=not flagged,
        severity=dg.AssetCheckSeverity.WARN,
        description=f'{flagged} of {total} series stand out in quality: larmor look --where "len(quality_flags) > 0"',
        metadata={"series": total, "flagged": flagged, "scanners": sheet(lines)},
    )
