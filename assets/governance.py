"""The assets `audit/ledger` and `audit/audit_report`: the record sealed, and the page that an officer reads."""

import dagster as dg

from assets.acting import acting
from assets.automation import follows_inputs, nightly
from assets.failures import explained
from assets.metadata import described, page
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading
from schemas.tables import LEDGER


@dg.asset(
    key=["audit", "ledger"],
    deps=[
        dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping())
        for key in (["curated", "volumes"], ["curated", "release"], ["models", "pretrained"], ["models", "evaluations"])
    ],
    group_name="govern",
    kinds={"deltalake", "python"},
    owners=["team:compliance"],
    metadata=described(LEDGER),
    freshness_policy=nightly(),
)
@explained
@acting(changing(Zone.AUDIT))
def ledger(lake: LakeResource) -> dg.MaterializeResult:
    """Every event as leaves of a Merkle log; a materialization signs its present state."""
    from lineage.ledger.seals import seal

    sealed = seal(lake.open())
    return dg.MaterializeResult(metadata={"dagster/row_count": sealed.size, "root": sealed.root})


@dg.asset_check(asset=ledger, blocking=True)
@explained
@acting(reading(Zone.AUDIT))
def verified(lake: LakeResource) -> dg.AssetCheckResult:
    """Every entry, every byte and every seal of the ledger proves itself."""
    from lineage.ledger.verify import verify

    verdict = verify(lake.open())
    finding = {"finding": str(verdict.first)} if verdict.first else {}
    return dg.AssetCheckResult(passed=verdict.ok, metadata={"entries": verdict.entries, **finding})


@dg.asset(
    key=["audit", "audit_report"],
    deps=[["audit", "ledger"]],
    group_name="govern",
    kinds={"file", "python"},
    owners=["team:compliance"],
    freshness_policy=nightly(),
    automation_condition=follows_inputs(),
)
@explained
@acting(changing(Zone.AUDIT))
def audit_report(lake: LakeResource) -> dg.MaterializeResult:
    """One self-contained page: the way of the data with counts, licences, decisions, digests and seals."""
    from lineage.access import Access, accessed
    from lineage.evidence.report import write
    from lineage.ledger.ledger import size

    opened = lake.open()
    entries = size(opened)
    accessed(opened, Access.REPORT, LEDGER.path, entries, "audit report")
    return dg.MaterializeResult(metadata={"page": page(write(opened)), "ledger_entries": entries})
