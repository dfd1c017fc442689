"""The record as W3C PROV, in its JSON form (PROV-JSON): entities, activities, agents, and how they hang together.

Belongs here: from entries of the ledger to statements of PROV-DM. An entry is an activity; what it made and what it was
made from are entities, named by table, delivery and version or by name and digest; whoever acted is an agent. Nothing
is stated that no entry says.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from lineage.evidence.recorded import Entry
from lineage.ledger.events import EventType
from schemas.contract import Zone
from schemas.tables import INSTANCES, RECEIVED

PREFIX, NAMESPACE = "larmor", "urn:larmor:"

STATED = (
    EventType.TERM_KNOWN,
    EventType.RECEIVED,
    EventType.DEIDENTIFIED,
    EventType.MATERIALIZED,
    EventType.RELEASED,
    EventType.TRAINED,
    EventType.EVALUATED,
    EventType.PREDICTED,
    EventType.EXPORTED,
    EventType.WITHDRAWN,
    EventType.REVIEWED,
)
"""Types of events that say where something comes from; accesses are DICOM audit messages."""

_TERMS = f"{PREFIX}:terms."
_DIGEST_SHOWN = 12


def document(entries: Iterable[Entry], deliveries: Mapping[str, Iterable[str]] | None = None) -> bytes:
    """Entries as a PROV-JSON document, canonical: the same bytes for the same entries.

    Args:
        entries: entries of the ledger, in order.
        deliveries: release to the deliveries that its members came in, where that is known; an entry of a release names
            none.
    """
    graph = _Graph(deliveries or {})
    for entry in entries:
        graph.add(entry)
    return json.dumps(graph.document, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


class _Graph:
    """Statements, and the newest entity of each table and delivery."""

    def __init__(self, deliveries: Mapping[str, Iterable[str]]) -> None:
        self.document: dict[str, Any] = {"prefix": {PREFIX: NAMESPACE}}
        self._deliveries = deliveries
        self._newest: dict[tuple[str, str], str] = {}

    def add(self, entry: Entry) -> None:
        """State what an entry says."""
        activity, agent = _name("entry", str(entry.sequence)), _name("agent", entry.principal)
        self._put("agent", agent, {"prov:label": entry.principal})
        about = {f"{PREFIX}:{name}": value for name, value in entry.facts.items() if isinstance(value, str | int)}
        times = {"prov:startTime": entry.time, "prov:endTime": entry.time}
        self._put("activity", activity, times | {"prov:type": _typed(entry.type)} | about)
        self._relate("wasAssociatedWith", {"prov:activity": activity, "prov:agent": agent})
        used = list(dict.fromkeys(self._used(entry)))
        for entity in used:
            self._put("entity", entity, {})
            self._relate("used", {"prov:activity": activity, "prov:entity": entity})
        for entity, type_ in self._made(entry):
            self._put("entity", entity, {"prov:type": _typed(type_)})
            self._relate("wasGeneratedBy", {"prov:entity": entity, "prov:activity": activity, "prov:time": entry.time})
            self._relate("wasAttributedTo", {"prov:entity": entity, "prov:agent": agent})
            for source in used:
                if not source.startswith(_TERMS):  # data come from data; terms are what the work went by
                    self._relate("wasDerivedFrom", {"prov:generatedEntity": entity, "prov:usedEntity": source})

    def _used(self, entry: Entry) -> Iterator[str]:
        facts, delivery = entry.facts, entry.facts.get("delivery", "")
        if "licence_sha256" in facts and entry.type != EventType.TERM_KNOWN:
            yield _digested("terms", facts["licence"], facts["licence_sha256"])
        for name, digest in facts.get("licences", {}).items():
            yield _digested("terms", name.partition("@")[0], digest)
        if entry.type == EventType.DEIDENTIFIED:
            yield from self._latest(RECEIVED.path, delivery)
        elif entry.type == EventType.MATERIALIZED:
            yield from self._latest(INSTANCES.path, delivery)
        elif entry.type == EventType.RELEASED:
            wanted = self._deliveries.get(facts["release"], ())
            rows = [(table, name) for (table, of), name in self._newest.items() if of in wanted]
            yield from (name for table, name in rows if table.startswith(f"{Zone.CURATED}/"))
        elif "release_sha256" in facts:
            yield _digested("release", facts["release"], facts["release_sha256"])
        if "parent_weights_sha256" in facts:
            yield _digested("model", facts["parent"], facts["parent_weights_sha256"])
        if entry.type in (EventType.EVALUATED, EventType.PREDICTED) and "weights_sha256" in facts:
            yield _digested("model", facts["model"], facts["weights_sha256"])

    def _made(self, entry: Entry) -> Iterator[tuple[str, str]]:
        facts, delivery = entry.facts, entry.facts.get("delivery", "")
        tables = {EventType.RECEIVED: RECEIVED.path, EventType.DEIDENTIFIED: INSTANCES.path}
        table = tables.get(EventType(entry.type), facts.get("table"))
        if entry.type == EventType.TERM_KNOWN:
            yield _digested("terms", facts["licence"], facts["licence_sha256"]), "terms"
        elif entry.type == EventType.RELEASED:
            yield _digested("release", facts["release"], facts["release_sha256"]), "release"
        elif entry.type == EventType.TRAINED:
            yield _digested("model", facts["model"], facts["weights_sha256"]), "model"
        elif entry.type == EventType.EVALUATED and "metrics_sha256" in facts:
            yield _digested("metrics", facts["model"], facts["metrics_sha256"]), "metrics"
        elif entry.type == EventType.EXPORTED and "content_sha256" in facts:
            yield _digested("export", facts["target"], facts["content_sha256"]), "export"
        elif table and delivery and entry.type in (*tables, EventType.MATERIALIZED):
            name = _name("rows", f"{table}.{delivery}.entry{entry.sequence}")
            self._newest[table, delivery] = name
            yield name, "rows"

    def _latest(self, table: str, delivery: str) -> Iterator[str]:
        if (table, delivery) in self._newest:
            yield self._newest[table, delivery]

    def _put(self, kind: str, name: str, about: Mapping[str, Any]) -> None:
        self.document.setdefault(kind, {}).setdefault(name, {}).update(about)

    def _relate(self, kind: str, ends: Mapping[str, str]) -> None:
        relations = self.document.setdefault(kind, {})
        relations[f"_:{kind}{len(relations)}"] = dict(ends)


def _name(kind: str, local: str) -> str:
    return f"{PREFIX}:{kind}.{quote(local.replace('/', '.'), safe='')}"


def _digested(kind: str, name: str, sha256: str) -> str:
    return _name(kind, f"{name}.{sha256[:_DIGEST_SHOWN]}")


def _typed(type_: str) -> dict[str, str]:
    return {"$": f"{PREFIX}:{type_}", "type": "prov:QUALIFIED_NAME"}
