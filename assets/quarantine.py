"""The asset `restricted/quarantine`: a delivery's page of work, with reasons, counts, examples by id and remedies."""

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs
from assets.failures import explained
from assets.metadata import described, sheet, worklist
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import reading
from schemas.tables import QUARANTINE


@dg.asset(
    key=["restricted", "quarantine"],
    deps=[
        ["restricted", "received"],
        *(["curated", table] for table in ("instances", "volumes", "reports", "labels", "diagnoses")),
    ],
    partitions_def=DELIVERIES,
    group_name="quarantine",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    tags={"phi": "yes"},
    metadata=described(QUARANTINE),
    automation_condition=follows_inputs(),
)
@explained
@acting(reading(Zone.RESTRICTED))
def quarantine(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """What the stations held back of a delivery, by reason, with what to do; ids stand for files, paths stay inside."""
    from lineage.access import Access, accessed
    from stages.quarantine import grouped, waiting

    opened = lake.open()
    groups = grouped(waiting(opened, context.partition_key))
    held = sum(group.count for group in groups)
    accessed(opened, Access.READ, QUARANTINE.path, held, "quarantine worklist", delivery=context.partition_key)
    lines: list[dict[str, int | str]] = [
        {"reason": g.reason, "station": g.stage, "held": g.count, "remedy": g.remedy} for g in groups
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": held,
            "reasons": sheet(lines),
            "work": worklist(groups, context.partition_key),
            **{f"held_{group.reason}_in_{group.stage}": group.count for group in groups},
        }
    )
