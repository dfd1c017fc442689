"""What the audit report says, gathered from the tables and the ledger as plain values.

Belongs here: counting and collecting. How it looks is `lineage.evidence.report` and its templates. Nothing of the
restricted zone but counts comes here: no paths, no digests of received files, no identifiers.
"""

import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from lake.storage import Location
from lake.table import LakeTable
from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.commits import LedgerDamaged, Log
from lineage.ledger.seals import Seal, SealError, read_all
from schemas.checkpoint import CheckpointManifest
from schemas.contract import Table, Zone
from schemas.licence import Licence
from schemas.reasons import Reason
from schemas.release import ReleaseManifest
from schemas.tables import (
    ACCESS,
    CERTIFICATES,
    DECISIONS,
    DIAGNOSES,
    EXPOSURES,
    INSTANCES,
    LABELS,
    LICENCES,
    QUARANTINE,
    RECEIVED,
    REPORTS,
    SERIES,
    VOLUMES,
)

Rows = list[dict[str, Any]]

MANIFEST, METRICS = "manifest.json", "metrics.json"

ACTIONS = {
    "K": "kept",
    "C": "cleaned",
    "D": "replaced by a dummy",
    "Z": "emptied",
    "X": "removed",
    "U": "UID replaced",
}
"""PS3.15 actions in words."""

_METRICS_SHOWN = 16
_DEEPEST = 3


def counted(table: LakeTable, columns: Sequence[str], total: str | None = None) -> Rows:
    """Rows of each combination of columns as `n`, with the sum of another column where one is named."""
    if not table.exists():
        return []
    names = list(dict.fromkeys([*columns, *([total] if total else [])]))
    found = table.read(names)
    if found.num_rows == 0:
        return []
    grouped = found.append_column("n", pa.array([1] * found.num_rows, pa.int64())).group_by(list(columns))
    if total is None:
        return grouped.aggregate([("n", "sum")]).rename_columns({"n_sum": "n"}).to_pylist()
    summed = grouped.aggregate([("n", "sum"), (total, "sum")])
    return summed.rename_columns({"n_sum": "n", f"{total}_sum": total}).to_pylist()


def deliveries(lake: Lake) -> Rows:
    """Each delivery: files received, kept, duplicate and quarantined, and what was made of it."""
    rows: dict[str, dict[str, Any]] = defaultdict(lambda: {"received": 0, "licences": set()})
    for row in counted(lake.table(RECEIVED), ["delivery", "outcome", "licence"]):
        entry = rows[row["delivery"]]
        entry[row["outcome"]] = entry.get(row["outcome"], 0) + row["n"]
        entry["received"] += row["n"]
        entry["licences"].add(row["licence"])
    for table in (INSTANCES, SERIES, VOLUMES, REPORTS, LABELS, DIAGNOSES):
        for row in counted(lake.table(table), ["delivery"]):
            rows[row["delivery"]][table.name] = row["n"]
    for row in counted(lake.table(QUARANTINE), ["delivery"]):
        rows[row["delivery"]]["held"] = row["n"]
    for row in _distinct(lake.table(INSTANCES), "delivery", "subject"):
        rows[row["delivery"]]["subjects"] = row["subject_count_distinct"]
    return [{"delivery": name, **entry, "licences": sorted(entry["licences"])} for name, entry in sorted(rows.items())]


def quarantine(lake: Lake) -> Rows:
    """What was held back, by station and reason, with the remedy; never a path."""
    by: dict[tuple[str, str], dict[str, Any]] = {}
    for row in counted(lake.table(QUARANTINE), ["stage", "reason", "delivery"]):
        known = row["reason"] in set(Reason)
        entry = by.setdefault(
            (row["stage"], row["reason"]),
            {
                "stage": row["stage"],
                "reason": row["reason"],
                "remedy": Reason(row["reason"]).remedy if known else "",
                "deliveries": 0,
                "n": 0,
            },
        )
        entry["n"] += row["n"]
        entry["deliveries"] += 1
    return sorted(by.values(), key=lambda row: (-row["n"], row["stage"], row["reason"]))


