"""The assets `curated/instances` and `audit/decisions`: one pass over a delivery's DICOM makes both."""

from collections.abc import Iterator

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs
from assets.checks import balanced
from assets.failures import explained
from assets.metadata import described, reported
from assets.partitions import DELIVERIES, HOME_TAG
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import CERTIFICATES, DECISIONS, INSTANCES


@dg.multi_asset(
    name="deidentified",
    specs=[
        dg.AssetSpec(
            ["curated", "instances"],
            deps=[["restricted", "received"], ["restricted", "vault"]],
            description="De-identified DICOM instances, whole files, packed by series.",
            kinds={"deltalake", "python"},
            owners=["team:data-engineering"],
            metadata=described(INSTANCES),
            automation_condition=follows_inputs(),
        ),
        dg.AssetSpec(
            ["audit", "decisions"],
            deps=[["restricted", "received"], ["restricted", "vault"]],
            description="Every de-identification rule that acted, on what kind of value, how often; never a value.",
            kinds={"deltalake", "python"},
            owners=["team:compliance"],
            metadata=described(DECISIONS),
            automation_condition=follows_inputs(),
        ),
    ],
    group_name="deidentify",
    partitions_def=DELIVERIES,
    pool="cpu",
)
@explained
@acting(changing(Zone.RESTRICTED, Zone.CURATED))
def deidentified(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Allow-list de-identification of headers and kept text; what cannot be judged goes to quarantine."""
    from stages.instances import deidentify

    for outcome in deidentify(lake.open(), context.partition_key, context.log.info):
        yield dg.MaterializeResult(asset_key=outcome.table.split("/"), metadata=reported(outcome))


@dg.asset_check(asset=["curated", "instances"], blocking=True, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED, Zone.CURATED))
def no_residue(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """An independent scan of the output bytes, and of what lies around them, finds no identifier of the vault."""
    from stages.second_look.residual import keep, scan
    from stages.second_look.surroundings import scan_around

    opened, delivery = lake.open(), context.partition_key
    residue = scan(opened, delivery) + scan_around(opened, delivery, home(context), into_others=False)
    keep(opened, delivery, residue)
    return dg.AssetCheckResult(passed=not residue.findings, metadata=residue.facts())


def home(context: dg.AssetCheckExecutionContext) -> str | None:
    """Folder where Dagster keeps its storage and logs; None where it has none on disk."""
    instance = context.instance
    # a run in memory, one of many that one run works off, is reported to an instance that may be on disk
    return context.run.tags.get(HOME_TAG) if instance.is_ephemeral else instance.root_directory


@dg.asset_check(asset=["curated", "instances"], blocking=True, partitions_def=DELIVERIES)
@explained
@acting(reading(Zone.RESTRICTED, Zone.CURATED))
def reconciled(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
    """Files received are kept, duplicates, or in quarantine: none is lost."""
    from stages.upkeep.reconcile import balance

    return balanced(balance(lake.open(), context.partition_key))


@dg.asset(
    key=["audit", "certificates"],
    deps=[["curated", "instances"], ["audit", "decisions"]],
    partitions_def=DELIVERIES,
    group_name="deidentify",
    kinds={"deltalake", "python"},
    owners=["team:compliance"],
    metadata=described(CERTIFICATES),
    automation_condition=follows_inputs(),
)
@explained
@acting(reading(Zone.CURATED))
def certificates(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:
    """What became of the 18 HIPAA identifiers in each series, and how it was checked; none for a leaking delivery."""
    from stages.certificates import certify_series

    return dg.MaterializeResult(metadata=reported(certify_series(lake.open(), context.partition_key, context.log.info)))
