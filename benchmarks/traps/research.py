"""What research needs of a header, and whether an output still has it.

Belongs here: attributes, their values, and the comparison. An attribute is kept if its value is equal as a number, or
as text where it is text; one that is there with another value is lost.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

STANDARD: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "Modality": "MR",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Prisma_fit",
    "SoftwareVersions": "syngo MR E11",
    "StudyDescription": "BRAIN WITHOUT CONTRAST",
    "SeriesDescription": "ep2d_diff_b1000_p2",
    "ProtocolName": "ep2d_diff_b1000_p2",
    "SequenceName": "*ep_b1000#1",
    "BodyPartExamined": "BRAIN",
    "PatientSex": "F",
    "PatientAge": "042Y",
    "PatientWeight": "61.5",
    "PatientSize": "1.68",
    "PatientPosition": "HFS",
    "ScanningSequence": "EP",
    "SequenceVariant": ["SK", "SP"],
    "ScanOptions": ["PFP", "FS"],
    "MRAcquisitionType": "2D",
    "AngioFlag": "N",
    "SliceThickness": "2.0",
    "SpacingBetweenSlices": "2.2",
    "RepetitionTime": "8200",
    "EchoTime": "86.5",
    "InversionTime": "2500",
    "NumberOfAverages": "1",
    "ImagingFrequency": "123.25",
    "ImagedNucleus": "1H",
    "EchoNumbers": "1",
    "MagneticFieldStrength": "3",
    "NumberOfPhaseEncodingSteps": "96",
    "EchoTrainLength": "1",
    "PercentSampling": "100",
    "PercentPhaseFieldOfView": "100",
    "PixelBandwidth": "1775",
    "TriggerTime": "12.5",
    "HeartRate": "60",
    "ReconstructionDiameter": "240",
    "ReceiveCoilName": "HeadNeck_20",
    "TransmitCoilName": "Body",
    "AcquisitionMatrix": [120, 0, 0, 120],
    "InPlanePhaseEncodingDirection": "COL",
    "FlipAngle": "90",
    "VariableFlipAngleFlag": "N",
    "SAR": "0.4",
    "dBdt": "0",
    "B1rms": 1.5,
    "ContrastBolusAgent": "Gadobutrol",
    "ContrastBolusVolume": "7.5",
    "SeriesNumber": "7",
    "AcquisitionNumber": "1",
    "InstanceNumber": "12",
    "ImagePositionPatient": ["-1.5", "2", "3.25"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "SliceLocation": "3.25",
    "TemporalPositionIdentifier": "1",
    "NumberOfTemporalPositions": "2",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 32,
    "Columns": 32,
    "PixelSpacing": ["2", "2"],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "WindowCenter": "400",
    "WindowWidth": "800",
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "US",
    "DiffusionBValue": 1000.0,
    "DiffusionGradientOrientation": [0.6, 0.0, 0.8],
}
"""Values of a diffusion image at the top level of a classic MR object."""

Path = tuple[str | tuple[int, str, int], ...]
"""Keywords from the top, through first items of sequences, or (group, private creator, offset)."""


@dataclass(frozen=True)
class Expected:
    """An attribute that a file must still have."""

    file: str
    name: str
    path: Path
    value: Any


def private(vendor: str) -> list[tuple[int, str, int, str, Any, str]]:
    """Diffusion and timing values of a vendor: group, creator, offset, value representation, value, what it is."""
    return {
        "siemens": [
            (0x0019, "SIEMENS MR HEADER", 0x0A, "US", 36, "images in mosaic"),
            (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "1000", "b-value"),
            (0x0019, "SIEMENS MR HEADER", 0x0E, "FD", [0.6, 0.0, 0.8], "diffusion direction"),
            (0x0019, "SIEMENS MR HEADER", 0x27, "FD", [360.0, 0.0, 480.0, 0.0, 0.0, 640.0], "b-matrix"),
            (0x0019, "SIEMENS MR HEADER", 0x28, "FD", 17.361, "bandwidth in phase-encoding direction"),
            (0x0019, "SIEMENS MR HEADER", 0x29, "FD", [0.0, 1207.5, 105.0, 1312.5], "slice timing"),
        ],
        "ge": [
            (0x0043, "GEMS_PARM_01", 0x39, "IS", [1000000800, 8, 0, 0], "b-value"),
            (0x0019, "GEMS_ACQU_01", 0xBB, "DS", "0.6", "diffusion direction x"),
            (0x0019, "GEMS_ACQU_01", 0xBC, "DS", "0", "diffusion direction y"),
            (0x0019, "GEMS_ACQU_01", 0xBD, "DS", "0.8", "diffusion direction z"),
            (0x0043, "GEMS_PARM_01", 0x2C, "SS", 640, "effective echo spacing"),
        ],
        "philips": [
            (0x2001, "Philips Imaging DD 001", 0x03, "FL", 800.0, "b-value"),
            (0x2005, "Philips MR Imaging DD 001", 0xB0, "FL", 0.5, "diffusion direction right-left"),
            (0x2005, "Philips MR Imaging DD 001", 0xB1, "FL", 0.25, "diffusion direction anterior-posterior"),
            (0x2005, "Philips MR Imaging DD 001", 0xB2, "FL", 0.75, "diffusion direction feet-head"),
            (0x2005, "Philips MR Imaging DD 001", 0x0E, "FL", 0.0125, "scale slope"),
            (0x2001, "Philips Imaging DD 001", 0x22, "FL", 12.5, "water-fat shift"),
        ],
        "uih": [
            (0x0065, "Image Private Header", 0x09, "FD", 1000.0, "b-value"),
            (0x0065, "Image Private Header", 0x37, "FD", [0.6, 0.0, 0.8], "diffusion direction"),
            (0x0065, "Image Private Header", 0x50, "DS", "36", "images in mosaic"),
        ],
        "canon": [
            (0x700D, "TOSHIBA_MEC_MR3", 0x00, "DS", "1.5", "intensity scale"),
        ],
    }[vendor]  # fmt: skip


CSA: dict[str, list[str]] = {
    "B_value": ["1000"],
    "DiffusionGradientDirection": ["0.60000000", "0.00000000", "0.80000000"],
    "B_matrix": ["360", "0", "480", "0", "0", "640"],
    "BandwidthPerPixelPhaseEncode": ["17.361"],
    "MosaicRefAcqTimes": ["0.0", "1207.5", "105.0", "1312.5"],
    "NumberOfImagesInMosaic": ["4"],
    "SliceNormalVector": ["0.0", "0.0", "1.0"],
}
"""The same facts in a Siemens CSA image header, where older scanners have them and nowhere else."""

ENHANCED: dict[str, tuple[Path, Any]] = {
    "b-value of a frame": (("PerFrameFunctionalGroupsSequence", "MRDiffusionSequence", "DiffusionBValue"), 0.0),
    "echo time": (("SharedFunctionalGroupsSequence", "MREchoSequence", "EffectiveEchoTime"), 86.5),
    "repetition time": (
        ("SharedFunctionalGroupsSequence", "MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        8200.0,
    ),
    "pixel spacing": (("SharedFunctionalGroupsSequence", "PixelMeasuresSequence", "PixelSpacing"), [2.0, 2.0]),
    "position of a frame": (
        ("PerFrameFunctionalGroupsSequence", "PlanePositionSequence", "ImagePositionPatient"),
        [-1.5, 2.0, 0.0],
    ),
    "slope of a frame": (
        ("PerFrameFunctionalGroupsSequence", "PixelValueTransformationSequence", "RescaleSlope"),
        1.25,
    ),
}
"""First frame of `benchmarks.traps.objects.enhanced`."""


def lost(expected: list[Expected], outputs: Mapping[str, bytes]) -> list[Expected]:
    """The attributes that an output no longer has with an equal value; those of a missing file are lost too."""
    read: dict[str, Dataset | None] = {name: _read(data) for name, data in outputs.items()}
    return [e for e in expected if (file := read.get(e.file)) is None or not same(_value(file, e.path), e.value)]


def _read(data: bytes) -> Dataset | None:
    try:
        return dcmread(io.BytesIO(data))
    except Exception:  # whatever a tool wrote that cannot be read has kept nothing
        return None


def _value(dataset: Dataset, path: Path) -> Any:
    try:
        for step in path:
            if not isinstance(step, str):
                group, creator, offset = step
                return dataset.private_block(group, creator)[offset].value
            value = dataset[step].value
            if step is path[-1]:
                return value
            dataset = value[0]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return None


def same(found: Any, wanted: Any) -> bool:
    """Whether two values are equal as numbers, or as text."""
    ours, theirs = _parts(found), _parts(wanted)
    if len(ours) != len(theirs):
        return False
    for convert in (_numbers, _texts):
        left, right = convert(ours), convert(theirs)
        if left is not None and right is not None:
            return bool(left == right)
    return False


def _parts(value: Any) -> list[Any]:
    if value is None:
        return [None]
    return list(value) if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__") else [value]


def _numbers(parts: list[Any]) -> list[float] | None:
    number: Callable[[Any], float] = lambda part: round(float(part), 6)  # noqa: E731
    try:
        return [number(part) for part in parts]
    except (TypeError, ValueError):
        return None


def _texts(parts: list[Any]) -> list[str] | None:
    return [" ".join(str(part).split()) for part in parts] if None not in parts else None
