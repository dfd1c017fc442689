"""The Siemens dialect: `SIEMENS MR HEADER`, CSA headers, exports named after the patient.

Belongs here: what only Siemens writes. Meanings of private elements: pydicom's private dictionary (gdcm), creators
`SIEMENS MR HEADER` and `SIEMENS CSA HEADER`.
"""

from pathlib import PurePosixPath

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from imaging.phantom.answers import Kind, Planter
from imaging.phantom.dialects.csa import csa
from imaging.phantom.dialects.dialect import Dialect, Shot, Storage, Wording
from imaging.phantom.scan import Scan, Technique
from imaging.phantom.study import Scanner, Study
from imaging.phantom.vocabulary import BodyPart, Contrast, Plane

_CUT = {Plane.AXIAL: "tra", Plane.CORONAL: "cor", Plane.SAGITTAL: "sag"}

BANDWIDTH = 24.414
"""Bandwidth per pixel in phase-encoding direction of echo-planar series, Hz."""

_MAGNITUDE = ("ORIGINAL", "PRIMARY", "M", "ND")


def wording(study: Study, scan: Scan) -> Wording:
    """Lower case, underscores, the sequence's name first."""
    cut = _CUT[scan.plane]
    settings = scan.settings
    if scan.contrast is Contrast.DWI:
        return Wording(
            f"ep2d_diff_mddw_{len(scan.bvals) - 1}_p2_{cut}",
            f"ep2d_diff_mddw_{len(scan.bvals) - 1}_p2_{cut}",
            ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND"),
            ("EP",),
            ("SK", "SP"),
            ("PFP", "FS"),
        )
    if settings.technique is Technique.GRADIENT_ECHO:
        text, sequence, name = f"t1_fl2d_{cut}", ("GR",), "*fl2d1"
        return Wording(text, text, (*_MAGNITUDE, "NORM"), sequence, ("SP", "OSP"), (), name)
    if settings.technique is Technique.INVERSION_RECOVERY:
        text, name = f"t2_tirm_{cut}_dark-fluid", f"*tir2d1_{settings.train}"
        return Wording(text, text, (*_MAGNITUDE, "NORM"), ("SE", "IR"), ("SK", "SP", "MP"), ("PFP",), name)
    kind = "se" if settings.technique is Technique.SPIN_ECHO else "tse"
    text, name = f"{scan.contrast.lower()}_{kind}_{cut}", f"*{kind}2d1_{settings.train}"
    if scan.contrast is Contrast.T2 and study.body.part is BodyPart.HEAD:
        text = f"{text}_p2"
    return Wording(text, text, (*_MAGNITUDE, "NORM"), ("SE",), ("SK", "SP"), ("PFP",), name)


def storage(study: Study, scan: Scan) -> Storage:
    """Twelve bits, unsigned, no rescaling."""
    return Storage(12, signed=False)


def series_facts(dataset: Dataset, study: Study, scan: Scan, plant: Planter) -> None:
    """The `SIEMENS MR HEADER` blocks and the CSA headers, whose protocol text holds the patient's name."""
    columns, rows, _ = scan.grid.shape
    header = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    header.add_new(0x08, "CS", "IMAGE NUM 4")
    header.add_new(0x09, "LO", "1.0")
    header.add_new(0x0F, "SH", "Fast")
    header.add_new(0x12, "SL", [0, 0, -1085])
    if scan.settings.technique is Technique.ECHO_PLANAR:
        header.add_new(0x28, "FD", BANDWIDTH)
    text = dataset.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    text.add_new(0x08, "CS", "IMAGE NUM 4")
    text.add_new(0x0B, "SH", f"{rows}*{columns}")
    text.add_new(0x0F, "LO", "HEA;HEP" if study.body.part is BodyPart.HEAD else "KNE")
    text.add_new(0x13, "SH", "+LPH")
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    where = "(0029,1020) SIEMENS CSA HEADER"
    name = plant.text(Kind.NAME, f"{study.person.family}, {study.person.given}", where)
    record = plant.text(Kind.ID, study.person.mrn, where)
    date = plant.text(Kind.DATE, f"{study.encounter.date:%Y%m%d}", "(0029,1009) SIEMENS CSA HEADER")
    protocol = (
        f'### ASCCONV BEGIN ###\ntSequenceFileName = "%SiemensSeq%\\\\{scan.settings.technique}"\n'
        f'tPatientName = "{name}"\ntPatientID = "{record}"\nsKSpace.lBaseResolution = {columns}\n### ASCCONV END ###\n'
    )
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x09, "LO", date)
    block.add_new(0x18, "CS", "MR")
    block.add_new(0x19, "LO", date)
    block.add_new(0x20, "OB", csa({"UsedPatientWeight": ("IS", ["75"]), "MrPhoenixProtocol": ("UN", [protocol])}))


