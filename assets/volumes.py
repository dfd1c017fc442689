"""The asset `curated/volumes`: what the catalogue says of it, and what a materialization reports.

The work is `stages.volumes`, which knows nothing of Dagster and runs on an executor as it runs here.
"""

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs
from assets.checks import balanced
from assets.failures import explained
from assets.metadata import described, pictures, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import VOLUMES


@dg.asset(
    key=["curated", "volumes"],
    deps=[["curated", "instances"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    metadata=described(VOLUMES),
    automation_condition=follows_inputs(),
)
@explained
@acting(changing(Zone.RESTRICTED, Zone.CURATED))
def volumes(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Normalized 3D and 4D volumes of a delivery: canonical axes, millimetre affine, voxels inside the table."""
    from stages.volumes import normalize, previews  # decoders stay out of the definitions' import path

    opened = lake.open()
    outcome = normalize(opened, context.partition_key, context.log.info)
    preview = pictures(previews(opened, context.partition_key))
    return dg.MaterializeResult(metadata=reported(outcome) | {"preview": preview})


@dg.asset_check(asset=volumes, blocking=True, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED, Zone.CURATED))
def accounted(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Every kept instance is part of a volume, or in quarantine with its reason."""
    from stages.upkeep.reconcile import volume_balance

    return balanced(volume_balance(lake.open(), context.partition_key))
