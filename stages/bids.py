"""Names and facts of an exported volume, after the Brain Imaging Data Structure (BIDS 1.10) as far as it goes.

Belongs here: from rows of `curated/volumes` and `curated/series` to names, sidecars and tables. What the standard has
no name for gets one of ours, listed in `.bidsignore`. Writing files is `stages.export`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from imaging.volume import Volume
from schemas.licence import Licence
from schemas.release import ReleaseManifest

Row = Mapping[str, Any]

BIDS_VERSION = "1.10.0"

IGNORED = "card.html\nlicences/\nSHA256SUMS\n**/other/\n*_dseg.*\n"
"""Content of `.bidsignore`: what is here beyond the standard."""

PARTICIPANTS = {
    "participant_id": {"Description": "Pseudonymous person, the same in every export of this lake"},
    "age": {
        "Description": "Age in whole years at the images; n/a where it differs between them; 90 is more than 89",
        "Units": "year",
    },
    "sex": {"Description": "Patient's Sex of the images", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "split": {"Description": "Split of the release that the person is in"},
}

_ANATOMY = {
    "T1": ("anat", "T1w"),
    "T2": ("anat", "T2w"),
    "PD": ("anat", "PDw"),
    "FLAIR": ("anat", "FLAIR"),
    "MRA": ("anat", "angio"),
}
_PARTS = {"phase": "phase", "real": "real", "imaginary": "imag"}
_PLANES = ("axial", "coronal", "sagittal", "oblique")

_SECONDS = {"EchoTime": "echo_time", "InversionTime": "inversion_time", "RepetitionTime": "repetition_time"}
"""Sidecar field to series column; columns are in ms, BIDS in s."""

_OF_ONE_VOLUME = ("EchoTime", "InversionTime", "FlipAngle")
"""Facts that may differ between the volumes of one series; the series row states those of its first instance."""


def kind_of(row: Row) -> tuple[str, str]:
    """Data type folder and suffix of a volume; `other` and `MR` where BIDS has no name for it."""
    if row["kind"] == "diffusion":
        return "dwi", "dwi"
    if row["contrast"] == "BOLD" and len(row["shape"]) == 4:
        return "func", "bold"
    if row["kind"] == "static":
        return _ANATOMY.get(row["contrast"], ("other", "MR"))
    return "other", "MR"


def names(volumes: Sequence[tuple[Row, Row]]) -> dict[str, str]:
    """Path of each volume in the folder, without the ending.

    Sessions stand in the names where a person has more than one study; their numbers follow the pseudonymous study
    UIDs and say nothing of time. Volumes that would have one name are numbered as runs, in the order of their ids.

    Args:
        volumes: rows of a volume and of its series, which may be empty.

    Returns:
        Volume id to path.
    """
    studies: dict[str, set[str]] = defaultdict(set)
    for row, _ in volumes:
        studies[row["subject"]].add(row["study"])
    sessions = any(len(found) > 1 for found in studies.values())
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row, series in volumes:
        session = f"ses-{sorted(studies[row['subject']]).index(row['study']) + 1}" if sessions else ""
        folder, suffix = kind_of(row)
        place = "/".join(part for part in (f"sub-{_label(row['subject'])}", session, folder) if part)
        stem = "_".join(part for part in (f"sub-{_label(row['subject'])}", session, *_entities(row, series)) if part)
        alike[place, stem, suffix].append(row["volume"])
    found = {}
    for (place, stem, suffix), ids in alike.items():
        for run, volume in enumerate(sorted(ids), 1):
            numbered = _with_run(stem, run) if len(ids) > 1 else stem
            found[volume] = str(PurePosixPath(place, f"{numbered}_{suffix}"))
    return found


def sidecar(row: Row, series: Row, name: str) -> dict[str, Any]:
    """What is known of how a volume was acquired; what is not known is not there.

    Args:
        row: the volume's row.
        series: the series' row; empty where there is none.
        name: the file's name without its ending.
    """
    facts = {
        "Modality": "MR",
        "BodyPart": row["body_part"],
        "MagneticFieldStrength": series.get("field_strength"),
        "Manufacturer": series.get("manufacturer"),
        "ManufacturersModelName": series.get("model"),
        "SeriesDescription": series.get("description"),
        "FlipAngle": series.get("flip_angle"),
        **{field: _seconds(series.get(column)) for field, column in _SECONDS.items()},
        **_timing(row, name),
        "Contrast": row["contrast"],
        "Plane": series.get("plane"),
        "Part": row["part"],
        "Slope": row["slope"],
        "Intercept": row["intercept"],
        "MissingSlices": list(row["missing_slices"]),
        "MissingSlicesAxis": "ijk"[row["missing_axis"]] if row["missing_slices"] else None,
        "Delivery": row["delivery"],
        "Study": row["study"],
        "Series": row["series"],
        "Volume": row["volume"],
        "Licence": row["licence"],
    }
    if series.get("volumes", 1) > 1:
        facts |= dict.fromkeys(_OF_ONE_VOLUME)
    return {field: value for field, value in facts.items() if value not in (None, "", "unknown", [])}


def gradients(volume: Volume) -> dict[str, str]:
    """The `.bval` and `.bvec` files of a diffusion volume, in FSL's convention; empty for others.

    FSL counts the first voxel axis against the index where the affine has a positive determinant, as that of a
    canonical volume has, so the first component changes its sign (FSL, "What conventions do the bvecs use?"; see
    `imaging.normalize` for ours).

    Returns:
        Ending to content: one line of b-values in s/mm2; three lines of x, y, z components.
    """
    if volume.bvals is None:
        return {}
    found = {".bval": _line(volume.bvals)}
    if volume.bvecs is not None:
        sign = -1.0 if np.linalg.det(volume.affine[:3, :3]) > 0 else 1.0
        # adding zero turns a negative zero into a zero
        found[".bvec"] = "".join(_line(axis) for axis in (volume.bvecs * [sign, 1.0, 1.0] + 0.0).T)
    return found


def participants(people: Iterable[tuple[str, str, Row]]) -> str:
    """The table of persons.

    Args:
        people: subject, split and series row of each volume.
    """
    splits: dict[str, str] = {}
    stated: dict[str, dict[str, set[Any]]] = defaultdict(lambda: {"age": set(), "sex": set()})
    for subject, split, series in people:
        splits[subject] = split
        for name in ("age", "sex"):
            stated[subject][name] |= {series[name]} if series.get(name) not in (None, "") else set()
    lines = ["participant_id\tage\tsex\tsplit"]
    for subject, split in sorted(splits.items()):
        age, sex = (_only(stated[subject][name]) for name in ("age", "sex"))
        lines.append(f"sub-{_label(subject)}\t{age}\t{sex}\t{split}")
    return "\n".join(lines) + "\n"


def description(manifest: ReleaseManifest, sha256: str, licences: Iterable[Licence]) -> dict[str, Any]:
    """Content of `dataset_description.json`."""
    given = list(licences)
    return {
        "Name": manifest.name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "License": "; ".join(f"{licence.title} (licences/{licence.id}.yaml)" for licence in given),
        "Acknowledgements": "; ".join(licence.attribution for licence in given if licence.attribution),
        "GeneratedBy": [{"Name": "Larmor", "Version": version("larmor")}],
        "Release": {"Name": manifest.name, "SHA256": sha256, "Frozen": manifest.created, "Tables": manifest.tables},
        "LicencesWhenFrozen": manifest.licences,
    }


def readme(manifest: ReleaseManifest) -> str:
    """The README that the standard asks for."""
    return f"""Volumes of the release {manifest.name}, frozen {manifest.created}.

