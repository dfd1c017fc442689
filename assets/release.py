"""The asset `curated/release`: what the catalogue says of it, and what a materialization reports."""

import dagster as dg

from assets.acting import acting
from assets.failures import explained
from assets.metadata import page
from assets.partitions import RELEASES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing


@dg.asset(
    key=["curated", "release"],
    deps=[
        dg.AssetDep(["curated", table], partition_mapping=dg.AllPartitionMapping())
        for table in ("volumes", "series", "labels", "reports", "diagnoses")
    ],
    partitions_def=RELEASES,
    group_name="release",
    kinds={"deltalake", "python"},
    owners=["team:data-science"],
)
@explained
@acting(changing(Zone.CURATED))
def release(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """A frozen cohort: pinned table versions, splits by subject, a sealed test set, terms, a data card."""
    from lake.releases import CARD
    from schemas.contract import Zone
    from schemas.release import ReleaseSpec
    from stages.release import freeze, spec_path

    opened = lake.open()
    spec = ReleaseSpec.read(spec_path(opened, context.partition_key))
    frozen = freeze(opened, spec, context.log.info)
    card = opened.location(Zone.CURATED, "releases", frozen.name).address(CARD)
    counts = {f"{split}_{what}": n for split, found in frozen.manifest.counts.items() for what, n in found.items()}
    facts: dict[str, str | int] = {"manifest_sha256": frozen.sha256, "licences": ", ".join(frozen.manifest.licences)}
    if frozen.manifest.decision:
        facts["decision"] = frozen.manifest.decision
    if risk := frozen.manifest.risk:
        facts |= {"smallest_cell": risk.smallest, "subjects_in_small_cells": risk.subjects_in_small_cells}
    return dg.MaterializeResult(metadata={**facts, **counts, "data_card": page(card)})
