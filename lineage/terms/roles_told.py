"""Which documents of roles this lake was under: each kept as it was, and told on the ledger when it first counted.

Belongs here: a change of roles on the record. An installation writes the document with an editor, so no verb sees the
change; the first action that is asked under it tells of it, before anything is allowed or refused. The principal of the
event is who acted then, which need not be who wrote the document.
"""

import contextlib
import hashlib
import json

import pyarrow.compute as pc
from pydantic import ValidationError

from lake.zones import Lake
from lineage.ledger.events import EventType, Facts
from lineage.ledger.ledger import append
from schemas.contract import Zone
from schemas.roles import Roles
from schemas.tables import LEDGER

FOLDER = "roles"
"""Folder of the audit zone with the documents in the order in which they counted; an empty one: there was none."""

_SET, _REMOVED = "set", "removed"


def told(lake: Lake, roles: Roles | None) -> None:
    """Tell of a document of roles that is another one than the last, or is gone.

    Args:
        lake: the lake.
        roles: the document as it is; None: there is none.
    """
    folder = lake.location(Zone.AUDIT, FOLDER)
    kept = folder.list()
    if _says(folder.read_bytes(kept[-1]) if kept else b"", roles):
        return
    content = _text(roles)
    # the event comes first: a crash in between tells of it once more, and never leaves a change without an event
    append(lake, EventType.ROLES_CHANGED, _facts(content))
    with contextlib.suppress(FileExistsError):  # another process told of it at the same moment
        folder.create(f"{len(kept) + 1:08d}.json", content)


def untold(lake: Lake, roles: Roles | None) -> str | None:
    """What of the roles is not as the ledger tells it, in words; None: all is.

    Whoever edits the kept documents so that a change goes untold is found here: the ledger cannot be edited with them.

    Args:
        lake: the lake.
        roles: the document as it is; None: there is none.
    """
    folder = lake.location(Zone.AUDIT, FOLDER)
    kept = folder.list()
    if roles is None and not kept:
        return None
    documents = [folder.read_bytes(name) for name in kept]
    if [_facts(content) for content in documents] != _once(_events(lake)):
        return "other documents kept than the ledger tells of"
    if not _says(documents[-1] if documents else b"", roles):
        return "another document of roles than the last that the ledger tells of"
    return None


def _says(content: bytes, roles: Roles | None) -> bool:
    """Whether a kept document says what the roles do; one of an older Larmor may lack what has a default today."""
    if not content:
        return roles is None
    try:
        return Roles.model_validate_json(content) == roles
    except ValidationError:
        return False


def _events(lake: Lake) -> list[Facts]:
    table = lake.table(LEDGER)
    if not table.exists():
        return []
    rows = table.read(["sequence", "type", "event"])
    found = rows.filter(pc.equal(rows["type"], str(EventType.ROLES_CHANGED))).sort_by("sequence").to_pylist()
    told_facts = (json.loads(row["event"])["facts"] for row in found)
    return [{name: facts[name] for name in ("action", "roles_sha256") if name in facts} for facts in told_facts]


def _once(events: list[Facts]) -> list[Facts]:
    """The events without those that tell the same once more, as two processes at one moment do."""
    return [facts for before, facts in zip([None, *events], events, strict=False) if facts != before]


def _facts(content: bytes) -> Facts:
    if not content:
        return {"action": _REMOVED}
    return {"action": _SET, "roles_sha256": hashlib.sha256(content).hexdigest()}


def _text(roles: Roles | None) -> bytes:
    """The text that the digest is of (`schemas.document.Document.digest`)."""
    if roles is None:
        return b""
    return json.dumps(roles.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()
