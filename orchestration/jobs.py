"""What is run as one: a delivery, a release with its models, the evidence, upkeep.

Belongs here: selections of assets. The command line, the sensors and the UI start these.
"""

import dagster as dg

DELIVERY_ASSETS = (
    ("restricted", "received"),
    ("curated", "instances"),
    ("audit", "decisions"),
    ("audit", "certificates"),
    ("curated", "volumes"),
    ("curated", "series"),
    ("curated", "reports"),
    ("curated", "labels"),
    ("curated", "diagnoses"),
    ("restricted", "quarantine"),
)
RELEASE_ASSETS = (("curated", "release"), ("models", "pretrained"), ("models", "finetuned"), ("models", "evaluations"))
EVIDENCE_ASSETS = (("audit", "ledger"), ("audit", "audit_report"))
TIERS_ASSETS = (("audit", "tier_plan"), ("audit", "tier_moves"))
SCRUB_ASSETS = (("audit", "scrub"),)


def _selection(keys: tuple[tuple[str, ...], ...]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(dg.AssetKey(list(key)) for key in keys))


DELIVERY_JOB = dg.define_asset_job(
    "delivery",
    selection=_selection(DELIVERY_ASSETS),
    # a process a step would cost some seconds each, and the work of a step has processes of its own
    executor_def=dg.in_process_executor,
    description="A delivery, from its files to volumes, reports, labels and diagnoses.",
)
RELEASE_JOB = dg.define_asset_job(
    "release",
    selection=_selection(RELEASE_ASSETS),
    description="A release, from its specification to evaluated models.",
)
EVIDENCE_JOB = dg.define_asset_job(
    "evidence",
    selection=_selection(EVIDENCE_ASSETS),
    description="Seal and verify the ledger, write the audit report.",
)
TIERS_JOB = dg.define_asset_job(
    "tiers",
    selection=_selection(TIERS_ASSETS),
    description="Price ways of keeping the lake's files, and move those that the policy says.",
)
SCRUB_JOB = dg.define_asset_job(
    "scrub",
    selection=_selection(SCRUB_ASSETS),
    description="Read the next share of the files and compare them with their digests.",
)

JOBS = [DELIVERY_JOB, RELEASE_JOB, EVIDENCE_JOB, TIERS_JOB, SCRUB_JOB]
