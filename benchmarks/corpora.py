"""Files to measure speed on.

Belongs here: two sets. `classic` is made and the same everywhere; `mixed` takes the real files beside the project, if
there are any, and adds objects of other kinds.
"""

import datetime as dt
from pathlib import Path

import numpy as np
from pydicom.sequence import Sequence

from benchmarks.traps import carriers, files, objects
from benchmarks.traps.key import answer_key
from benchmarks.traps.mint import Mint
from benchmarks.traps.plant import Plant
from benchmarks.traps.vendors import csa

PATIENTS, STUDIES, SERIES, IMAGES, MATRIX = 5, 2, 2, 25, 256
REAL = Path(__file__).parent.parent.parent / "shared" / "data"
MOST_REAL = 240
"""Real files taken at even steps, so that a round takes seconds."""
_LEFT_OUT = frozenset({"encapsulated PDF", "DICOMDIR"})

_DAYS = (
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "InstanceCreationDate",
    "PerformedProcedureStepStartDate",
)
_WORDS = (
    "InstitutionAddress", "InstitutionalDepartmentName", "ReferringPhysicianName", "PerformingPhysicianName",
    "OperatorsName", "DeviceSerialNumber", "ImageComments", "PatientComments", "PatientAddress",
    "PerformedProcedureStepDescription", "PerformedProcedureStepID", "RequestedProcedureDescription",
    "RequestingPhysician", "AdmissionID",
)  # fmt: skip
"""With these a file has about 122 elements at the top and 143 in all, as the vendors' have."""

Files = dict[str, bytes]


def classic() -> Files:
    """Five patients with two studies of two series of 25 images, as a scanner writes them: 500 files."""
    made, mint = {}, Mint(23)
    with files.lenient():
        for patient in range(PATIENTS):
            for study in range(STUDIES):
                for series in range(SERIES):
                    made.update(_series(mint, patient, study, series))
    return made


def _series(mint: Mint, patient: int, study: int, series: int) -> Files:
    made: Files = {}
    day = (dt.date(2021, 3, 5) + dt.timedelta(patient + 20 * study)).strftime("%Y%m%d")
    uids = (mint.uid(), mint.uid(), f"1.2.826.0.1.3680043.9.77771.1.{patient}.{study}", mint.uid())
    plant = Plant("", mint, objects.mr(uids))
    carriers.person(plant)
    image = plant.dataset
    image.PatientID, image.PatientName, image.PatientBirthDate = (
        f"P-{patient}",
        f"Vandelquist{patient}^Jane",
        "19620714",
    )
    for keyword in _WORDS:
        plant.put(keyword, "listed text")
    for keyword in _DAYS:
        setattr(image, keyword, day)
    for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName"):
        setattr(image, keyword, ("t1_mprage_sag_p2_iso", "ep2d_diff_b1000_p2")[series])
    image.ReferencedImageSequence = Sequence(objects.reference(objects.MR, mint.uid()) for _ in range(6))
    image.RequestAttributesSequence = Sequence([objects.item(RequestedProcedureID="R1", ScheduledProcedureStepID="S1")])
    objects.pixels(image, MATRIX)
    protocol = "\n".join(f"sSliceArray.asSlice[{n // 8}].sPosition.dTra\t = \t{n / 7:.6f}" for n in range(700))
    blob = csa({"MrPhoenixProtocol": [protocol], "Isocentered": ["1"]})
    pixels = np.frombuffer(image.PixelData, "<u2")
    for number in range(IMAGES):
        image.SOPInstanceUID, image.InstanceNumber = mint.uid(), str(number + 1)
        image.ImagePositionPatient, image.SliceLocation = (
            ["-120", "-110.5", f"{3.25 * number:.2f}"],
            f"{3.25 * number:.2f}",
        )
        image.AcquisitionTime = f"10{number:02d}30.125000"
        image.PixelData = np.roll(pixels, number).tobytes()
        image["PixelData"].VR = "OW"
        _private(plant, number, blob)
        name = f"north~{patient}{study}{series}{number:02d}"
        made[name] = files.written(image)
    return made


def _private(plant: Plant, number: int, blob: bytes) -> None:
    image = {
        "B_value": ["1000"], "DiffusionDirectionality": ["DIRECTIONAL"], "NumberOfImagesInMosaic": ["36"],
        "DiffusionGradientDirection": ["0.6", "0.0", "0.8"], "BandwidthPerPixelPhaseEncode": ["17.361"],
        "MosaicRefAcqTimes": [f"{52.5 * ((7 * n) % 36):.3f}" for n in range(36)], "ICE_Dims": [f"1_1_1_1_{number}"],
        "SliceNormalVector": ["0.0", "0.0", "1.0"], "ImaCoilString": ["HEA;HEP"], "UsedPatientWeight": ["61"],
    } | {f"Parameter{n}": [f"{n * 1.5:.3f}"] for n in range(60)}  # fmt: skip
    plant.private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "1000")
    plant.private(0x0019, "SIEMENS MR HEADER", 0x0E, "FD", [0.6, 0.0, 0.8])
    plant.private(0x0019, "SIEMENS MR HEADER", 0x15, "FD", [0.0, 1.5, 3.25 * number])
    plant.private(0x0019, "SIEMENS MR HEADER", 0x16, "DS", f"{2.5 * number:.2f}")
    plant.private(0x0029, "SIEMENS CSA HEADER", 0x08, "CS", "IMAGE NUM 4")
    plant.private(0x0029, "SIEMENS CSA HEADER", 0x10, "OB", csa(image))
    plant.private(0x0029, "SIEMENS CSA HEADER", 0x18, "CS", "MR")
    plant.private(0x0029, "SIEMENS CSA HEADER", 0x20, "OB", blob)
    plant.private(0x0051, "SIEMENS MR HEADER", 0x0F, "LO", "HEA;HEP")


def mixed() -> Files:
    """Real files of several vendors and transfer syntaxes, with the key's objects of every kind."""
    real = [path for path in sorted(REAL.rglob("*")) if path.is_file() and _is_dicom(path)] if REAL.is_dir() else []
    steps = max(1, len(real) // MOST_REAL)
    made = {f"north~real {n}": path.read_bytes() for n, path in enumerate(real[::steps])}
    # files of a set with few members are taken whole: enhanced objects and the compressed ones
    made |= {f"north~few {path.name}": path.read_bytes() for path in real if "dcm_qa_nih" not in path.parts}
    return made | {f"north~{name}": data for name, data in answer_key().files.items() if name not in _LEFT_OUT}


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
