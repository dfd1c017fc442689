"""Expert determinations: data that a policy treated beyond safe harbor need one, for this policy and until a day.

Belongs here: which policies need one, and whether there is one. The document is `schemas.determination`.

A policy rests on an expert's determination (45 CFR 164.514(b)(1)) where it shifts dates or keeps faces: neither is safe
harbor. The policies that ship and the configured one say themselves what they rest on; of any other the ledger does, in
the event of the de-identification. A policy that nobody knows, of data treated before that was told, needs none.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.compute as pc

from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.terms.refusal import Refusal
from lineage.terms.terms import Known
from schemas.document import DocumentError
from schemas.policy import POLICIES, Dates, Found, Policy, read_policy, shipped
from schemas.tables import LEDGER
from schemas.term import Kind

SAFE_HARBOR, EXPERT, LIMITED = "safe_harbor", "expert_determination", "limited_data_set"
"""What a policy rests on, as events call it."""


def basis(policy: Policy) -> str:
    """What a policy rests on: safe harbor, an expert's determination, or the agreement of a limited data set."""
    if policy.dates is Dates.KEEP:
        return LIMITED
    return EXPERT if policy.dates is Dates.SHIFT or policy.faces is Found.KEEP else SAFE_HARBOR


def needed(lake: Lake, known: Known, policies: Iterable[str], release: str, day: dt.date) -> dict[str, str]:
    """The determinations that data of these policies rest on, id to digest; none where none is needed.

    Args:
        lake: the lake, whose setting `determinations` says whether they are asked for.
        known: documents as they are known.
        policies: digests of the policies that treated the data.
        release: name of the release.
        day: when.

    Raises:
        Refusal: if a policy rests on a determination and none in force was made for it and for this release.
    """
    wanted = set(policies)
    if not wanted or not lake.settings.determinations:
        return {}
    rests = _bases(lake, wanted)
    found: dict[str, str] = {}
    for policy in sorted(digest for digest in wanted if rests.get(digest) == EXPERT):
        mine = [d for d in known.determinations if d.policy_sha256 == policy]
        fitting = [d for d in mine if d.covers(release) and d.in_force(day)]
        if not fitting:
            raise _refusal(known, [d.id for d in mine], policy, release, day)
        found[fitting[0].id] = fitting[0].digest
    return found


def _refusal(known: Known, mine: list[str], policy: str, release: str, day: dt.date) -> Refusal:
    remedy = "have the expert judge this policy, and add the determination (larmor terms --add FILE)"
    wanted = f"one in force on {day} for policy {policy[:12]} and this release"
    if mine:
        covered = any(d.covers(release) for d in known.determinations if d.id in mine)
        term, why = ("valid_until", "one that is not in force") if covered else ("releases", "one of other releases")
        return Refusal(mine[0], term, why, wanted, remedy, kind=Kind.DETERMINATION)
    others = known.determinations
    name = others[0].id if others else Kind.DETERMINATION
    found = f"determinations of {len(others)} other policies only" if others else "no determination"
    return Refusal(name, "policy_sha256", found, wanted, remedy, kind=Kind.DETERMINATION)


def _bases(lake: Lake, policies: set[str]) -> Mapping[str, str]:
    """Policy to what it rests on, as far as it is known."""
    found = {policy.digest: basis(policy) for policy in _documents(lake)}
    # what a policy rests on follows from its content, so a document says the same as the ledger, and is read faster
    return found if policies <= found.keys() else found | _told(lake)


def _told(lake: Lake) -> dict[str, str]:
    """What de-identifications said on the ledger."""
    table = lake.table(LEDGER)
    if not table.exists():
        return {}
    rows = table.read(["type", "event"])
    events = rows.filter(pc.equal(rows["type"], str(EventType.DEIDENTIFIED)))["event"].to_pylist()
    facts = (json.loads(event)["facts"] for event in events)
    return {said["policy_sha256"]: said["mode"] for said in facts if "mode" in said}


def _documents(lake: Lake) -> list[Policy]:
    """The policies that ship, and the configured one where it can be read."""
    found = [read_policy(POLICIES / f"{name}.yaml") for name in shipped()]
    configured = Path(lake.settings.policy)
    if configured.suffix:
        try:
            found.append(read_policy(configured))
        except DocumentError:
            return found  # whoever de-identifies is told; what was treated before does not hang on it
    return found
