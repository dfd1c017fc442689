"""The assets `curated/labels` and `curated/diagnoses`: what the catalogue says, what a materialization reports."""

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs
from assets.checks import balanced
from assets.failures import explained
from assets.metadata import described, reported
from assets.partitions import DELIVERIES
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import DIAGNOSES, LABELS


@dg.asset(
    key=["curated", "labels"],
    deps=[["restricted", "received"], ["curated", "instances"], ["curated", "volumes"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    metadata=described(LABELS),
    automation_condition=follows_inputs(),
)
@explained
@acting(changing(Zone.RESTRICTED, Zone.CURATED))
def labels(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Delivered segmentations and outlined structures, mapped onto volumes by reference, key and geometry."""
    from stages.labels import map_labels

    return dg.MaterializeResult(metadata=reported(map_labels(lake.open(), context.partition_key, context.log.info)))


@dg.asset(
    key=["curated", "diagnoses"],
    deps=[["restricted", "received"], ["restricted", "vault"], ["curated", "volumes"]],
    partitions_def=DELIVERIES,
    group_name="curate",
    kinds={"deltalake", "python"},
    owners=["team:data-engineering"],
    metadata=described(DIAGNOSES),
    automation_condition=follows_inputs(),
)
@explained
@acting(changing(Zone.RESTRICTED, Zone.CURATED))
def diagnoses(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """Declared columns of delivered tables, mapped by key; nothing else of them is read."""
    from stages.diagnoses import map_diagnoses

    return dg.MaterializeResult(metadata=reported(map_diagnoses(lake.open(), context.partition_key, context.log.info)))


@dg.asset_check(asset=labels, blocking=True, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED, Zone.CURATED))
def labels_reconciled(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Label maps, segmentations and structure sets have rows or are in quarantine: none is lost."""
    from stages.upkeep.reconcile import label_balance

    return balanced(label_balance(lake.open(), context.partition_key))


@dg.asset_check(asset=diagnoses, blocking=True, additional_deps=[labels], partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED, Zone.CURATED))
def no_residue_in_labels(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """An independent scan of the words of labels and diagnoses finds no identifier of the vault."""
    from stages.second_look.residual import scan_labels

    residue = scan_labels(lake.open(), context.partition_key)
    return dg.AssetCheckResult(passed=not residue.findings, metadata=residue.facts())
