"""A delivery of phantoms: folder, manifest, answer key.

Belongs here: putting everything where it belongs, whole or not at all. What a subject's files are is
`imaging.phantom.subject`.
"""

import csv
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from imaging.phantom.answers import AnswerKey
from imaging.phantom.config import PhantomConfig, PhantomSummary
from imaging.phantom.faults import REASONS, Damage, Fault, befallen
from imaging.phantom.subject import FINDINGS, Material, remainder, whole
from imaging.phantom.vocabulary import LABEL_SCHEME
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.diagnosis import Coding, DiagnosisColumn, DiagnosisTable, Key, Value

CHECKSUMS = "SHA256SUMS"
"""Name of the list of digests, where there is one."""

_TABLE = DiagnosisTable(
    files=FINDINGS,
    key="study",
    names=Key.STUDY,
    columns=[
        DiagnosisColumn(
            column="lesion",
            name="lesion",
            kind=Value.BOOLEAN,
            coding=Coding(scheme="SCT", code="52988006", meaning="Lesion"),
        )
    ],
)
"""What is declared of the table of findings: not its remarks."""

EXPECTED = "expected.json"
"""Name of the answer key's counts."""


@dataclass
class _Books:
    """What is counted while a delivery is written."""

    content: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    series: dict[str, dict[str, Any]] = field(default_factory=dict)
    reports: list[tuple[str, str]] = field(default_factory=list)
    findings: list[tuple[str, str, str]] = field(default_factory=list)
    labels: list[tuple[str, str]] = field(default_factory=list)


def generate(folder: Path, answers: Path, config: PhantomConfig) -> PhantomSummary:
    """Make a delivery and its answer key.

    Both are written beside their places under hidden names and renamed when they are whole, so a folder that is there
    is complete. The same configuration gives the same bytes.

    Args:
        folder: where the delivery goes; must not exist.
        answers: where the answer key goes; must not exist and must not lie in `folder`.
        config: what to make.

    Raises:
        ValueError: if one of the folders exists or the answer key would be part of the delivery.
    """
    _check_places(folder, answers)
    unfinished, unfinished_answers = (_cleared(place) for place in (folder, answers))
    key, books = AnswerKey(), _Books()
    faults = befallen(config)
    subjects = [*((whole, ordinal) for ordinal in config.ordinals)]
    if config.split_subject is not None and config.split_subject not in config.ordinals:
        subjects.append((remainder, config.split_subject))
    for make, ordinal in subjects:
        _take(make(config, ordinal, faults.get(ordinal, []), key), unfinished, unfinished_answers, books)
    _write_indices(unfinished, config, books)
    summary = _summary(folder, answers, config, books, key)
    _write_answers(unfinished_answers, config, books, key, summary)
    _manifest(config, books).write(unfinished / MANIFEST_NAME)
    unfinished_answers.rename(answers)
    unfinished.rename(folder)
    return summary


def recalled(folder: Path, answers: Path, config: PhantomConfig) -> PhantomSummary | None:
    """The summary of a delivery that is there already, if it was made from this configuration; None if there is none.

    Raises:
        ValueError: if there is one that was made from another configuration.
    """
    expected = answers / EXPECTED
    if not (folder / MANIFEST_NAME).is_file() or not expected.is_file():
        return None
    known = json.loads(expected.read_text(encoding="utf-8"))
    if known["config"] != _plain(config):
        raise ValueError(
            f"found a delivery {folder.name} made from another configuration, needed none or the same; remove the "
            "folder and its answer key to make it again"
        )
    return PhantomSummary(**{**known["summary"], "folder": folder, "answers": answers})


def _check_places(folder: Path, answers: Path) -> None:
    for place in (folder, answers):
        if place.exists():
            raise ValueError(f"found {place.name} in {place.parent}, needed a place that is free; remove it first")
    if folder in answers.parents or folder == answers:
        raise ValueError("found the answer key inside the delivery, needed it beside: it says what is hidden there")


