"""The asset `curated/series`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets.metadata import described, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.tables import SERIES


@dg.asset(
    key=["curated", "series"],
    deps=[["curated", "instances"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    metadata=described(SERIES),
)
def series(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """What each series of a delivery is: classification with evidence, geometry, what is missing."""
    from stages.series import describe

    return dg.MaterializeResult(metadata=reported(describe(lake.open(), context.partition_key, context.log.info)))
