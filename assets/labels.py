"""The asset `curated/labels`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets.metadata import described, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.tables import LABELS


@dg.asset(
    key=["curated", "labels"],
    deps=[["restricted", "received"], ["curated", "volumes"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    metadata=described(LABELS),
)
def labels(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Delivered segmentations, mapped onto the volumes of a delivery by geometry."""
    from stages.labels import map_labels

    return dg.MaterializeResult(metadata=reported(map_labels(lake.open(), context.partition_key, context.log.info)))