Voxels are the stored integers; slope and intercept are in each header and, exactly, in each sidecar. Axes are RAS+ and
nothing was resampled. Slices that were never received are zeros and listed in the sidecar (MissingSlices).
Gradient directions are in FSL's convention. Sessions are numbered without regard to time.
Label maps lie beside their images (_dseg.nii.gz). Volumes that BIDS has no name for are in folders named other.
The test set of the release is sealed and not here.

card.html describes the whole release, licences/ holds the terms, SHA256SUMS the digest of every file
(sha256sum --check SHA256SUMS).
"""


def _entities(row: Row, series: Row) -> Iterable[str]:
    if kind_of(row)[1] == "bold":
        yield "task-unknown"  # DICOM does not say what a person did in the scanner
    if series.get("plane") in _PLANES:
        yield f"acq-{series['plane']}"
    if row["part"] in _PARTS:
        yield f"part-{_PARTS[row['part']]}"


def _with_run(stem: str, run: int) -> str:
    """The stem with its run, which stands before the part."""
    before, mark, part = stem.partition("_part-")
    return f"{before}_run-{run}{mark}{part}"


def _timing(row: Row, name: str) -> dict[str, Any]:
    """Of a series of volumes over time, the step is the repetition time that BIDS means."""
    if not name.endswith("_bold"):
        return {}
    times = row["times"]
    step = {"RepetitionTime": round(times[-1] / (len(times) - 1), 6)} if times and len(times) > 1 else {}
    return {"TaskName": "not stated"} | step


def _seconds(milliseconds: float | None) -> float | None:
    # rounding to the microsecond undoes what binary fractions add
    return None if milliseconds is None else round(milliseconds / 1000, 6)


def _label(name: str) -> str:
    """A name as a BIDS label, which has letters and digits only."""
    return "".join(character for character in name if character.isalnum())


def _line(values: Iterable[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values) + "\n"


def _only(values: set[Any]) -> str:
    return str(next(iter(values))) if len(values) == 1 else "n/a"
