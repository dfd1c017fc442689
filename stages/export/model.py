"""A model that leaves: its weights, card, manifest and terms as a folder, and the record of who received it.

Belongs here: asking the terms for sharing, which files of a checkpoint leave, and the look at them. What does not leave
is the list of volumes that it was trained on. Where the folder appears is `stages.export.target`; opening one
elsewhere is `training.open`.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lake.stores.storage import Location
from lake.zones import Lake
from lineage.exposures.exposures import exposed
from lineage.ledger.events import EventType, is_phrase
from lineage.ledger.ledger import append
from lineage.terms.decisions import Decision
from lineage.terms.refusal import Refusal
from lineage.terms.union import union
from schemas.checkpoint import MANIFEST, RETIRED, SHARING, CheckpointManifest, Sharing
from schemas.contract import Zone
from schemas.licence import Licence
from schemas.union import Terms
from stages.export.target import CHECKSUMS, ExportError, Target
from stages.permission import covered_by, permitted_sharing
from stages.second_look.surroundings import pieces, scan_folder

WEIGHTS, CONFIG = "weights.safetensors", "config.yaml"

LEAVES = (WEIGHTS, CONFIG, MANIFEST, "metrics.json", "card.html", "card.md", "curves.png")
"""Files of a checkpoint that leave, where they are there; `exposure.json` names volumes and stays."""

_NUMBERS = (WEIGHTS, "curves.png")
"""Files without words, which are not searched for pseudonyms."""

_NAMES = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.]*[A-Za-z0-9]")
"""What a pseudonym of a subject, a series or a volume is made of."""


@dataclass(frozen=True)
class SharedModel:
    """What was written.

    Attributes:
        folder: where it lies: a folder, or a prefix of S3.
        model: its name.
        recipient: who receives it.
        files: files of all kinds.
        bytes: their size.
        sha256: digest of the list of checksums, which names the content for ever.
    """

    folder: Path | str
    model: str
    recipient: str
    files: int
    bytes: int
    sha256: str


def share(
    lake: Lake, name: str, to: Path | str, *, recipient: str, purpose: str | None = None, country: str | None = None
) -> SharedModel:
    """Write a model of the lake to a new folder or an empty prefix of S3; a stopped export is none.

    Args:
        lake: the lake.
        name: of the model.
        to: the folder, which must not be there yet, or `s3://bucket/prefix` without anything below it.
        recipient: who receives it, a name; whom a withdrawal has to tell.
        purpose: what the recipient uses it for; None: `LARMOR_PURPOSE`, else research.
        country: where the recipient is, ISO 3166-1 alpha-2; None: where this installation is.

    Raises:
        Refusal: if a document that covers the model does not allow it; the refusal is on the ledger.
        ExportError: if there is no such model, it is not what its manifest says, something of it names a person, or the
            target is there or in a zone of the lake.
        OSError: if the store does not take it; what was put there is deleted again.
    """
    if not is_phrase(recipient):
        raise ExportError("found a recipient that the ledger cannot hold, needed up to 64 letters, digits and spaces")
    location = lake.location(Zone.MODELS, name)
    manifest = _manifest(lake, location, name)
    target = Target.of(lake, to)
    decision = _permitted(lake, manifest, purpose or lake.settings.purpose or "research", country)
    with target.building() as building:
        _write(lake, location, manifest, building)
        _terms(lake, manifest, decision, recipient, country, building)
        _look(lake, manifest, building)
        made = _counted(manifest.name, recipient, target, building)
        # the record comes before the folder appears: nothing is ever out without being on the ledger
        append(lake, EventType.EXPORTED, _facts(manifest, made, decision))
        target.appear(building)
    return made


def _manifest(lake: Lake, location: Location, name: str) -> CheckpointManifest:
    if not location.exists(MANIFEST):
        found = "a model that a withdrawal took out of use" if location.exists(RETIRED) else "no model of this name"
        there = sorted(
            {path.split("/")[0] for path in lake.location(Zone.MODELS).walk() if path.endswith(f"/{MANIFEST}")}
        )
        raise ExportError(f"found {found}, needed one of: {', '.join(there) or 'none yet'}; larmor train makes them")
    return CheckpointManifest.model_validate_json(location.read_bytes(MANIFEST))


def _permitted(lake: Lake, manifest: CheckpointManifest, purpose: str, country: str | None) -> Decision:
    """The decision that a model may leave: as the terms are known now, and as they were when it was trained."""
    decision = permitted_sharing(lake, manifest, purpose, country)
    if not manifest.share_models:
        facts = {"action": "share", "term": "share_models", "kind": "model", "day": str(decision.question.day)}
        append(lake, EventType.REFUSED, facts | {"model": manifest.name})
        raise Refusal(
            manifest.name, "share_models", "false when it was trained", "true",
            "train it again on a release under the terms that are known now", kind="model",
        )  # fmt: skip
    return decision


def _write(lake: Lake, location: Location, manifest: CheckpointManifest, building: Path) -> None:
    for name in LEAVES:
        if location.exists(name):
            location.download(name, building / name)
    for name, digest in ((WEIGHTS, manifest.weights_sha256), (CONFIG, manifest.config_sha256)):
        if not (building / name).is_file() or _digest(building / name) != digest:
            raise ExportError(
                f"model {manifest.name}: found no {name} with the digest of its manifest, needed the one that was "
                "written; restore it from a backup (larmor doctor scrub), or train it again"
            )


def _terms(
    lake: Lake, manifest: CheckpointManifest, decision: Decision, recipient: str, country: str | None, building: Path
) -> None:
    """What the recipient is bound to: the union of all documents, and the licences that name nobody."""
    documents = covered_by(lake, decision)
    carried: Terms = manifest.terms or union(documents)
    said = Sharing(
        model=manifest.name, weights_sha256=manifest.weights_sha256, recipient=recipient, country=country,
        purpose=decision.question.purpose, decision=decision.digest, terms_sha256=decision.terms_sha256, terms=carried,
        day=str(decision.question.day),
    )  # fmt: skip
    (building / SHARING).write_text(said.model_dump_json(indent=2), encoding="utf-8")
    (building / "licences").mkdir()
    for document in documents:
        if isinstance(document, Licence) and not document.subjects:
            document.write(building / "licences" / f"{document.id}.yaml")


def _look(lake: Lake, manifest: CheckpointManifest, building: Path) -> None:
    """Refuse a folder in which a person stands: by an identifier of the vault, or by a pseudonym of what it saw."""
    rows = exposed(lake, manifest.weights_sha256)
    residue = scan_folder(lake, sorted(set(rows["delivery"].to_pylist())), building)
    wanted = {name.encode() for column in ("subject", "series", "volume") for name in rows[column].to_pylist()}
    named = any(not wanted.isdisjoint(_NAMES.findall(data)) for path in _files(building) for data in _words(path))
    if residue.findings or named:
        kinds = [*sorted(residue.findings), *(["pseudonyms of what it was trained on"] if named else [])]
        raise ExportError(
            f"model {manifest.name}: found what names persons in its files ({', '.join(kinds)}), needed none; nothing "
            "was written; tell whoever trained it"
        )


def _words(path: Path) -> Iterator[bytes]:
    return iter(()) if path.name in _NUMBERS else pieces(path)


def _counted(name: str, recipient: str, target: Target, building: Path) -> SharedModel:
    lines = [f"{_digest(path)}  {path.relative_to(building).as_posix()}\n" for path in _files(building)]
    sums = "".join(lines).encode()
    (building / CHECKSUMS).write_bytes(sums)
    sizes = [path.stat().st_size for path in _files(building)]
    return SharedModel(target.place, name, recipient, len(sizes), sum(sizes), hashlib.sha256(sums).hexdigest())


def _facts(manifest: CheckpointManifest, made: SharedModel, decision: Decision) -> dict[str, object]:
    return {
        **decision.facts,
        "target": manifest.name,
        "model": manifest.name,
        "weights_sha256": manifest.weights_sha256,
        "rows": 1,
        "purpose": decision.question.purpose,
        "recipient": made.recipient,
        "format": "model",
        "files": made.files,
        "bytes": made.bytes,
        "content_sha256": made.sha256,
        "licences": {name: decision.terms[name] for name in decision.licences},
    }


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
