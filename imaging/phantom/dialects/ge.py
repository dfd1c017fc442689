"""The GE dialect: `GEMS_*` blocks, the b-value among leftover integers, gradients in the image's own axes.

Belongs here: what only GE writes. Meanings of private elements: pydicom's private dictionary (gdcm), creators
`GEMS_IDEN_01`, `GEMS_ACQU_01` and `GEMS_PARM_01`, except for diffusion, which it does not know: where b-value and
directions stand and in which axes they count is what dcm2niix reads back as the truth (a test holds it to that).
"""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from imaging.phantom.answers import Kind, Planter
from imaging.phantom.dialects.dialect import Dialect, Shot, Storage, Wording
from imaging.phantom.scan import Grid, Scan, Technique
from imaging.phantom.study import Scanner, Study
from imaging.phantom.vocabulary import BodyPart, Contrast, Plane

_CUT = {Plane.AXIAL: "Ax", Plane.CORONAL: "Cor", Plane.SAGITTAL: "Sag"}
_ORIGINAL = ("ORIGINAL", "PRIMARY", "OTHER")

ECHO_SPACING = 636
"""Effective echo spacing of echo-planar series in us."""

BIG_B = 1_000_000_000
"""Some software adds this to the b-value; readers must take it off."""


def wording(study: Study, scan: Scan) -> Wording:
    """Plane, contrast, sequence, in mixed case."""
    cut = _CUT[scan.plane]
    technique = scan.settings.technique
    if scan.contrast is Contrast.DWI:
        count = len(scan.bvals) - 1
        options = ("EPI_GEMS", "PFF")
        return Wording(f"{cut} DTI {count} dir", "Brain DTI", _ORIGINAL, ("EP", "SE"), ("NONE",), options)
    protocol = "Routine Brain" if study.body.part is BodyPart.HEAD else "Knee Protocol"
    if technique is Technique.INVERSION_RECOVERY:
        return Wording(f"{cut} T2 FLAIR", protocol, _ORIGINAL, ("SE", "IR"), ("SK",), ("FAST_GEMS", "NPW"))
    if technique is Technique.TURBO_SPIN_ECHO:
        return Wording(f"{cut} {scan.contrast} FSE", protocol, _ORIGINAL, ("SE",), ("SK",), ("FAST_GEMS", "FC"))
    return Wording(f"{cut} {scan.contrast} SE", protocol, _ORIGINAL, ("SE",), ("NONE",), ("NPW",))


def storage(study: Study, scan: Scan) -> Storage:
    """Sixteen bits, signed, no rescaling."""
    return Storage(16, signed=True)


def in_image_axes(direction: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """(3,) a gradient as GE writes it: in the image's axes, in the sense of right, anterior, superior.

    Args:
        direction: (3,) unit vector in LPS axes.
        grid: the series' grid; phase encoding must run along columns (COL).
    """
    return np.array([-(direction @ grid.row), -(direction @ grid.column), direction @ grid.normal])


def series_facts(dataset: Dataset, study: Study, scan: Scan, plant: Planter) -> None:
    """Identification with the hospital's suite, sequence names, and a block of bytes that nobody documents."""
    suite = plant.text(Kind.INSTITUTION, study.encounter.station[2:], "(0009,1002) GEMS_IDEN_01")
    service = plant.text(Kind.DEVICE, study.encounter.serial, "(0009,1030) GEMS_IDEN_01")
    identification = dataset.private_block(0x0009, "GEMS_IDEN_01", create=True)
    identification.add_new(0x02, "SH", suite)
    identification.add_new(0x04, "SH", "SIGNA")
    identification.add_new(0x30, "SH", service)
    technique = scan.settings.technique
    internal = {"epi": "EPI2", "se": "SE"}.get(technique.value, "FSE")
    acquisition = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    acquisition.add_new(0x9C, "LO", internal.lower())
    acquisition.add_new(0x9E, "LO", internal)
    if scan.contrast is Contrast.DWI:
        acquisition.add_new(0xE0, "DS", len(scan.bvals) - 1)
    parameters = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    text = plant.text(Kind.NAME, f"{study.person.family} {study.person.given}", "(0043,102A) GEMS_PARM_01")
    record = plant.text(Kind.ID, study.person.mrn, "(0043,102A) GEMS_PARM_01")
    parameters.add_new(0x2A, "OB", f"rhuser\0{text}\0{record}".encode().ljust(96, b"\0"))
    if technique is Technique.ECHO_PLANAR:
        dataset.RectilinearPhaseEncodeReordering = "REVERSE_LINEAR"
        parameters.add_new(0x2C, "SS", ECHO_SPACING)
        parameters.add_new(0x83, "DS", ["0.5", "1"])
    parameters.add_new(0x2F, "SS", 0)
    parameters.add_new(0x8A, "CS", "COL")
    dataset.PatientPosition = "HFS" if study.body.part is BodyPart.HEAD else "FFS"


def image_facts(dataset: Dataset, study: Study, scan: Scan, shot: Shot) -> None:
    """b-value and direction; the latter relative to the image, not to the patient."""
    b = scan.bvals[shot.volume]
    direction = in_image_axes(scan.directions[shot.volume], scan.grid)
    acquisition = dataset.private_block(0x0019, "GEMS_ACQU_01")
    for offset, value in zip((0xBB, 0xBC, 0xBD), direction, strict=True):
        acquisition.add_new(offset, "DS", f"{value + 0.0:.6f}")
    marked = b + BIG_B if b and study.sometimes("big b", 2) else b
    dataset.private_block(0x0043, "GEMS_PARM_01").add_new(0x39, "IS", [marked, 8 if b else 0, 0, 0])


def path(study: Study, scan: Scan, shot: Shot, plant: Planter) -> PurePosixPath:
    """A folder for the patient with record number, one for the examination with its date, one for the series."""
    who = plant.text(Kind.NAME, f"{study.person.family} {study.person.given}", "folder name")
    record = plant.text(Kind.ID, study.person.mrn, "folder name")
    when = plant.text(Kind.DATE, f"{study.encounter.date:%Y-%m-%d}", "folder name")
    region = "BRAIN" if study.body.part is BodyPart.HEAD else "KNEE"
    description = wording(study, scan).description
    return PurePosixPath(
        f"{who} {record}", f"{when} MR {region}", f"S{scan.index + 2:03d} {description}", f"I{shot.number:04d}.dcm"
    )


DIALECT = Dialect(
    manufacturer="GE MEDICAL SYSTEMS",
    body_part={BodyPart.HEAD: "BRAIN", BodyPart.KNEE: "KNEE"},
    scanners=(
        Scanner("DISCOVERY MR750", 3.0, ("27", "LX", "MR Software release:DV26.0_R01_1725.a")),
        Scanner("SIGNA HDxt", 1.5, ("15", "LX", "MR Software release:HD16.0_V02_1131.a")),
    ),
    transfer_syntax=ExplicitVRLittleEndian,
    wording=wording,
    storage=storage,
    series_facts=series_facts,
    image_facts=image_facts,
    path=path,
)
"""GE."""