def decisions(lake: Lake) -> Rows:
    """De-identification decisions by rule, action, kind of value and detector."""
    rows = counted(lake.table(DECISIONS), ["rule", "action", "kind", "detector"], total="count")
    for row in rows:
        row["words"] = ACTIONS.get(row["action"], "")
    return sorted(rows, key=lambda row: (-row["count"], row["rule"], row["action"], row["kind"]))


def certificates(lake: Lake) -> Rows:
    """Certificates by delivery and policy: series, and what became of faces and of text in their pixels."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    columns = ["delivery", "policy", "policy_name", "edition", "faces", "burned_in", "values_looked_for"]
    for row in counted(lake.table(CERTIFICATES), columns):
        entry = rows.setdefault(
            (row["delivery"], row["policy"]), {**row, "n": 0, "faces": Counter(), "burned_in": Counter()}
        )
        entry["n"] += row["n"]
        entry["faces"][row["faces"]] += row["n"]
        entry["burned_in"][row["burned_in"]] += row["n"]
    return [rows[key] for key in sorted(rows)]


def policies(lake: Lake) -> Rows:
    """De-identification policies by digest, with the series that each treated."""
    rows = _distinct(lake.table(DECISIONS), "policy", "series")
    return sorted(rows, key=lambda row: str(row["policy"]))


def licences(lake: Lake, day: dt.date) -> Rows:
    """Every licence document that was ever known, latest knowledge of each licence marked, with its state on a day."""
    table = lake.table(LICENCES)
    rows = sorted(table.rows(), key=lambda row: (str(row["licence"]), str(row["known_from"]))) if table.exists() else []
    latest = {row["licence"]: row for row in rows}
    found = []
    for row in rows:
        document = Licence.parse(json.loads(row["document"]), row["licence"])
        current = latest[row["licence"]] is row
        found.append({**row, "document": document, "current": current, "state": _state(document, current, day)})
    return found


def releases(lake: Lake) -> Rows:
    """Frozen releases: manifest (None where it cannot be read), digest, and what each split holds."""
    location = lake.location(Zone.CURATED, "releases")
    found = []
    for name in location.list():
        data = _read(location.join(name), MANIFEST)
        manifest = _parsed(ReleaseManifest, data)
        if data:
            kinds = _kinds(manifest) if manifest else []
            found.append({"name": name, "manifest": manifest, "sha256": _sha256(data), "kinds": kinds})
    return found


def models(lake: Lake) -> Rows:
    """Checkpoints: manifest (None where it cannot be read), what they were exposed to, and their metrics."""
    location = lake.location(Zone.MODELS)
    seen = _exposed(lake)
    found = []
    for name in location.list():
        data = _read(location.join(name), MANIFEST)
        if not data or name.startswith("."):
            continue
        manifest = _parsed(CheckpointManifest, data)
        metrics = _metrics(_read(location.join(name), METRICS))
        found.append({"name": name, "manifest": manifest, "metrics": metrics, "seen": seen.get(name, {})})
    return found


def evaluations(lake: Lake) -> Rows:
    """Evaluations, which lie beside the models and have metrics and no weights of their own."""
    location = lake.location(Zone.MODELS)
    found = []
    for name in location.list():
        folder = location.join(name)
        if name.startswith(".") or folder.exists(MANIFEST) or not folder.exists(METRICS):
            continue
        data = _read(folder, METRICS)
        found.append({"name": name, "metrics": _metrics(data), "sha256": _sha256(data)})
    return found


def accesses(lake: Lake) -> Rows:
    """Accesses by who, what, how and what for."""
    rows = counted(lake.table(ACCESS), ["principal", "action", "subject_of_access", "purpose"], total="rows")
    return sorted(rows, key=lambda row: (str(row["principal"]), str(row["subject_of_access"])))


def events(lake: Lake, newest: int = 20) -> tuple[Rows, Rows]:
    """Events of each type with the time of the last, and the newest events with their facts in words.

    An event that the report cannot read is for `lineage.ledger.verify` to report, so nothing is shown of a damaged log.
    """
    try:
        rows = ledger.entries(lake)
    except (LedgerDamaged, pa.ArrowException, OSError):
        return [], []
    counts = Counter(str(row["type"]) for row in rows)
    last = {row["type"]: row["time"] for row in rows}
    types = [{"type": name, "n": n, "last": last[name]} for name, n in sorted(counts.items())]
    shown = []
    for row in reversed(rows[-newest:]):
        said = json.loads(row["event"])
        shown.append({**row, "principal": said["principal"], "facts": _in_words(said["facts"])})
    return types, shown


def seals(lake: Lake, newest: int = 5) -> list[Seal]:
    """The newest seals, newest first; none where one cannot be read, which `lineage.ledger.verify` reports."""
    try:
        return list(reversed(list(read_all(Log.of(lake)))[-newest:]))
    except SealError:
        return []


def total(lake: Lake, table: Table) -> int:
    """Rows of a table."""
    handle = lake.table(table)
    return handle.read([table.key[0]]).num_rows if handle.exists() else 0


def _state(document: Licence, current: bool, day: dt.date) -> str:
    if not current:
        return "superseded"
    if document.in_force(day):
        return "in force"
    return "expired" if day > document.valid_from else "not yet in force"


def _kinds(manifest: ReleaseManifest) -> list[str]:
    return list(dict.fromkeys(kind for counts in manifest.counts.values() for kind in counts))


def _exposed(lake: Lake) -> dict[str, dict[str, int]]:
    table = lake.table(EXPOSURES)
    if not table.exists():
        return {}
    rows = table.read(["model", "via", "subject", "volume", "samples"]).to_pylist()
    seen: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    samples: Counter[str] = Counter()
    for row in rows:
        own = row["via"] == row["model"]
        seen[row["model"]]["subjects"].add(row["subject"])
        seen[row["model"]]["volumes"].add(row["volume"])
        seen[row["model"]]["own" if own else "inherited"].add(row["volume"])
        samples[row["model"]] += row["samples"] if own else 0
    return {
        model: {name: len(values) for name, values in sets.items()} | {"samples": samples[model]}
        for model, sets in seen.items()
    }


def _distinct(table: LakeTable, by: str, of: str) -> Rows:
    if not table.exists():
        return []
    return table.read([by, of]).group_by([by]).aggregate([(of, "count_distinct")]).to_pylist()


def _metrics(data: bytes) -> Rows:
    """Numbers of a metrics file by their dotted path; lists, as curves are, stay out."""
    try:
        content = json.loads(data) if data else {}
    except ValueError:
        return []
    found: Rows = []
    _flatten(content, (), found)
    return found[:_METRICS_SHOWN]


def _flatten(value: Any, path: tuple[str, ...], found: Rows) -> None:
    if isinstance(value, Mapping) and len(path) < _DEEPEST:
        for name, item in value.items():
            _flatten(item, (*path, str(name)), found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found.append({"name": " ".join(path).replace("_", " "), "value": value})


def _in_words(facts: Mapping[str, Any]) -> str:
    """Scalar facts as text; digests are for the tables."""
    said = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in facts.items()
        if not isinstance(value, dict | list) and not name.endswith("sha256") and name != "decision"
    ]
    return ", ".join(said)


def _read(folder: Location, name: str) -> bytes:
    try:
        return folder.read_bytes(name)
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _parsed(kind: Any, data: bytes) -> Any:
    try:
        return kind.model_validate_json(data) if data else None
    except ValidationError:
        return None
