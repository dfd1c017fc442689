"""The answer key of what is true: tissue maps on the series' grids, and what each series is.

Belongs here: writing NIfTI maps and describing a series. What was planted is `imaging.phantom.answers`.
"""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from imaging.phantom.acquire import Acquired
from imaging.phantom.dialects import DIALECTS
from imaging.phantom.images import compressed
from imaging.phantom.scan import Grid, Scan
from imaging.phantom.study import Study

GZIP_LEVEL = 4
"""Level 9 makes maps a few per cent smaller and takes five times as long."""


@dataclass(frozen=True)
class Delivered:
    """How much of a series a delivery holds.

    Attributes:
        slab: slices of the whole grid that it holds.
        missing: slices of the whole grid, inside the slab, that no kept instance fills.
        instances: instances kept.
        duplicates: files that repeat one of them.
    """

    slab: range
    missing: tuple[int, ...]
    instances: int
    duplicates: int


def tissue_map(truth: NDArray[np.uint8], grid: Grid) -> bytes:
    """A gzipped NIfTI-1 file of labels (slices, rows, columns); its axes are (column, row, slice), its affine RAS mm.

    The bytes hold no time and no name, so the same map gives the same bytes.
    """
    image = nib.Nifti1Image(np.ascontiguousarray(truth.transpose(2, 1, 0)), grid.affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=GZIP_LEVEL, mtime=0)


def voxel_digest(stored: NDArray[np.uint16]) -> str:
    """SHA-256 of stored integers (volumes, slices, rows, columns), as little-endian int32 with axes (x, y, z, t)."""
    return hashlib.sha256(np.ascontiguousarray(stored.transpose(3, 2, 1, 0), dtype="<i4").tobytes()).hexdigest()


def facts(study: Study, scan: Scan, acquired: Acquired, delivered: Delivered) -> dict[str, Any]:
    """What is true of a series as delivered; `acquired` are its voxels, whole."""
    slab, missing = delivered.slab, delivered.missing
    grid = scan.grid.slab(slab.start, slab.stop)
    settings = scan.settings
    storage = DIALECTS[study.vendor].storage(study, scan)
    whole = acquired.stored[:, slab.start : slab.stop]
    return {
        "subject": study.ordinal,
        "study": study.uid,
        "vendor": study.vendor.value,
        "contrast": scan.contrast.value,
        "body_part": study.body.part.value,
        "plane": scan.plane.value,
        "oblique": scan.oblique,
        "technique": settings.technique.value,
        "echo_time": settings.te,
        "repetition_time": settings.tr,
        "inversion_time": settings.ti,
        "flip_angle": settings.flip,
        "order": scan.order.value,
        "compressed": compressed(study, scan),
        "shape": list(grid.shape),
        "spacing": list(grid.spacing),
        "affine": grid.affine.ravel().tolist(),
        "bvals": list(scan.bvals),
        "gradients_lps": scan.directions.tolist(),
        "slope": storage.slope if storage.slope is not None else 1.0,
        "intercept": storage.intercept,
        "true_slope": storage.true_slope or storage.slope or 1.0,
        "missing_slices": [index - slab.start for index in missing],
        "first_slice": slab.start,
        "split": len(slab) < scan.grid.shape[2],
        "instances": delivered.instances,
        "duplicates": delivered.duplicates,
        "voxels_sha256": None if missing else voxel_digest(whole),
        "lesions": [{"site": x.site, "size_mm": x.size_mm} for x in study.body.lesions],
        "sex": study.person.sex,
        "age": study.encounter.age,
    }
