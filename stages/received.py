"""Station 1, `received`: every file of a delivery registered, hashed, deduplicated, its licence in force.

Belongs here: what becomes of a file on arrival, and who it belongs to. What a file is, is `stages.intake.sniff`.
"""

import contextlib
import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from deid.vault import Subject, Vault, Withdrawn
from lake.stores.storage import Location
from lake.tables.written import Written
from lake.zones import Lake
from lineage.ledger.events import EventType
from lineage.terms import terms
from lineage.terms.questions import Action
from schemas.delivery import MANIFEST_NAME, Delivery, Kind
from schemas.document import DocumentError
from schemas.reasons import Reason
from schemas.tables import COPIES, IDENTIFIERS, QUARANTINE, RECEIVED
from stages import beside
from stages.identity import open_vault
from stages.intake.landed import delivered, manifest_of
from stages.intake.sniff import Sniffed, sniff
from stages.permission import permitted
from stages.station import Outcome, Report, commit, held, recorded, silent, work_off
from stages.versions import (
    Digests,
    Earlier,
    Keeper,
    Row,
    astray,
    keepers,
    leaning,
    neighbours,
    tell_known,
    version_of,
)

_FILES_A_UNIT = 256
"""Files a worker reads before it reports: large enough that a process start pays, small enough for progress."""

_ROUNDS = 3
"""Times that files are judged anew because another delivery, run at the same moment, no longer keeps some of them."""

_UNIT = pa.schema([pa.field("path", pa.string()), pa.field("content", pa.string())])


@dataclass(frozen=True)
class Listed:
    """What a delivery says of files that do not speak for themselves."""

    reports: dict[str, str]
    labels: dict[str, dict[str, str]]
    checksums: dict[str, str]
    own: frozenset[str]
    manifest: Delivery
    paths: frozenset[str]

    def content(self, path: str) -> str:
        """What the delivery says a file is; empty: nothing."""
        if path in self.own:
            return "other"
        if path in self.reports or path in self.labels:
            return "report" if path in self.reports else "label"
        if self.manifest.table_of(path):
            return "table"
        return beside.content(path, self.paths) if self.manifest.kind is Kind.NIFTI else ""


def receive(lake: Lake, delivery: str, report: Report = silent) -> Outcome:
    """Register every file of a delivery.

    Raises:
        DocumentError: if the manifest, or a list it names, is missing or wrong, or a file's name is no UTF-8.
        Refusal: if no licence in force covers the delivery.
    """
    place, manifest = lake.landed(delivery), manifest_of(lake, delivery)
    licence = terms.find(lake.licences, manifest.licence)
    terms.learn(lake, licence)
    decision = permitted(lake, licence, manifest, Action.INTAKE)
    paths = delivered(lake, delivery)
    if not all(map(_is_utf8, paths)):
        raise DocumentError(
            f"delivery {delivery}: found a file name that is no UTF-8, needed names that a table can hold; take the "
            "delivery in with larmor ingest, which spells such names out, or rename the file"
        )
    listed = _listed(place, manifest, paths)
    if not paths:
        raise DocumentError(f"delivery {delivery}: found no files, needed some beside {MANIFEST_NAME}")
    if any(not any(map(table.covers, paths)) for table in manifest.tables):
        raise DocumentError(
            f"{MANIFEST_NAME} declares a table that is not in the delivery; deliver it, or drop the declaration"
        )
    units = [
        pa.RecordBatch.from_pylist([{"path": p, "content": listed.content(p)} for p in chunk], _UNIT)
        for chunk in (paths[i : i + _FILES_A_UNIT] for i in range(0, len(paths), _FILES_A_UNIT))
    ]
    found = work_off(lake, partial(_register, place=place, checksums=listed.checksums), units, report)
    earlier = Earlier.of(lake, delivery)
    for _ in range(_ROUNDS):
        written, near = _judged(lake, delivery, manifest, found, listed, earlier)
        versions = commit(lake, "received", delivery, written, [IDENTIFIERS, COPIES, RECEIVED])
        # another run may have taken away meanwhile what this one left to it
        if not near or not astray(lake, delivery):
            break
    outcome = _outcome(written, versions, manifest, len(paths), leaning(lake, delivery, near))
    outcome = replace(outcome, details={**outcome.details, **decision.told})
    facts = {**decision.facts, "licence": licence.id, "licence_sha256": licence.digest, "received": len(paths)}
    return recorded(lake, EventType.RECEIVED, "received", delivery, outcome, **facts)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _register(unit: pa.RecordBatch, place: Location, checksums: dict[str, str]) -> pa.RecordBatch:
    """Hash and sniff the files of a unit; rows are completed by the driver, who sees all files."""
    written = Written()
    rows, identifiers = [], set()
    for path, content in zip(unit["path"].to_pylist(), unit["content"].to_pylist(), strict=True):
        row, sniffed = _file(place, path, content, checksums)
        rows.append(row)
        # the patient stands in for the subject until the driver has asked the vault
        identifiers |= {(sniffed.patient, kind, value) for kind, value in sniffed.identifiers}
    written.hand(RECEIVED, rows)
    written.hand(IDENTIFIERS, [{"subject": s, "kind": k, "value": v} for s, k, v in sorted(identifiers)])
    return written.batch()


