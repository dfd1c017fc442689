"""An export: volumes of a release as NIfTI files in a BIDS-like folder, or their DICOM files, with card and terms.

Belongs here: asking the terms, the look at what leaves, and the record. The BIDS folder is `stages.export.bids_folder`;
DICOM files and their directory are `stages.export.media`; how it appears at once and whole is `stages.export.target`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lake.releases import CARD, Member, Release
from lake.zones import Lake
from lineage.access import Access, accessed
from lineage.ledger.events import EventType, Facts, is_phrase
from lineage.ledger.ledger import append
from lineage.terms import terms
from lineage.terms.decisions import Decision
from lineage.terms.questions import Action
from lineage.terms.refusal import Refusal
from schemas.contract import Zone
from schemas.licence import Licence
from schemas.tables import LICENCES
from stages.export import bids_folder, media
from stages.export.media_labels import segmentations
from stages.export.target import CHECKSUMS, ExportError, Target
from stages.permission import permitted_release
from stages.second_look.surroundings import scan_folder
from stages.station import Report, silent

SPLITS = ("train", "validation")
"""What may leave: the test set is sealed."""

NIFTI, DICOM = FORMS = ("nifti", "dicom")
"""What volumes are written as; label maps leave as NIfTI or as DICOM segmentations."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: where it lies: a folder, or a prefix of S3.
        subjects: persons.
        volumes: images.
        labels: label maps.
        files: files of all kinds.
        bytes: their size.
        sha256: digest of the list of checksums, which names the content for ever.
    """

    folder: Path | str
    subjects: int
    volumes: int
    labels: int
    files: int
    bytes: int
    sha256: str


def export(
    lake: Lake,
    name: str,
    to: Path | str,
    *,
    splits: Sequence[str] = SPLITS,
    form: str = NIFTI,
    purpose: str | None = None,
    recipient: str | None = None,
    report: Report = silent,
) -> Exported:
    """Write volumes of a release to a new folder or an empty prefix of S3; a stopped export is none.

    Args:
        lake: the lake.
        name: the release.
        to: the folder, which must not be there yet, or `s3://bucket/prefix` without anything below it.
        splits: of `SPLITS`.
        form: of `FORMS`.
        purpose: what for; None: what the release is for.
        recipient: who receives it, for the account of disclosures; None: it is recorded as not said.
        report: told how far it is.

    Raises:
        Refusal: if a licence of the release does not allow it; the refusal is on the ledger.
        ExportError: if the target is there or in a zone of the lake, or there is nothing to export.
        OSError: if the store does not take it; what was put there is deleted again.
        ReleaseError: if there is no such release, or it was changed.
    """
    release = Release.open(lake, name)
    if strangers := set(splits) - set(SPLITS):
        raise ExportError(f"found split {', '.join(sorted(strangers))}, needed {' or '.join(SPLITS)}; test is sealed")
    if recipient is not None and not is_phrase(recipient):
        raise ExportError("found a recipient that the ledger cannot hold, needed up to 64 letters, digits and spaces")
    target = Target.of(lake, to)
    decision, licences = permitted(lake, release, purpose or release.manifest.spec.purpose, splits)
    members = [member for split in splits for member in release.members(split)]
    if not members:
        raise ExportError(f"release {name}: found no volume in {' and '.join(splits)}, needed at least one")
    with target.building() as building:
        if form == DICOM:
            _write_dicom(lake, release, members, licences, building, report)
        else:
            bids_folder.write(release, members, licences, building, report)
            _terms(release, licences, building)
        _check_names(lake, members, building)
        sums = _checksums(building)
        made = _counted(members, building, target.place, hashlib.sha256(sums).hexdigest())
        # the record comes before the folder appears: nothing is ever out without being on the ledger
        counts = {split: {"volumes": len(release.members(split))} for split in splits}
        facts = _facts(release, made, licences, decision)
        append(lake, EventType.EXPORTED, {**facts, "format": form, "recipient": recipient, "splits": counts})
        accessed(lake, Access.EXPORT, name, made.volumes, decision.question.purpose, release=name)
        target.appear(building)
    return made


def _check_names(lake: Lake, members: Sequence[Member], building: Path) -> None:
    """The second look at names, sidecars, tables and pages of what is to leave."""
    residue = scan_folder(lake, sorted({member.delivery for member in members}), building)
    if residue.findings:
        raise ExportError(
            f"found {sum(residue.findings.values())} identifiers of persons in the export's file names, sidecars or "
            f"pages ({', '.join(sorted(residue.findings))}), needed none; nothing was written; tell whoever keeps the "
            "de-identification policy"
        )


def permitted(
    lake: Lake, release: Release, purpose: str, splits: Sequence[str] = SPLITS
) -> tuple[Decision, dict[str, Licence]]:
    """The decision that volumes of a release may be exported today, and the licences that were asked.

    Raises:
        Refusal: if one does not, or did not when the release was frozen.
    """
    decision = permitted_release(lake, release, Action.EXPORT, purpose, splits)
    if not release.manifest.export:
        name, digest = _forbidding(lake, release)
        day = str(decision.question.day)
        facts = {"action": "export", "term": "export", "licence": name, "licence_sha256": digest, "day": day}
        append(lake, EventType.REFUSED, facts | {"release": release.name})
        raise Refusal(
            name, "export", f"false when release {release.name} was frozen", "true",
            "freeze a new release under the terms that are known now",
        )  # fmt: skip
    return decision, {name: terms.known(lake, name) for name in decision.licences}


def _forbidding(lake: Lake, release: Release) -> tuple[str, str]:
    """Licence and digest of the document that forbade export when the release was frozen."""
    manifest = release.manifest
    digests = set((manifest.terms.documents if manifest.terms else manifest.licences).values())
    for row in lake.table(LICENCES).rows():
        if row["digest"] in digests and not json.loads(row["document"])["export"]:
            return row["licence"], row["digest"]
    return next(iter(release.manifest.licences.items()))


def _write_dicom(
    lake: Lake,
    release: Release,
    members: Sequence[Member],
    licences: Mapping[str, Licence],
    folder: Path,
    report: Report,
) -> None:
    try:
        media.write(lake, release, members, folder, report, partial(segmentations, release, members))
    except media.MediaError as error:
        raise ExportError(str(error)) from None
    _terms(release, licences, folder)


def _terms(release: Release, licences: Mapping[str, Licence], folder: Path) -> None:
    """Data card and licences."""
    manifest = release.manifest
    card = release.lake.location(Zone.CURATED, "releases", manifest.name).read_bytes(CARD)
    (folder / CARD).write_bytes(card)
    (folder / "licences").mkdir()
    for name, licence in licences.items():
        licence.write(folder / "licences" / f"{name}.yaml")


def _checksums(folder: Path) -> bytes:
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder)]
    content = "".join(lines).encode()
    (folder / CHECKSUMS).write_bytes(content)
    return content


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _counted(members: Sequence[Member], building: Path, to: Path | str, sha256: str) -> Exported:
    sizes = [path.stat().st_size for path in _files(building)]
    subjects = {member.subject for member in members}
    labels = sum(member.label is not None for member in members)
    return Exported(to, len(subjects), len(members), labels, len(sizes), sum(sizes), sha256)


def _facts(release: Release, made: Exported, licences: Mapping[str, Licence], decision: Decision) -> Facts:
    return {
        **decision.facts,
        "target": release.name,
        "rows": made.volumes,
        "purpose": decision.question.purpose,
        "release": release.name,
        "release_sha256": release.sha256,
        "subjects": made.subjects,
        "volumes": made.volumes,
        "labels": made.labels,
        "files": made.files,
        "bytes": made.bytes,
        "content_sha256": made.sha256,
        "licences": {name: licence.digest for name, licence in licences.items()},
    }
