"""NIfTI images that came de-identified: their rows of `curated/series` and `curated/volumes`.

Belongs here: what NIfTI deliveries need that DICOM ones do not. Reading a NIfTI file is `imaging.nifti.nifti`; which
files beside it say something of it is `stages.beside`.
"""

import json
from typing import Any

import pyarrow as pa

from imaging.errors import ImagingError
from imaging.kinds import classify
from imaging.nifti import sidecar
from imaging.volumes.volume import Volume
from lake.zones import Lake
from stages import beside
from stages.intake.landed import manifest_of
from stages.packed import UNIT, received

LICENSOR_POLICY = "licensor"
"""Stands for the policy's digest where the licensor declares the data de-identified and no rule of ours acted."""


def nifti_units(lake: Lake, delivery: str) -> list[pa.RecordBatch]:
    """A unit for each NIfTI image of a delivery."""
    names = ("path", "sha256", "subject", "study", "series", "licence")
    sidecars = beside.by_folder(row["path"] for row in received(lake, delivery, "sidecar"))
    units = []
    for row in received(lake, delivery, "nifti"):
        facts = {name: row[name] for name in names} | {"sidecars": beside.applying(row["path"], sidecars)}
        unit = {"kind": "nifti", "file": row["path"], "row": json.dumps(facts)}
        units.append(pa.RecordBatch.from_pylist([unit], UNIT))
    return units


def read(lake: Lake, delivery: str, unit: dict[str, Any]) -> Volume:
    """The image of a unit, with what the files beside it say.

    Raises:
        ImagingError: if it cannot be read, or the files beside it contradict it.
    """
    return sidecar.read(lake.landed(delivery).read_bytes(unit["file"]), _beside(lake, delivery, unit))


def _beside(lake: Lake, delivery: str, unit: dict[str, Any]) -> sidecar.Beside:
    return beside.beside(lake.landed(delivery), unit["file"], json.loads(unit["row"])["sidecars"])


def keys(unit: dict[str, Any]) -> dict[str, Any]:
    """Subject, study, series, licence and policy of a unit's image."""
    row = json.loads(unit["row"])
    return {name: row[name] for name in ("subject", "study", "series", "licence")} | {"policy": LICENSOR_POLICY}


def digest(unit: dict[str, Any]) -> str:
    """SHA-256 of a unit's file as received."""
    found: str = json.loads(unit["row"])["sha256"]
    return found


def stated(lake: Lake, delivery: str, unit: dict[str, Any]) -> dict[str, Any]:
    """Columns of `curated/series` that are stated: by name and sidecars of the image, else by the licensor."""
    manifest = manifest_of(lake, delivery)
    found = beside.series_facts(unit["file"], _beside(lake, delivery, unit).facts)
    for name, word in (("body_part", manifest.body_part), ("contrast", manifest.contrast)):
        found[name] = word if word and found[name] == "unknown" else found[name]
    return found


def series_row(lake: Lake, delivery: str, unit: dict[str, Any]) -> list[dict[str, Any]]:
    """The row of `curated/series` of an image; none where it cannot be read, which `volumes` puts into quarantine."""
    try:
        volume = read(lake, delivery, unit)
    except ImagingError:
        return []
    found = stated(lake, delivery, unit)
    judged = classify.stated(found | {"part": volume.part}, "stated by name, sidecar or licensor")
    return [
        {
            **keys(unit),
            **dict.fromkeys(("description", "model")),
            **beside.person_facts(lake.landed(delivery), unit["file"]),
            **found,
            **judged.values,
            "evidence": judged.evidence,
            "confidence": judged.contrast.confidence,
            "instances": 0,
            "volumes": 1,
            "shape": list(volume.shape),
            "spacing": list(volume.spacing),
            "missing_slices": len(volume.missing_slices),
        }
    ]
