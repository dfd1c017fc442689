"""The asset `audit/scrub`: files read again and compared with the digests they had, a share each time."""

import dagster as dg

from assets.acting import acting
from assets.automation import nightly
from assets.config import StepConfig
from assets.failures import explained
from assets.metadata import sheet
from assets.resources import LakeResource
from schemas.contract import Zone
from schemas.roles import changing, reading


class ScrubConfig(StepConfig):
    """What a person may choose."""

    everything: bool = False
    """Read all files at once instead of the next share (LARMOR_SCRUB_ROUNDS)."""


@dg.asset(
    key=["audit", "scrub"],
    group_name="govern",
    kinds={"file", "python"},
    owners=["team:data-engineering"],
    pool="cpu",
    freshness_policy=nightly(),
)
@explained
@acting(changing(*Zone))
def scrub(context: dg.AssetExecutionContext, config: ScrubConfig, lake: LakeResource) -> dg.MaterializeResult:
    """Files of all zones against their SHA-256: what differs is marked, and restored where a copy is configured."""
    from lake.integrity.scrub import facts
    from stages.upkeep.scrubbing import scrubbed

    found, removed = scrubbed(lake.open(), everything=config.everything, report=context.log.info)
    told = facts(found)
    return dg.MaterializeResult(metadata={**told, "removed": removed, "findings": sheet(told["findings"])})


@dg.asset_check(asset=scrub)
@explained
@acting(reading(Zone.AUDIT))
def intact(lake: LakeResource) -> dg.AssetCheckResult:
    """No file is known to be other than it was written."""
    from lake.integrity.scrub import marked

    found = marked(lake.open())
    places = sorted({mark.shown for mark in found})
    remedy = "restore them from a copy (LARMOR_MIRROR, docs/how-to/keep-and-restore.md), or run the deliveries again"
    return dg.AssetCheckResult(
        passed=not found, metadata={"files": len(found), **({"where": places, "remedy": remedy} if found else {})}
    )
