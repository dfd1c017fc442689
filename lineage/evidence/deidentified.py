"""What the audit report says of de-identification: rules, the 18 identifiers, canaries, and the second look.

Belongs here: counting what stations recorded. How a certificate is made is `deid.proof.certificate`, its own page is
`lineage.evidence.certificates`. Never a value: decisions and certificates hold kinds and counts only.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from lineage.evidence.gathered import Rows, counted, distinct
from lineage.evidence.past import Past
from lineage.evidence.recorded import Record
from lineage.ledger.events import EventType
from schemas.contract import Zone
from schemas.tables import CERTIFICATES, DECISIONS

ACTIONS = {
    "K": "kept",
    "C": "cleaned",
    "D": "replaced by a dummy",
    "Z": "emptied",
    "X": "removed",
    "U": "UID replaced",
}
"""PS3.15 actions in words."""

_SCANS = "scans"
"""Folder of the audit zone with the newest residual scan of each delivery (`stages.second_look.residual`)."""

_RULES_SHOWN = 8


def decisions(past: Past) -> Rows:
    """De-identification decisions by rule, action, kind of value and detector, with elements and rows by delivery."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in counted(past.table(DECISIONS), ["rule", "action", "kind", "detector", "delivery"], total="count"):
        key = tuple(str(row[name]) for name in ("rule", "action", "kind", "detector"))
        entry = found.setdefault(
            key,
            {**row, "words": ACTIONS.get(row["action"], ""), "count": 0, "deliveries": Counter(), "rows": Counter()},
        )
        entry["count"] += row["count"]
        entry["deliveries"][row["delivery"]] += row["count"]
        entry["rows"][row["delivery"]] += row["n"]
    return sorted(found.values(), key=lambda row: (-row["count"], row["rule"], row["action"], row["kind"]))


def policies(past: Past) -> Rows:
    """De-identification policies by digest, with the series that each treated."""
    return sorted(distinct(past.table(DECISIONS), "policy", "series"), key=lambda row: str(row["policy"]))


def certificates(past: Past) -> Rows:
    """Certificates by delivery and policy: series, and what became of faces and of text in their pixels."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    columns = ["delivery", "policy", "policy_name", "edition", "faces", "burned_in", "values_looked_for"]
    for row in counted(past.table(CERTIFICATES), columns):
        entry = rows.setdefault(
            (row["delivery"], row["policy"]), {**row, "n": 0, "faces": Counter(), "burned_in": Counter()}
        )
        entry["n"] += row["n"]
        entry["faces"][row["faces"]] += row["n"]
        entry["burned_in"][row["burned_in"]] += row["n"]
    return [rows[key] for key in sorted(rows)]


@dataclass
class Line:
    """One of the 18 identifiers in a group of series."""

    letter: str
    title: str
    status: str
    elements: int = 0
    rules: set[str] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)

    @property
    def why(self) -> str:
        """Why it was kept, in the words of the certificates; nothing of what was not kept."""
        return " ".join(sorted(self.checked)) if self.status == "kept" else ""

    @property
    def words(self) -> str:
        """The rules that acted, some of them by name."""
        named = sorted(self.rules)
        more = f" and {len(named) - _RULES_SHOWN} more" if len(named) > _RULES_SHOWN else ""
        return ", ".join(named[:_RULES_SHOWN]) + more


@dataclass
class Group:
    """Series that the same policy treated, and for which the same became of each of the 18 identifiers.

    Attributes:
        policy: SHA-256 of the policy.
        policy_name: its name.
        lines: the identifiers, A to R.
        series: series by delivery.
        examples: some of their pseudonymous UIDs, by which `larmor report certificate` finds them.
    """

    policy: str
    policy_name: str
    lines: list[Line]
    series: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def identifiers(past: Past) -> list[Group]:
    """Certified series in groups of equal outcome, the largest first, each with its 18 lines."""
    groups: dict[tuple[str, ...], Group] = {}
    for row in past.table(CERTIFICATES).rows(["delivery", "series", "policy", "policy_name", "document"]):
        entries = json.loads(row["document"]).get("entries", [])
        key = (row["policy"], *(entry["status"] for entry in entries))
        lines = [Line(entry["letter"], entry["title"], entry["status"]) for entry in entries]
        group = groups.setdefault(key, Group(row["policy"], row["policy_name"], lines))
        group.series[row["delivery"]] += 1
        group.examples.append(row["series"])
        for line, entry in zip(group.lines, entries, strict=True):
            line.elements += entry["elements"]
            line.rules.update(entry["rules"])
            line.checked.add(entry.get("checked", ""))
    for group in groups.values():
        group.examples = sorted(group.examples)[:1]
    return sorted((g for g in groups.values() if g.lines), key=lambda group: (-group.series.total(), group.examples))


def checks(past: Past, record: Record) -> Rows:
    """What was planted and looked for in each delivery: canaries with their recall, and the residual scan."""
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for entry in record.of_type(EventType.DEIDENTIFIED):
        planted, removed = (entry.facts.get(f"canaries_{what}") for what in ("planted", "removed"))
        rows[entry.facts["delivery"]] |= {"planted": planted, "removed": removed, "entry": entry}
    for delivery, scanned in _scanned(past).items():
        rows[delivery] |= scanned
    return [{"delivery": delivery, **row} for delivery, row in sorted(rows.items())]


def _scanned(past: Past) -> dict[str, dict[str, Any]]:
    """Values, bytes and findings of scans; of a past moment only those that certificates rest on, which found none."""
    found: dict[str, dict[str, Any]] = {}
    for row in counted(past.table(CERTIFICATES), ["delivery", "values_looked_for"], total="bytes_read"):
        found[row["delivery"]] = {"values": row["values_looked_for"], "bytes": row["bytes_read"], "findings": 0}
    if past.until is None:
        location = past.location(Zone.AUDIT, _SCANS)
        for name in location.list():
            said = json.loads(location.read_bytes(name))
            hits = said["findings"]
            found[said["delivery"]] = {
                "values": said["values"],
                "bytes": said["bytes"],
                "findings": sum(hits.values()),
                "places": ", ".join(sorted(hits)),
            }
    return found
