"""What a prediction in DICOM is made on: a series in a folder, or a volume of the lake with the files it came from.

Belongs here: from a place to a volume, the plan that it was made by and its files. What a model makes of it is
`training.evaluation.prediction`, a segmentation of that `imaging.labels.segmentation_writer`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.errors import ImagingError
from imaging.headers.header import Header
from imaging.headers.headers import HeaderReader
from imaging.volumes.normalize import assemble
from imaging.volumes.pixels import stored_pixels
from imaging.volumes.series import VolumePlan, plan
from imaging.volumes.volume import Volume
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from lineage.terms.questions import Action
from schemas.reasons import Reason
from schemas.tables import VOLUMES
from stages.export import media
from stages.images import image_of
from stages.permission import permitted_rows
from stages.standing import licences

_FEW = 9
"""Volumes of a folder that a message lists."""


@dataclass(frozen=True)
class Source:
    """An image and what it was made of.

    Attributes:
        volume: the image.
        plan: which file filled which slice; None: it did not come as DICOM.
        files: the DICOM files, in the order of the plan's indices.
    """

    volume: Volume
    plan: VolumePlan | None
    files: Sequence[bytes]


@dataclass(frozen=True)
class Pending:
    """A volume that is known of and not made yet.

    Attributes:
        planned: how it is made.
        files: the DICOM files, in the order of the plan's indices.
        headers: theirs.
    """

    planned: VolumePlan
    files: Sequence[bytes]
    headers: Sequence[Header]

    def digest(self) -> str:
        """SHA-256 of the files that it is made of, hexadecimal."""
        digest = hashlib.sha256()
        for index in self.planned.members:
            digest.update(hashlib.sha256(self.files[index]).digest())
        return digest.hexdigest()

    def made(self) -> Source:
        """The volume.

        Raises:
            ImagingError: if the pixels of a file cannot be read.
        """
        return Source(assemble(self.planned, self._pixels), self.planned, self.files)

    def __str__(self) -> str:
        """What tells it from others of its folder, and nothing of the person."""
        steps, depth = self.planned.instances.shape
        several = f", {steps} steps" if steps > 1 else ""
        return f"{depth} slices of {self.planned.columns} x {self.planned.rows}{several}"

    def _pixels(self, index: int) -> NDArray[np.generic]:
        try:
            return stored_pixels(self.files[index], self.headers[index])
        except ImagingError as error:
            raise ImagingError(error.reason, f"DICOM image {index + 1} of {len(self.files)}: {error}") from error


def of_folder(place: Path, number: int | None = None) -> Source:
    """The volume of a DICOM series.

    Args:
        place: a folder of files, subfolders included, or one multi-frame file.
        number: which of its volumes, from 1; None: the only one.

    Raises:
        ImagingError: if there is no such volume, or it is not clear which is meant.
    """
    found = each_of_folder(place)
    if not found:
        raise ImagingError(Reason.UNSUPPORTED, "found no volume in the files there, needed a series of MR images")
    if number is None and len(found) > 1:
        listed = ", ".join(f"{n}: {pending}" for n, pending in enumerate(found[:_FEW], 1))
        raise ImagingError(
            Reason.UNSUPPORTED,
            f"found {len(found)} volumes there ({listed}{', ...' if len(found) > _FEW else ''}), needed to know which "
            "one; choose it with --number, or name a folder with --out for all",
        )
    if not 1 <= (number or 1) <= len(found):
        raise ImagingError(
            Reason.UNSUPPORTED, f"found no volume of that number there, needed --number from 1 to {len(found)}"
        )
    return found[(number or 1) - 1].made()


def each_of_folder(place: Path) -> list[Pending]:
    """The volumes of all series in a folder, subfolders included, or in one file; the files are read once."""
    paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return _pending([path.read_bytes() for path in paths])


def of_lake(lake: Lake, volume: str, purpose: str) -> Source:
    """A volume of the lake and its de-identified files.

    Raises:
        KeyError: if there is no such volume.
        Refusal: if its terms do not allow that anything is made of it, or leaves.
        ImagingError: if its files are no longer the ones that it was made of.
    """
    volumes = Volumes(lake, VOLUMES)
    row = volumes.row(volume)
    rows = [{**row, "licences": licences(lake, [row])[row["subject"], row["series"]]}]
    for action in (Action.EXPORT, Action.PREDICT):
        permitted_rows(lake, rows, action, purpose)
    return of_row(lake, volumes, row)


def of_row(lake: Lake, volumes: Volumes, row: Mapping[str, Any]) -> Source:
    """A volume of the lake and its de-identified files, for whoever has asked its licences already.

    Raises:
        ImagingError: if its files are no longer the ones that it was made of.
    """
    if not row["sources"]:
        return Source(image_of(volumes, row), None, ())
    wanted = media.sources_of(row["delivery"], row)
    found = {name: data for place, named in wanted.items() for name, data in media.instances(lake, place, named)}
    return of_files([found[name] for name in row["sources"] if name in found], row)


def of_files(contents: Sequence[bytes], row: Mapping[str, Any]) -> Source:
    """The volume of a row, made again from the files that it came from.

    Args:
        contents: the DICOM files.
        row: its row of `curated/volumes`.

    Raises:
        ImagingError: if they are not the ones that it was made of.
    """
    for pending in _pending(contents):
        source = pending.made()
        if _is_row(source.volume, row):
            return source
    raise ImagingError(
        Reason.UNSUPPORTED, "found no files in curated/instances that give this volume, needed those it was made of"
    )


def _pending(contents: Sequence[bytes]) -> list[Pending]:
    """The volumes of those files that are DICOM images."""
    reader = HeaderReader()
    files, headers = [], []
    for data in contents:
        try:
            header = reader.read(data)
        except ImagingError:
            continue
        if header.pixel_tag:
            files.append(data)
            headers.append(header)
    return [Pending(planned, files, headers) for planned in plan(headers).volumes]


def _is_row(volume: Volume, row: Mapping[str, Any]) -> bool:
    affine = np.array(row["affine"], dtype=np.float64).reshape(4, 4)
    same_grid = list(volume.shape) == list(row["shape"]) and np.allclose(volume.affine, affine, atol=1e-6)
    return bool(same_grid) and volume.part == row["part"]
