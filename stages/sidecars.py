"""What the files beside an exported image say: the JSON sidecar, `.bval` and `.bvec`, and the order of ASL steps.

Belongs here: from rows and volumes to the content of these files, in the words and units of BIDS. Fields that the
standard does not have are ours and let an export come back without loss (`imaging.nifti.sidecar` reads them). Nothing
here says when, where or on whom an image was taken.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from imaging.volumes.volume import Volume
from stages.export.bids import TASK, Row, stated

_SECONDS = {"EchoTime": "echo_time", "InversionTime": "inversion_time", "RepetitionTime": "repetition_time"}
"""Sidecar field to column; columns are in ms, BIDS in s."""

_EMPTY: tuple[Any, ...] = (None, "", "unknown", [])
_ASL = ("control", "label", "m0scan", "deltam", "cbf")
"""Kinds of steps that `aslcontext.tsv` may list."""


def sidecar(row: Row, series: Row, name: str, echoes: tuple[float, float] | None = None) -> dict[str, Any]:
    """What is known of how a volume was acquired; what is not known is not there.

    Args:
        row: the volume's row.
        series: the series' row; empty where there is none.
        name: the file's name without its ending.
        echoes: EchoTime1 and EchoTime2 in ms, for a phase difference.
    """
    suffix = name.rpartition("_")[2]
    facts = {
        "Modality": "MR",
        "BodyPart": row["body_part"],
        "MagneticFieldStrength": series.get("field_strength"),
        "Manufacturer": series.get("manufacturer"),
        "ManufacturersModelName": series.get("model"),
        "SeriesDescription": series.get("description"),
        "MRAcquisitionType": series.get("dimensions"),
        "Units": "arbitrary" if row["part"] == "phase" else None,
        "FlipAngle": stated(row, series, "flip_angle") or None,
        **{field: _seconds(_times_of(row, series, column)) for field, column in _SECONDS.items()},
        **_encoding(row),
        **_functional(row, series, suffix),
        **({f"EchoTime{n}": _seconds(echo) for n, echo in enumerate(echoes, 1)} if echoes else {}),
        **_own(row, series),
    }
    known = {field: value for field, value in facts.items() if value not in _EMPTY}
    # DICOM does not say what a person did in the scanner, and the standard wants it said
    return known | ({"TaskName": TASK} if suffix == "bold" else {})


def gradients(volume: Volume) -> dict[str, str]:
    """The `.bval` and `.bvec` files of a diffusion volume, in FSL's convention; empty for others.

    FSL counts the first voxel axis against the index where the affine has a positive determinant, as that of a
    canonical volume has, so the first component changes its sign (FSL, "What conventions do the bvecs use?"; see
    `imaging.volumes.normalize` for ours).

    Returns:
        Ending to content: one line of b-values in s/mm2; three lines of x, y, z components. Numbers are as long as it
        takes to read the same ones back.
    """
    if volume.bvals is None:
        return {}
    found = {".bval": _line(volume.bvals)}
    if volume.bvecs is not None:
        sign = -1.0 if np.linalg.det(volume.affine[:3, :3]) > 0 else 1.0
        # adding zero turns a negative zero into a zero
        found[".bvec"] = "".join(_line(axis) for axis in (volume.bvecs * [sign, 1.0, 1.0] + 0.0).T)
    return found


def asl_context(row: Row) -> str | None:
    """Content of `aslcontext.tsv`; None where the volume is no arterial spin labelling in a known order."""
    kinds = row.get("step_kinds") or []
    if not set(kinds) & {"control", "label"} or set(kinds) - set(_ASL):
        return None
    return "\n".join(["volume_type", *kinds]) + "\n"


def time_step(row: Row, series: Row) -> float | None:
    """Seconds from one volume of a functional series to the next, for sidecar and header alike.

    Where the times of the steps are not stated, the repetition time is taken, which is the same for all but segmented
    acquisitions.
    """
    times = row.get("times")
    if times and len(times) > 1:
        return round(float(times[-1] - times[0]) / (len(times) - 1), 6)
    return _seconds(stated(row, series, "repetition_time") or series.get("repetition_time"))


def label_facts(row: Mapping[str, Any], image: str) -> dict[str, Any]:
    """The sidecar of a label map.

    Args:
        row: its row of `curated/labels`.
        image: path of its image in the dataset.
    """
    return {
        "Task": row["task"],
        "Sources": [f"bids:raw:{image}"],
        "SpatialReference": f"bids:raw:{image}",
        "Provenance": row["provenance"],
    }


def label_table(scheme: Mapping[str, str]) -> str:
    """The table of a label map's values (`_dseg.tsv`)."""
    rows = (f"{value}\t{_cell(name)}" for value, name in sorted(scheme.items(), key=lambda item: int(item[0])))
    return "\n".join(["index\tname", *rows]) + "\n"


def _times_of(row: Row, series: Row, column: str) -> float | None:
    # the repetition time is that of a whole series, whatever volumes it gave
    return stated(row, series, column) or (series.get(column) if column == "repetition_time" else None)


def _encoding(row: Row) -> dict[str, Any]:
    """Slice timing and phase encoding, along the voxel axes of the file."""
    axis = row.get("slice_axis")
    return {
        "PhaseEncodingDirection": row.get("phase_encoding"),
        "TotalReadoutTime": row.get("readout_time"),
        "SliceTiming": row.get("slice_times"),
        "SliceEncodingDirection": None if axis is None else "ijk"[axis],
    }


def _functional(row: Row, series: Row, suffix: str) -> dict[str, Any]:
    """Of a series of volumes over time, the step is the repetition time that BIDS means."""
    if suffix != "bold":
        return {}
    step = time_step(row, series)
    found: dict[str, Any] = {}
    if step:
        # the standard's word for the repetition time of DICOM, where another stands in its place
        excitation = _seconds(_times_of(row, series, "repetition_time"))
        found |= {"RepetitionTime": step, "RepetitionTimeExcitation": excitation}
    times = row.get("slice_times")
    if times and step and max(times) > step:
        # the standard forbids a slice later than the next volume
        found |= {"SliceTiming": None, "SliceTimes": times}
    return found


def _own(row: Row, series: Row) -> dict[str, Any]:
    """Fields of ours: what the standard has no word for, and numbers as exact as the lake has them."""
    return {
        "Contrast": row["contrast"],
        "Plane": series.get("plane"),
        "Part": row["part"],
        "Kind": row["kind"],
        "ContrastAgent": series.get("contrast_agent"),
        "FatSuppression": series.get("fat_suppression"),
        "Chemistry": row.get("chemistry"),
        "Coil": row.get("coil"),
        "StepKinds": row.get("step_kinds"),
        "Affine": list(row["affine"]),
        "Slope": row["slope"],
        "Intercept": row["intercept"],
        "Times": row.get("times"),
        "MissingSlices": list(row["missing_slices"]),
        "MissingSlicesAxis": "ijk"[row["missing_axis"]] if row["missing_slices"] else None,
        "Delivery": row["delivery"],
        "Study": row["study"],
        "Series": row["series"],
        "Volume": row["volume"],
        "Licence": row["licence"],
    }


def _seconds(milliseconds: float | None) -> float | None:
    # rounding to the nanosecond undoes what binary fractions add
    return None if milliseconds is None else round(float(milliseconds) / 1000, 9)


def _line(values: Iterable[float]) -> str:
    return " ".join(_number(float(value)) for value in values) + "\n"


def _number(value: float) -> str:
    """The shortest text that reads as the same number."""
    return repr(value).removesuffix(".0")


def _cell(text: str) -> str:
    return " ".join(text.split())