def _file(place: Location, path: str, content: str, checksums: dict[str, str]) -> tuple[dict[str, Any], Sniffed]:
    if place.local and (place.path / path).is_symlink():
        data, sniffed = b"", Sniffed("other", Reason.UNEXPECTED_FILE)
    else:
        data = place.read_bytes(path)
        sniffed = Sniffed(content) if content else sniff(data, PurePosixPath(path).name)
    digest = hashlib.sha256(data).hexdigest()
    if checksums.get(path, digest) != digest:
        sniffed = Sniffed(sniffed.content, Reason.CHECKSUM_MISMATCH)
    row = {
        "path": path,
        "bytes": len(data),
        "sha256": digest,
        "content": sniffed.content,
        "outcome": str(sniffed.reason) if sniffed.reason else "kept",
        "duplicate_of": None,
        "duplicate_in": None,
        "version": version_of(data, digest, sniffed.transfer_syntax),
        "subject": sniffed.patient or None,
        "study": None,
        "series": None,
        "instance": None,
        "study_uid": sniffed.study_uid,
        "series_uid": sniffed.series_uid,
        "sop_uid": sniffed.sop_uid,
        "accession": sniffed.accession,
        "sop_class": sniffed.sop_class,
        "transfer_syntax": sniffed.transfer_syntax,
        "licence": "",
        "moment": "",
    }
    return row, sniffed


def _judged(
    lake: Lake, delivery: str, manifest: Delivery, found: Written, listed: Listed, earlier: Earlier
) -> tuple[Written, list[str]]:
    """Complete rows: duplicates told apart, here and among deliveries, subjects from the vault, pseudonyms.

    Returns:
        The rows, and other deliveries with files of the same studies.
    """
    rows: list[dict[str, Any]] = sorted(found.rows(RECEIVED), key=lambda row: str(row["path"]))
    _tell_duplicates(rows)
    studies = {str(row["study_uid"]) for row in rows if row["study_uid"] and row["content"] == "dicom"}
    near = neighbours(lake, delivery, studies | earlier.studies)
    known = keepers(lake, near)
    tell_known(rows, known, earlier.kept, manifest.moment)
    vault = open_vault(lake)
    subjects = _Subjects(vault, manifest, rows, listed)
    written = Written()
    for row in rows:
        try:
            subject = subjects.of(row)
        except Withdrawn:
            subject = None
            # counted, and held back; what the headers say of the person is not kept
            row |= dict.fromkeys(("study_uid", "series_uid", "sop_uid")) | {"outcome": str(Reason.WITHDRAWN)}
        row |= {"licence": manifest.licence, "subject": subject.code if subject else None, "moment": manifest.moment}
        if subject:
            # a NIfTI image is its own study and series: its path stands in for the UIDs it does not have
            study, series = (row["study_uid"] or row["path"]), (row["series_uid"] or row["path"])
            row |= {"study": subject.uid(study), "series": subject.uid(series)}
            row["instance"] = subject.uid(row["sop_uid"]) if row["sop_uid"] else None
        if row["outcome"] not in ("kept", "duplicate"):
            reason = Reason(str(row["outcome"]))
            written.hand(QUARANTINE, [held("received", reason, row["path"], row["sha256"], row["instance"])])
            row["outcome"] = "quarantined"
    written.hand(RECEIVED, rows)
    written.hand(COPIES, _copies(rows, known, Digests.of(lake)))
    seen = set()
    for row in found.rows(IDENTIFIERS):
        with contextlib.suppress(Withdrawn):
            seen.add((subjects.named(str(row["subject"])).code, row["kind"], row["value"]))
    written.hand(IDENTIFIERS, [{"subject": s, "kind": k, "value": v} for s, k, v in sorted(seen)])
    return written, near


def _copies(rows: Iterable[Row], known: Mapping[str, Sequence[Keeper]], digests: Digests) -> list[Row]:
    """What another delivery keeps of these files, each once, named as it is there."""
    found = {}
    for row in rows:
        if row["duplicate_in"] and row["sop_uid"]:
            keeper = next(k for k in known[row["version"]] if k.delivery == row["duplicate_in"])
            named = {name: keeper.row[name] for name in ("subject", "series", "instance")}
            found[row["version"]] = named | {
                "identity": digests.identity(row["sop_uid"]),
                "version": digests.version(row["version"]),
                "moment": row["moment"],
                "kept_in": keeper.delivery,
                "licence": row["licence"],
            }
    return list(found.values())


