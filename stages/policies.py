"""Which de-identification policies this lake's data were treated by: each kept as it was, and told when it came in.

Belongs here: a policy on the record. What a policy says is `schemas.policy`, what it does is `deid`.
"""

import contextlib
import json
from collections.abc import Iterator

from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.ledger.ledger import append
from lineage.terms.determinations import basis
from schemas.contract import Zone
from schemas.policy import Policy

FOLDER = "policies"
"""Folder of the audit zone with a document a policy, named by its digest: what applied then can be read."""


def told(lake: Lake, policy: Policy) -> None:
    """Keep the document of a policy that this lake has not used before, and tell of it on the ledger."""
    folder, name = lake.location(Zone.AUDIT, FOLDER), f"{policy.digest}.json"
    if folder.exists(name):
        return
    # the text that the digest is of (`schemas.document.Document.digest`)
    content = json.dumps(policy.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    # the event comes first: a crash in between tells of it once more, and never leaves a policy without an event
    facts = {"policy": policy.name, "policy_sha256": policy.digest, "mode": basis(policy)}
    append(lake, EventType.POLICY_CHANGED, facts)
    with contextlib.suppress(FileExistsError):  # another delivery used it at the same moment
        folder.create(name, content.encode())


def texts(lake: Lake) -> Iterator[str]:
    """The documents that were kept, as they stand there."""
    folder = lake.location(Zone.AUDIT, FOLDER)
    for name in folder.list():
        yield folder.read_bytes(name).decode()
