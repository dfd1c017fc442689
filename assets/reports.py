"""The asset `curated/reports`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs
from assets.failures import explained
from assets.instances import home
from assets.metadata import described, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import REPORTS


@dg.asset(
    key=["curated", "reports"],
    deps=[["restricted", "received"], ["curated", "series"], ["restricted", "vault"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    metadata=described(REPORTS),
    automation_condition=follows_inputs(),
)
@explained
@acting(changing(Zone.RESTRICTED, Zone.CURATED))
def reports(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """De-identified report text of a delivery, and a caption for each study made from its metadata."""
    from stages.reports import write_reports

    return dg.MaterializeResult(metadata=reported(write_reports(lake.open(), context.partition_key, context.log.info)))


@dg.asset_check(asset=reports, blocking=True, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED, Zone.CURATED))
def no_residue_in_text(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """An independent scan of the text, and of what lies around the data, finds no identifier of the vault."""
    from stages.second_look.residual import scan_reports
    from stages.second_look.surroundings import scan_around

    opened, delivery = lake.open(), context.partition_key
    residue = scan_reports(opened, delivery) + scan_around(opened, delivery, home(context))
    return dg.AssetCheckResult(passed=not residue.findings, metadata=residue.facts())