class _Subjects:
    """Whose a file is: by its patient id, or by the study, series or image it belongs to."""

    def __init__(self, vault: Vault, manifest: Delivery, rows: Iterable[dict[str, Any]], listed: Listed) -> None:
        self._vault, self._manifest, self._listed = vault, manifest, listed
        named = [row for row in rows if row["subject"]]
        self._patients = {row["study_uid"]: row["subject"] for row in named}
        self._patients |= {row["series_uid"]: row["subject"] for row in named}

    def named(self, patient: str) -> Subject:
        return self._vault.subject(self._manifest.licensor, patient)

    def of(self, row: dict[str, Any]) -> Subject | None:
        path, content = row["path"], row["content"]
        if content == "dicom":
            return self.named(row["subject"]) if row["subject"] else None
        if content == "nifti":
            row |= {"study_uid": beside.study_of(path)}
        if content == "nifti" or (content == "sidecar" and beside.is_of_person(path, self._listed.paths)):
            return self.named(beside.person_of(path))
        if content not in ("report", "label"):
            return None
        keys = self._listed.labels[path] if content == "label" else {"study": self._listed.reports[path]}
        study, series = keys.get("study") or None, keys.get("series") or None
        row |= {"study_uid": study, "series_uid": series}
        if patient := keys.get("patient") or self._patients.get(series) or self._patients.get(study):
            return self.named(patient)
        if self._manifest.kind is Kind.NIFTI and (other := series or study):
            return self.named(beside.person_of(other))
        return None


def _tell_duplicates(rows: list[dict[str, Any]]) -> None:
    """Mark duplicates (same data set) and conflicting ones (same SOP Instance UID, another data set)."""
    first: dict[str, str] = {}
    digests: dict[str, set[str]] = {}
    for row in rows:
        if row["outcome"] == "kept" and row["content"] in ("dicom", "nifti"):
            if row["version"] in first:
                row |= {"outcome": "duplicate", "duplicate_of": first[row["version"]]}
            first.setdefault(row["version"], row["path"])
            if row["sop_uid"]:
                digests.setdefault(row["sop_uid"], set()).add(row["version"])
    for row in rows:
        if row["outcome"] == "kept" and len(digests.get(row["sop_uid"], ())) > 1:
            row["outcome"] = str(Reason.CONFLICTING_DUPLICATE)


def _listed(place: Location, manifest: Delivery, paths: Sequence[str]) -> Listed:
    named = [name for name in (manifest.reports, manifest.labels, manifest.checksums, manifest.missing) if name]
    if set(named) - set(paths) or (place.local and any(_outside(place.path, name) for name in named)):
        raise DocumentError(f"{MANIFEST_NAME} names a list that is not in the delivery; deliver it, or drop the field")
    checksums = _text(place, manifest.checksums).splitlines() if manifest.checksums else []
    pairs = (line.split(maxsplit=1) for line in checksums if line.strip())
    reports = _csv(place, manifest.reports, ("study",))
    return Listed(
        {path: keys["study"] for path, keys in reports.items()},
        _csv(place, manifest.labels, ("series", "study", "patient")) or _named_labels(place, manifest, paths),
        {path.lstrip("*").removeprefix("./"): digest.lower() for digest, path in pairs},
        frozenset(named),
        manifest,
        frozenset(paths),
    )


def _outside(folder: Path, name: str) -> bool:
    """Whether a link leads a name out of its delivery."""
    return not (folder / name).resolve().is_relative_to(folder.resolve()) or not (folder / name).is_file()


def _named_labels(place: Location, manifest: Delivery, paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """Label maps that tell by their names what they were drawn on, where their values have a meaning."""
    wanted = manifest.kind is Kind.NIFTI and manifest.label_scheme
    return beside.label_maps(place, paths) if wanted else {}


def _text(place: Location, name: str) -> str:
    return place.read_bytes(name).decode("utf-8-sig")


def _csv(place: Location, name: str | None, columns: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Of each path of a list, what its row says in those of the columns that there are; one of them at least."""
    if not name:
        return {}
    reader = csv.DictReader(io.StringIO(_text(place, name), newline=""))
    there = [column for column in columns if column in (reader.fieldnames or ())]
    if "path" not in (reader.fieldnames or ()) or not there:
        raise DocumentError(
            f"a list that {MANIFEST_NAME} names has no column path, or none of {', '.join(columns)}; add them"
        )
    return {row["path"]: {column: row[column] or "" for column in there} for row in reader}


def _outcome(
    written: Written, versions: dict[str, int], manifest: Delivery, total: int, again: Sequence[str]
) -> Outcome:
    counts = Counter(str(row["outcome"]) for row in written.rows(RECEIVED))
    contents = Counter(str(row["content"]) for row in written.rows(RECEIVED) if row["outcome"] == "kept")
    return Outcome(
        RECEIVED.path,
        versions[RECEIVED.path],
        counts["kept"],
        counts["duplicate"],
        counts["quarantined"],
        {
            "files": total,
            "expected_files": manifest.expected_files if manifest.expected_files is not None else "not stated",
            "subjects": len({row["subject"] for row in written.rows(RECEIVED) if row["subject"]}),
            "kept_by_other_deliveries": sum(bool(row["duplicate_in"]) for row in written.rows(RECEIVED)),
            **({"deliveries_to_run_again": ", ".join(again)} if again else {}),
            **{f"kept_{content}": number for content, number in sorted(contents.items())},
        },
    )
