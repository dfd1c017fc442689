"""NIfTI images that came de-identified: their rows of `curated/series` and `curated/volumes`.

Belongs here: what NIfTI deliveries need that DICOM ones do not. Reading a NIfTI file is `imaging.nifti`.
"""

import json
from typing import Any

import pyarrow as pa

from imaging import nifti
from imaging.errors import ImagingError
from imaging.volume import Volume
from lake.zones import Lake
from schemas.delivery import MANIFEST_NAME, Delivery
from stages.packed import UNIT, received

LICENSOR_POLICY = "licensor"
"""Stands for the policy's digest where the licensor declares the data de-identified and no rule of ours acted."""


def nifti_units(lake: Lake, delivery: str) -> list[pa.RecordBatch]:
    """A unit for each NIfTI image of a delivery."""
    names = ("path", "sha256", "subject", "study", "series", "licence")
    return [
        pa.RecordBatch.from_pylist(
            [{"kind": "nifti", "file": row["path"], "row": json.dumps({name: row[name] for name in names})}], UNIT
        )
        for row in received(lake, delivery, "nifti")
    ]


def read(lake: Lake, delivery: str, unit: dict[str, Any]) -> Volume:
    """The image of a unit.

    Raises:
        ImagingError: if it cannot be read.
    """
    return nifti.read((lake.landing / delivery / unit["file"]).read_bytes())


def keys(unit: dict[str, Any]) -> dict[str, Any]:
    """Subject, study, series, licence and policy of a unit's image."""
    row = json.loads(unit["row"])
    return {name: row[name] for name in ("subject", "study", "series", "licence")} | {"policy": LICENSOR_POLICY}


def digest(unit: dict[str, Any]) -> str:
    """SHA-256 of a unit's file as received."""
    found: str = json.loads(unit["row"])["sha256"]
    return found


def stated(lake: Lake, delivery: str) -> tuple[str, str]:
    """Body part and contrast in the licensor's words; unknown where nothing is stated."""
    manifest = Delivery.read(lake.landing / delivery / MANIFEST_NAME)
    return manifest.body_part or "unknown", manifest.contrast or "unknown"


def series_row(lake: Lake, delivery: str, unit: dict[str, Any]) -> list[dict[str, Any]]:
    """The row of `curated/series` of an image; none where it cannot be read, which `volumes` puts into quarantine."""
    try:
        volume = read(lake, delivery, unit)
    except ImagingError:
        return []
    body_part, contrast = stated(lake, delivery)
    known = [name for name, value in (("body part", body_part), ("contrast", contrast)) if value != "unknown"]
    absent = ("description", "manufacturer", "model", "field_strength", "echo_time", "repetition_time")
    return [
        {
            **keys(unit),
            **dict.fromkeys((*absent, "inversion_time", "flip_angle", "sex", "age")),
            "body_part": body_part,
            "plane": "unknown",
            "contrast": contrast,
            "part": volume.part,
            "evidence": f"{' and '.join(known)} stated by the licensor" if known else "NIfTI carries no such facts",
            "confidence": 1.0 if contrast != "unknown" else 0.0,
            "instances": 0,
            "volumes": 1,
            "shape": list(volume.shape),
            "spacing": list(volume.spacing),
            "missing_slices": 0,
        }
    ]
