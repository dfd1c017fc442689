"""What the audit report says of releases and models: what is in them, what they saw, and that the test set was sealed.

Belongs here: reading manifests, members and exposures. A release or model of later times is not there at a past moment.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from lake.errors import TableMissing
from lake.releases import CARD, SPLITS, Release, ReleaseError
from lake.stores.storage import Location
from lineage.evidence.gathered import Rows
from lineage.evidence.past import Past
from lineage.evidence.recorded import Entry, Record
from lineage.evidence.scored import scores
from lineage.evidence.strata import gaps, strata
from lineage.exposures.exposures import exposed
from lineage.ledger.events import EventType
from schemas.checkpoint import RETIRED, CheckpointManifest
from schemas.contract import Zone
from schemas.release import SUPERSEDED, ReleaseManifest
from schemas.tables import EXPOSED_CHECKPOINTS, EXPOSURES

MANIFEST, METRICS = "manifest.json", "metrics.json"

_METRICS_SHOWN = 16
_DEEPEST = 3


def releases(past: Past, record: Record) -> Rows:
    """Frozen releases: manifest (None where it cannot be read), its digest, state, splits, strata and gaps.

    Of a release that a withdrawal superseded only the digest is left, and what the ledger says.
    """
    location = past.location(Zone.CURATED, "releases")
    found = []
    for name in location.list():
        folder = location.join(name)
        superseded, data = folder.exists(SUPERSEDED), _read(folder, MANIFEST)
        entry = record.newest(EventType.RELEASED, release=name)
        manifest = None if superseded else _parsed(ReleaseManifest, data)
        there = past.had(manifest.created) if manifest else bool(entry) or past.until is None
        if not there or not (data or superseded):
            continue
        counted = _strata(past, name) if manifest else []
        told = entry.facts["release_sha256"] if superseded and entry else _sha256(data)
        about = {"name": name, "manifest": manifest, "sha256": told, "superseded": superseded, "entry": entry}
        card = _read(folder, CARD)
        found.append(
            about
            | {"kinds": _kinds(manifest) if manifest else [], "strata": counted, "gaps": gaps(counted)}
            | {"card": _sha256(card) if card else None}
        )
    return found


def models(past: Past, record: Record) -> Rows:
    """Checkpoints: manifest (None where it cannot be read), whether retired, what they saw, and their metrics."""
    location = past.location(Zone.MODELS)
    seen = _exposed(past)
    found = []
    for name in location.list():
        folder = location.join(name)
        retired = not name.startswith(".") and folder.exists(RETIRED)
        data = _read(folder, RETIRED if retired else MANIFEST)
        if not data or name.startswith("."):
            continue
        manifest = _parsed(CheckpointManifest, data)
        if manifest and not past.had(manifest.created):
            continue
        metrics = _metrics(_read(folder, METRICS))
        about = {"name": name, "manifest": manifest, "metrics": metrics, "retired": retired}
        entries = (record.newest(EventType.EXPOSED, model=name), record.newest(EventType.TRAINED, model=name))
        found.append(about | {"seen": seen.get(name, {}), "exposed": entries[0], "trained": entries[1]})
    return found


def evaluations(past: Past, record: Record) -> Rows:
    """Evaluations, which lie beside the models and have scores, or plain metrics, and no weights of their own."""
    location = past.location(Zone.MODELS)
    known = {entry.facts.get("metrics_sha256"): entry for entry in record.of_type(EventType.EVALUATED)}
    found = []
    for name in location.list():
        folder = location.join(name)
        if name.startswith(".") or folder.exists(MANIFEST) or not folder.exists(METRICS):
            continue
        data = _read(folder, METRICS)
        entry = known.get(_sha256(data))
        if entry or past.until is None:
            scored = scores(data)
            told = {"scores": scored, "metrics": [] if scored else _metrics(data)}
            found.append({"name": name, "sha256": _sha256(data), "entry": entry} | told)
    return found


def sealed(past: Past, record: Record) -> Rows:
    """The test set of each release: its subjects, who opened it, and how many of them each of its models saw.

    Fine-tuned models saw what their ancestors saw, on whatever release. A model that saw none of the test subjects is
    tested on strangers (FDA, Good Machine Learning Practice, principle 4).
    """
    trained = record.of_type(EventType.TRAINED)
    found = []
    for row in releases_in_use(past):
        members = row.members("test", sealed_ok=True)
        subjects = {member.subject for member in members}
        names = dict.fromkeys(e.facts["model"] for e in trained if e.facts["release"] == row.name)
        found.append(
            {
                "release": row.name,
                "subjects": len(subjects),
                "volumes": len(members),
                "openings": [e for e in record.of_type(EventType.ACCESSED) if _opens(e, row.name)],
                "models": {name: len(subjects & _subjects(past, name)) for name in names},
            }
        )
    return found


def _subjects(past: Past, model: str) -> set[str]:
    """Everybody whom the newest checkpoint of a model saw, itself or through an ancestor."""
    return set(exposed(past.lake, model)["subject"].to_pylist())


def releases_in_use(past: Past) -> list[Release]:
    """The releases that were frozen by then and can be opened."""
    location = past.location(Zone.CURATED, "releases")
    found = []
    for name in location.list():
        try:
            release = Release.open(past.lake, name)
        except (ReleaseError, ValidationError, FileNotFoundError):
            continue  # the report says of this one what cannot be read
        if past.had(release.manifest.created):
            found.append(release)
    return found


def _opens(entry: Entry, release: str) -> bool:
    return entry.facts.get("split") == "test" and entry.facts.get("release") == release


def _strata(past: Past, name: str) -> Any:
    """Strata of a release from the table versions that it froze; none where these are not there any more."""
    try:
        release = Release.open(past.lake, name)
        members = [member for split in SPLITS for member in release.members(split, sealed_ok=True)]
        described = release.described([member.volume for member in members])
    except (ReleaseError, TableMissing, FileNotFoundError):
        return []
    rows = [vars(member) | described.get(member.volume, {}) for member in members]
    return strata(rows, {member.subject: member.split for member in members})


def _kinds(manifest: ReleaseManifest) -> list[str]:
    return list(dict.fromkeys(kind for counts in manifest.counts.values() for kind in counts))


def _exposed(past: Past) -> dict[str, dict[str, int]]:
    """What the newest checkpoint of each model saw, in numbers."""
    columns = ["sequence", "model", "subjects", "volumes", "own", "inherited", "samples"]
    rows = sorted(past.table(EXPOSED_CHECKPOINTS).rows(columns), key=lambda row: int(row["sequence"]))
    return _exposed_before(past) | {row["model"]: row for row in rows}


def _exposed_before(past: Past) -> dict[str, dict[str, int]]:
    """The same of checkpoints that an older version recorded, a row a volume."""
    rows = past.table(EXPOSURES).read(["model", "via", "subject", "volume", "samples"]).to_pylist()
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
