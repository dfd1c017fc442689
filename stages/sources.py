"""What a prediction in DICOM is made on: a series in a folder, or a volume of the lake with the files it came from.

Belongs here: from a place to a volume, the plan that it was made by and its files. What a model makes of it is
`training.evaluation.prediction`, a segmentation of that `imaging.labels.segmentation_writer`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

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
    files, headers, plans = _planned(place)
    if not plans or (number is None and len(plans) > 1) or not 1 <= (number or 1) <= len(plans):
        raise ImagingError(
            Reason.UNSUPPORTED,
            f"found {len(plans)} volumes in {len(files)} DICOM images, needed "
            + ("to know which one; choose it with --number" if plans else "a series of MR images"),
        )
    return _source(plans[(number or 1) - 1], files, headers)


def each_of_folder(place: Path) -> list[Callable[[], Source]]:
    """The volumes of all series in a folder, each made when it is called for; the files are read once."""
    files, headers, plans = _planned(place)
    return [partial(_source, planned, files, headers) for planned in plans]


def _planned(place: Path) -> tuple[list[bytes], list[Header], Sequence[VolumePlan]]:
    paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    files, headers = _readable([path.read_bytes() for path in paths])
    return files, headers, plan(headers).volumes


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
