"""The Philips dialect: standard diffusion elements, `Philips Imaging DD 001`, two kinds of scaling, plain file names.

Belongs here: what only Philips writes. Meanings of private elements: pydicom's private dictionary (gdcm), creators
`Philips Imaging DD 001` and `Philips MR Imaging DD 001`; the private scale slope, which it calls unknown, is explained
by Chenevert et al., Transl. Oncol. 7 (2014) 65-71: true signal = (stored RS + RI) / (RS SS).
"""

from pathlib import PurePosixPath

from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from imaging.phantom.answers import Kind, Planter
from imaging.phantom.dialects.dialect import Dialect, Shot, Storage, Wording
from imaging.phantom.scan import Scan, Technique
from imaging.phantom.seeds import digest
from imaging.phantom.study import Scanner, Study
from imaging.phantom.vocabulary import BodyPart, Contrast, Plane

_CUT = {Plane.AXIAL: "TRA", Plane.CORONAL: "COR", Plane.SAGITTAL: "SAG"}
_ORIENTATION = {Plane.AXIAL: "TRANSVERSAL", Plane.CORONAL: "CORONAL", Plane.SAGITTAL: "SAGITTAL"}
_SPIN_ECHO = ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE")


def wording(study: Study, scan: Scan) -> Wording:
    """Contrast with a W, technique, then the plane."""
    cut = _CUT[scan.plane]
    technique = scan.settings.technique
    if scan.contrast is Contrast.DWI:
        text = f"DTI_{len(scan.bvals) - 1}dir_low SENSE"
        return Wording(text, f"WIP {text}", _SPIN_ECHO, ("SE",), ("SK",), ("FC", "PFF", "SPIR"), "DwiSE")
    if technique is Technique.INVERSION_RECOVERY:
        kind = ("ORIGINAL", "PRIMARY", "M_IR", "M", "IR")
        return Wording("FLAIR_longTR", "WIP FLAIR_longTR", kind, ("IR",), ("SK", "MP"), ("FC",), "TIR")
    word = "SE" if technique is Technique.SPIN_ECHO else "TSE"
    text = f"{scan.contrast}W_{word} {cut}"
    return Wording(text, f"WIP {text}", _SPIN_ECHO, ("SE",), ("SK",), ("FC",), word)


def storage(study: Study, scan: Scan) -> Storage:
    """Twelve bits, unsigned, with a rescale slope that differs from series to series."""
    lot = digest(study.config.seed, "slope", study.ordinal, scan.index)[0]
    return Storage(12, signed=False, slope=round(0.4 + lot / 128, 5), true_slope=1 / _scale_slope(study, scan))


def _scale_slope(study: Study, scan: Scan) -> float:
    lot = digest(study.config.seed, "scale", study.ordinal, scan.index)[0]
    return round(0.004 + lot / 40000, 6)


def series_facts(dataset: Dataset, study: Study, scan: Scan, plant: Planter) -> None:
    """Orientation, scaling, and the examination card, which is named after the patient."""
    imaging = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    imaging.add_new(0x03, "FL", 0.0)
    imaging.add_new(0x04, "CS", "I" if scan.contrast is Contrast.DWI else "N")
    imaging.add_new(0x0B, "CS", _ORIENTATION[scan.plane])
    imaging.add_new(0x18, "SL", scan.grid.shape[2])
    card = plant.text(Kind.NAME, f"{study.person.family} {study.body.part.value}", "(2001,10C8) Philips Imaging DD 001")
    imaging.add_new(0xC8, "LO", card)
    private = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    private.add_new(0x0D, "FL", 0.0)
    private.add_new(0x0E, "FL", _scale_slope(study, scan))
    dataset.SeriesNumber = (scan.index + 2) * 100 + 1


def image_facts(dataset: Dataset, study: Study, scan: Scan, shot: Shot) -> None:
    """Slice number, and for diffusion the b-value and direction in standard and in private elements."""
    imaging = dataset.private_block(0x2001, "Philips Imaging DD 001")
    imaging.add_new(0x0A, "IS", shot.index + 1)
    if scan.contrast is not Contrast.DWI:
        return
    b, gradient = scan.bvals[shot.volume], [float(x) for x in scan.directions[shot.volume]]
    imaging.add_new(0x03, "FL", float(b))
    imaging.add_new(0x04, "CS", "O" if b else "I")
    dataset.DiffusionBValue = float(b)
    dataset.DiffusionDirectionality = "DIRECTIONAL" if b else "NONE"
    dataset.DiffusionGradientOrientation = gradient
    dataset.TemporalPositionIdentifier = 1
    private = dataset.private_block(0x2005, "Philips MR Imaging DD 001")
    for offset, value in zip((0xB0, 0xB1, 0xB2), gradient, strict=True):
        private.add_new(offset, "FL", value)


def path(study: Study, scan: Scan, shot: Shot, plant: Planter) -> PurePosixPath:
    """Media export: numbers only, no extension."""
    image = 100_000 * scan.index + shot.number
    return PurePosixPath("DICOM", f"PA{study.ordinal:06d}", f"ST{study.config.visit:06d}", f"IM_{image:06d}")


DIALECT = Dialect(
    manufacturer="Philips Medical Systems",
    body_part={BodyPart.HEAD: "HEAD", BodyPart.KNEE: "KNEE"},
    scanners=(
        Scanner("Ingenia", 3.0, ("5.3.1", "5.3.1.0")),
        Scanner("Achieva", 1.5, ("3.2.3", "3.2.3.1")),
    ),
    transfer_syntax=ImplicitVRLittleEndian,
    wording=wording,
    storage=storage,
    series_facts=series_facts,
    image_facts=image_facts,
    path=path,
)
"""Philips."""