def _cleared(place: Path) -> Path:
    unfinished = place.with_name(f".{place.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished


def _put(root: Path, path: PurePosixPath, content: bytes, kind: str, books: _Books) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    books.content[str(path)] = kind
    books.digests[str(path)] = hashlib.sha256(content).hexdigest()


def _take(material: Material, root: Path, answers: Path, books: _Books) -> None:
    """Write one subject's files and truth, and keep count."""
    for path, content in material.files.items():
        _put(root, path, content, "other" if path.suffix == ".log" else "dicom", books)
    for study, text in material.reports.items():
        path = PurePosixPath("reports", f"report_{len(books.reports) + 1:04d}.txt")
        _put(root, path, text.encode(), "report", books)
        books.reports.append((str(path), study))
    for series, label in material.labels.items():
        path = PurePosixPath("labels", f"tissue_{len(books.labels) + 1:04d}.nii.gz")
        _put(root, path, label, "label", books)
        books.labels.append((str(path), series))
    (answers / "truth").mkdir(exist_ok=True)
    for series, truth in material.truths.items():
        name = f"truth/series_{len(books.series) + 1:04d}.nii.gz"
        (answers / name).write_bytes(truth)
        books.series[series] = {"file": name, **material.facts[series]}
    books.damages += material.damages
    books.findings += material.findings


def _write_indices(root: Path, config: PhantomConfig, books: _Books) -> None:
    for name, header, rows in (
        ("reports.csv", ("path", "study"), books.reports),
        ("labels.csv", ("path", "series"), books.labels),
    ):
        if rows:
            _put(root, PurePosixPath(name), _csv(header, rows), "index", books)
    if books.findings:
        _put(root, PurePosixPath(FINDINGS), _csv(("study", "lesion", "remark"), books.findings), "table", books)
    if config.checksums:
        lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(books.digests.items()))
        _put(root, PurePosixPath(CHECKSUMS), lines.encode(), "index", books)


def _csv(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _manifest(config: PhantomConfig, books: _Books) -> Delivery:
    return Delivery(
        name=config.name,
        licensor=config.licensor,
        licence=config.licence,
        purpose=config.purpose,
        received=config.received,
        contact="data office",
        expected_files=len(books.content),
        checksums=CHECKSUMS if config.checksums else None,
        reports="reports.csv" if books.reports else None,
        labels="labels.csv" if books.labels else None,
        label_task="tissue" if books.labels else None,
        label_scheme=LABEL_SCHEME if books.labels else {},
        tables=[_TABLE] if books.findings else [],
    )


def _held_back(books: _Books) -> dict[str, list[str]]:
    held: dict[str, list[str]] = {}
    for damage in books.damages:
        if damage.fault in REASONS:
            held.setdefault(REASONS[damage.fault].value, []).extend(damage.paths)
    return {reason: sorted(paths) for reason, paths in sorted(held.items())}


def _repeated(books: _Books) -> list[str]:
    return sorted(p for d in books.damages if d.fault is Fault.EXACT_DUPLICATES for p in d.paths)


def _summary(folder: Path, answers: Path, config: PhantomConfig, books: _Books, key: AnswerKey) -> PhantomSummary:
    return PhantomSummary(
        name=config.name,
        folder=folder,
        answers=answers,
        files=len(books.content),
        dicom=sum(kind == "dicom" for kind in books.content.values()),
        subjects=len({series["subject"] for series in books.series.values()}),
        series=len(books.series),
        labels=len(books.labels),
        reports=len(books.reports),
        planted=len(key),
        duplicates=len(_repeated(books)),
        quarantined={reason: len(paths) for reason, paths in _held_back(books).items()},
    )


def _write_answers(root: Path, config: PhantomConfig, books: _Books, key: AnswerKey, summary: PhantomSummary) -> None:
    held, repeated = _held_back(books), _repeated(books)
    gone = {path for paths in held.values() for path in paths} | set(repeated)
    kept = Counter(kind for path, kind in books.content.items() if path not in gone)
    expected = {
        "config": _plain(config),
        "summary": {k: v for k, v in asdict(summary).items() if k not in ("folder", "answers")},
        "files": len(books.content),
        "content": dict(sorted(Counter(books.content.values()).items())),
        "kept": dict(sorted(kept.items())),
        "duplicates": len(repeated),
        "quarantined": {reason: len(paths) for reason, paths in held.items()},
        "duplicate_paths": repeated,
        "quarantined_paths": held,
        "faults": [{**asdict(damage), "fault": damage.fault.value} for damage in books.damages],
    }
    for name, content in ((EXPECTED, expected), ("truth.json", books.series), ("phi.json", key.entries())):
        (root / name).write_text(json.dumps(content, indent=1, sort_keys=True), encoding="utf-8")


def _plain(config: PhantomConfig) -> Any:
    """The configuration as JSON gives it back."""
    return json.loads(json.dumps(asdict(config), default=str))
