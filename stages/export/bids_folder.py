"""A BIDS folder of volumes of a release: images, sidecars, label maps and pages.

Belongs here: writing these files. Names are `stages.export.bids`, contents `stages.sidecars` and
`stages.export.dataset`; whether anything may leave is `stages.export.export`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from imaging.nifti import nifti
from imaging.volumes.volume import Volume
from lake.releases import Member, Release
from lake.voxels.volumes import Volumes
from schemas.licence import Licence
from schemas.tables import SERIES
from stages import sidecars
from stages.export import bids, dataset
from stages.images import image_of, label_of
from stages.station import Report


@dataclass(frozen=True)
class _Named:
    """Rows and names of everything that is written."""

    pairs: Mapping[str, bids.Pair]
    names: Mapping[str, str]
    echoes: Mapping[str, tuple[float, float]]


def write(
    release: Release, members: Sequence[Member], licences: Mapping[str, Licence], folder: Path, report: Report
) -> None:
    """Write volumes of a release, their label maps and the pages about them into a folder."""
    volumes = release.volumes()
    labels = release.labels() if any(member.label for member in members) else None
    series = {(row["delivery"], row["series"]): row for row in _series(release)}
    rows = volumes.rows([member.volume for member in members])
    pairs = {row["volume"]: (row, series.get((row["delivery"], row["series"]), {})) for row in rows}
    listed = list(pairs.values())
    named = _Named(pairs, bids.names(listed), bids.echo_times(listed))
    step = max(1, len(members) // 10)
    for done, member in enumerate(members, 1):
        _image(volumes, named, member.volume, folder)
        if labels and member.label:
            _label(labels, member.label, named.names[member.volume], folder)
        if done % step == 0 or done == len(members):
            report(f"{done} of {len(members)} volumes")
    _about(release, [(m.subject, m.split, pairs[m.volume][1]) for m in members], licences, folder)
    if labels:
        _about_labels(release, folder / dataset.LABELS)


def _series(release: Release) -> list[dict[str, Any]]:
    return release.lake.table(SERIES).rows(version=release.manifest.tables[SERIES.path])


def _image(volumes: Volumes, named: _Named, volume: str, folder: Path) -> None:
    (row, series), stem = named.pairs[volume], folder / named.names[volume]
    stem.parent.mkdir(parents=True, exist_ok=True)
    image = image_of(volumes, row)
    nifti.write(_timed(image, row, series), _beside(stem, ".nii.gz"))
    _json(_beside(stem, ".json"), sidecars.sidecar(row, series, stem.name, named.echoes.get(volume)))
    for suffix, text in sidecars.gradients(image).items():
        _beside(stem, suffix).write_text(text, encoding="utf-8")
    if order := sidecars.asl_context(row):
        name = stem.name.removesuffix("asl") + "aslcontext.tsv"
        stem.with_name(name).write_text(order, encoding="utf-8")


def _timed(image: Volume, row: bids.Row, series: bids.Row) -> Volume:
    """An image whose header states the time from step to step, for functional ones that of the sidecar."""
    step = sidecars.time_step(row, series) if image.steps > 1 else None
    return dataclasses.replace(image, times=np.arange(image.steps, dtype=np.float64) * step) if step else image


def _label(labels: Volumes, label: str, image: str, folder: Path) -> None:
    row = labels.row(label)
    path = PurePosixPath(image)
    entities, _, suffix = path.name.rpartition("_")
    name = f"{entities}_seg-{bids.label(row['task'])}_desc-{suffix}_dseg"
    # the standard has label maps of anatomical, functional and diffusion images, and none of one inversion of several
    known = path.parent.name in ("anat", "func", "dwi") and "_inv-" not in entities
    stem = folder / dataset.LABELS / path.parent.with_name(path.parent.name if known else bids.OTHER[0]) / name
    stem.parent.mkdir(parents=True, exist_ok=True)
    nifti.write(label_of(labels, row), _beside(stem, ".nii.gz"))
    _json(_beside(stem, ".json"), sidecars.label_facts(row, f"{image}.nii.gz"))
    table = sidecars.label_table(json.loads(row["scheme"]))
    _beside(stem, ".tsv").write_text(table, encoding="utf-8")


def _about(
    release: Release, people: Sequence[tuple[str, str, bids.Row]], licences: Mapping[str, Licence], folder: Path
) -> None:
    """What the folder says of itself."""
    manifest = release.manifest
    _json(folder / "dataset_description.json", dataset.description(manifest, release.sha256, licences.values()))
    _json(folder / "participants.json", dataset.PARTICIPANTS)
    pages = {
        "participants.tsv": dataset.participants(people),
        "README": dataset.readme(manifest),
        "CHANGES": dataset.changes(manifest),
        "LICENSE": dataset.terms_page(licences),
        ".bidsignore": dataset.IGNORED,
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _about_labels(release: Release, folder: Path) -> None:
    _json(folder / "dataset_description.json", dataset.labels_description(release.manifest))
    (folder / "README").write_text(dataset.labels_readme(release.manifest), encoding="utf-8")
    (folder / ".bidsignore").write_text(dataset.IGNORED, encoding="utf-8")


def _beside(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
