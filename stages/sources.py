"""What a prediction in DICOM is made on: a series in a folder, or a volume of the lake with the files it came from.

Belongs here: from a place to a volume, the plan that it was made by and its files. What a model makes of it is
`training.evaluation.prediction`, a segmentation of that `imaging.segmentation_writer`.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imaging.errors import ImagingError
from imaging.header import Header
from imaging.headers import HeaderReader
from imaging.normalize import assemble
from imaging.pixels import stored_pixels
from imaging.series import VolumePlan, plan
from imaging.volume import Volume
from lake.volumes import Volumes
from lake.zones import Lake
from lineage.terms import terms
from schemas.reasons import Reason
from schemas.tables import VOLUMES
from stages import media
from stages.images import image_of
from stages.standing import licences


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


def of_folder(place: Path, number: int | None = None) -> Source:
    """The volume of a DICOM series.

    Args:
        place: a folder of files, subfolders included, or one multi-frame file.
        number: which of its volumes, from 1; None: the only one.

    Raises:
        ImagingError: if there is no such volume, or it is not clear which is meant.
    """
    paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    files, headers = _readable([path.read_bytes() for path in paths])
    plans = plan(headers).volumes
    if not plans or (number is None and len(plans) > 1) or not 1 <= (number or 1) <= len(plans):
        raise ImagingError(
            Reason.UNSUPPORTED,
            f"found {len(plans)} volumes in {len(files)} DICOM images, needed "
            + ("to know which one; choose it with --number" if plans else "a series of MR images"),
        )
    return _source(plans[(number or 1) - 1], files, headers)


def of_lake(lake: Lake, volume: str, purpose: str) -> Source:
    """A volume of the lake and its de-identified files.

    Raises:
        KeyError: if there is no such volume.
        Refusal: if its licence does not allow that anything made of it leaves.
        ImagingError: if its files are no longer the ones that it was made of.
    """
    volumes = Volumes(lake, VOLUMES)
    row = volumes.row(volume)
    today = dt.datetime.now(dt.UTC).date()
    for name in sorted(licences(lake, [row])[row["subject"], row["series"]]):
        terms.permit(lake, terms.known(lake, name), None, purpose=purpose, action=terms.Action.EXPORT, day=today)
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
    files, headers = _readable(contents)
    for planned in plan(headers).volumes:
        source = _source(planned, files, headers)
        if _is_row(source.volume, row):
            return source
    raise ImagingError(
        Reason.UNSUPPORTED, "found no files in curated/instances that give this volume, needed those it was made of"
    )


def _readable(contents: Sequence[bytes]) -> tuple[list[bytes], list[Header]]:
    """Files that are DICOM images, with their headers."""
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
    return files, headers


def _source(planned: VolumePlan, files: Sequence[bytes], headers: Sequence[Header]) -> Source:
    return Source(assemble(planned, lambda i: stored_pixels(files[i], headers[i])), planned, files)


def _is_row(volume: Volume, row: Mapping[str, Any]) -> bool:
    affine = np.array(row["affine"], dtype=np.float64).reshape(4, 4)
    same_grid = list(volume.shape) == list(row["shape"]) and np.allclose(volume.affine, affine, atol=1e-6)
    return bool(same_grid) and volume.part == row["part"]