def image_facts(dataset: Dataset, study: Study, scan: Scan, shot: Shot) -> None:
    """b-value and direction, in both places where a diffusion image of this vendor has them."""
    tags: dict[str, tuple[str, list[str]]] = {
        "ImaRelTablePosition": ("IS", ["0", "0", "0"]),
        "SliceNormalVector": ("FD", [f"{x:.8f}" for x in scan.grid.normal]),
    }
    if scan.settings.technique is Technique.ECHO_PLANAR:
        tags["PhaseEncodingDirectionPositive"] = ("IS", ["1"])
        tags["BandwidthPerPixelPhaseEncode"] = ("FD", [f"{BANDWIDTH:.8f}"])
        after = shot.volume * scan.settings.tr / 1000 + scan.slice_start(shot.index)
        dataset.private_block(0x0019, "SIEMENS MR HEADER").add_new(0x16, "DS", f"{after:.4f}")
    if scan.contrast is Contrast.DWI:
        b, gradient = scan.bvals[shot.volume], scan.directions[shot.volume]
        header = dataset.private_block(0x0019, "SIEMENS MR HEADER")
        for offset in (0x0E, 0x27):
            if offset in header:
                del header[offset]
        header.add_new(0x0C, "IS", b)
        header.add_new(0x0D, "CS", "DIRECTIONAL" if b else "NONE")
        tags["B_value"] = ("IS", [str(b)])
        tags["DiffusionDirectionality"] = ("CS", ["DIRECTIONAL" if b else "NONE"])
        if b:
            direction = [float(x) for x in gradient]
            # the tensor that the scanner notes beside it: b g g', xx xy xz yy yz zz
            matrix = [b * direction[i] * direction[j] for i in range(3) for j in range(i, 3)]
            header.add_new(0x0E, "FD", direction)
            header.add_new(0x27, "FD", matrix)
            tags["DiffusionGradientDirection"] = ("FD", [f"{x:.8f}" for x in direction])
            tags["B_matrix"] = ("FD", [f"{x:.8f}" for x in matrix])
        dataset.SequenceName = f"*ep_b{b}#{shot.volume}" if b else "*ep_b0"
    dataset.private_block(0x0029, "SIEMENS CSA HEADER").add_new(0x10, "OB", csa(tags))


def path(study: Study, scan: Scan, shot: Shot, plant: Planter) -> PurePosixPath:
    """A folder for the patient, a folder for the series, files named after patient, place and date."""
    who = plant.text(Kind.NAME, f"{study.person.family}_{study.person.given}".upper(), "folder name, file name")
    when = plant.text(Kind.DATE, f"{study.encounter.date:%Y.%m.%d}", "file name")
    region = "HEAD_NEURO" if study.body.part is BodyPart.HEAD else "KNEE_ROUTINE"
    series = f"{wording(study, scan).description.upper().replace('-', '_')}_{scan.index + 2:04d}"
    name = f"{who}.MR.{region}.{scan.index + 2:04d}.{shot.number:04d}.{when}.IMA"
    return PurePosixPath(f"{who}_{study.person.ordinal:03d}", region, series, name)


DIALECT = Dialect(
    manufacturer="SIEMENS",
    body_part={BodyPart.HEAD: "HEAD", BodyPart.KNEE: "KNEE"},
    scanners=(
        Scanner("Skyra", 3.0, ("syngo MR E11",)),
        Scanner("Avanto", 1.5, ("syngo MR B17",)),
    ),
    transfer_syntax=ExplicitVRLittleEndian,
    wording=wording,
    storage=storage,
    series_facts=series_facts,
    image_facts=image_facts,
    path=path,
)
"""Siemens."""
