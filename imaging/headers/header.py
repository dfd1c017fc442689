"""What one DICOM instance says of itself, as far as grouping, geometry, classification and normalization need it.

Belongs here: the names, units and meaning of what is read. How it is read is `imaging.headers.reading`. Positions and
directions are DICOM's LPS millimetres. Nothing here names the patient.
"""

from dataclasses import dataclass
from typing import Any

from imaging.headers.philips import PhilipsNumbers
from imaging.headers.scanned import NOTHING, Scanned

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"
LEGACY_CONVERTED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.4"

Vector = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Header:
    """One instance.

    Text is empty, a tuple is empty and a number is None where the element is absent or empty.
    """

    @classmethod
    def of(cls, every: dict[str, Any]) -> "Header":
        """A header of all its fields at once: the constructor sets sixty one by one, which takes ten times as long.

        Args:
            every: all fields; the header's from then on.
        """
        header = cls.__new__(cls)
        object.__setattr__(header, "__dict__", every)
        return header

    study_uid: str = ""
    """Study Instance UID (0020,000D)."""
    series_uid: str = ""
    """Series Instance UID (0020,000E)."""
    sop_uid: str = ""
    """SOP Instance UID (0008,0018)."""
    sop_class: str = ""
    """SOP Class UID (0008,0016)."""
    transfer_syntax: str = ""
    """Transfer Syntax UID (0002,0010)."""
    modality: str = ""
    """Modality (0008,0060)."""
    manufacturer: str = ""
    """Manufacturer (0008,0070)."""
    model: str = ""
    """Manufacturer's Model Name (0008,1090)."""
    field_strength: float | None = None
    """Magnetic Field Strength (0018,0087), tesla."""
    image_type: tuple[str, ...] = ()
    """Image Type (0008,0008), upper case."""
    component: str = ""
    """Complex Image Component (0008,9208), or GE's raw data type in the same words; upper case."""
    series_description: str = ""
    """Series Description (0008,103E)."""
    protocol_name: str = ""
    """Protocol Name (0018,1030)."""
    sequence_name: str = ""
    """Sequence Name (0018,0024), Pulse Sequence Name (0018,9005), or GE's Internal Pulse Sequence Name."""
    scanning_sequence: tuple[str, ...] = ()
    """Scanning Sequence (0018,0020): SE, IR, GR, EP, RM."""
    sequence_variant: tuple[str, ...] = ()
    """Sequence Variant (0018,0021): SK, MTC, SS, TRSS, SP, MP, OSP."""
    scan_options: tuple[str, ...] = ()
    """Scan Options (0018,0022)."""
    spectral: tuple[str, ...] = ()
    """SUPPRESS_ with Spectrally Selected Suppression (0018,9025), EXCITE_ with Excitation (0018,9026)."""
    acquisition_contrast: tuple[str, ...] = ()
    """Acquisition Contrast (0008,9209); ASL, TOF, PHASE_CONTRAST where the pulse sequence module says so."""
    acquisition_type: str = ""
    """MR Acquisition Type (0018,0023): 2D or 3D."""
    angio: str = ""
    """Angio Flag (0018,0025): Y or N."""
    contrast_agent: bool | None = None
    """Whether a contrast agent was given, None where nothing says so; names of agents are not kept."""
    body_part: str = ""
    """Body Part Examined (0018,0015), or the meaning of Anatomic Region (0008,2218), upper case."""
    repetition_time: float | None = None
    """Repetition Time (0018,0080), ms."""
    echo_time: float | None = None
    """Echo Time (0018,0081), ms."""
    inversion_time: float | None = None
    """Inversion Time (0018,0082), ms."""
    flip_angle: float | None = None
    """Flip Angle (0018,1314), degrees."""
    echo_train: int | None = None
    """Echo Train Length (0018,0091)."""
    echo_number: int | None = None
    """Echo Number (0018,0086)."""
    series_number: int | None = None
    """Series Number (0020,0011)."""
    acquisition_number: int | None = None
    """Acquisition Number (0020,0012)."""
    instance_number: int | None = None
    """Instance Number (0020,0013)."""
    temporal_position: int | None = None
    """Temporal Position Identifier (0020,0100)."""
    temporal_positions: int | None = None
    """Number of Temporal Positions (0020,0105)."""
    acquisition_time: float | None = None
    """Acquisition Time (0008,0032), seconds since midnight."""
    content_time: float | None = None
    """Content Time (0008,0033), seconds since midnight."""
    trigger_time: float | None = None
    """Trigger Time (0018,1060), ms."""
    clock: float | None = None
    """Time since the scan began, s; GE in a unit that differs by release. See `imaging.headers.scanned.clock`."""
    scanned: Scanned = NOTHING
    """Phase encoding, read-out, slice order, labelling and receive coil."""
    position: Vector = ()
    """Image Position (Patient) (0020,0032), 3 numbers, LPS mm."""
    orientation: Vector = ()
    """Image Orientation (Patient) (0020,0037), 6 numbers: direction of a row, then of a column, LPS."""
    pixel_spacing: Vector = ()
    """Pixel Spacing (0028,0030): between rows, between columns, mm."""
    slice_thickness: float | None = None
    """Slice Thickness (0018,0050), mm."""
    slice_spacing: float | None = None
    """Spacing Between Slices (0018,0088), mm."""
    rows: int = 0
    """Rows (0028,0010)."""
    columns: int = 0
    """Columns (0028,0011)."""
    frames: int = 1
    """Number of Frames (0028,0008), 1 where absent."""
    mosaic: int = 0
    """Slices tiled into the one frame of a Siemens mosaic; 0: not a mosaic; -1: a mosaic that does not say."""
    slice_normal: Vector = ()
    """Direction in which a mosaic's slices follow each other, LPS; empty: not stated."""
    bits_allocated: int = 0
    """Bits Allocated (0028,0100)."""
    bits_stored: int = 0
    """Bits Stored (0028,0101)."""
    high_bit: int = 0
    """High Bit (0028,0102)."""
    signed: bool = False
    """Pixel Representation (0028,0103) is 1, two's complement."""
    samples: int = 1
    """Samples per Pixel (0028,0002)."""
    photometric: str = ""
    """Photometric Interpretation (0028,0004)."""
    slope: float = 1.0
    """value = stored * slope + intercept; see `rescale` for where it comes from."""
    intercept: float = 0.0
    """value = stored * slope + intercept."""
    display: tuple[float, float] | None = None
    """Philips' slope and intercept for display, Rescale Slope and Intercept; None where they are the ones above."""
    b_value: float | None = None
    """Diffusion weighting, s/mm2."""
    gradient: Vector = ()
    """Unit direction of the diffusion gradient, LPS; empty: none, or not directional."""
    trace: bool = False
    """A mean over directions that stands beside the weighted images: Diffusion Directionality (0018,9075) ISOTROPIC."""
    pepolar: int = 0
    """Order of the polarities in a GE scan that stores one of them upside down (`imaging.volumes.pepolar`)."""
    dimension_index: Vector = ()
    """Dimension Index Values (0020,9157) of a frame."""
    philips: PhilipsNumbers | None = None
    """Philips' numbers of the volume that it is of; None of other vendors' images."""
    sex: str = ""
    """Patient's Sex (0010,0040): M, F or O."""
    age: int | None = None
    """Patient's Age (0010,1010), whole years."""
    pixel_tag: int = 0
    """Tag of the pixel data element; 0: the instance has none."""
    pixel_offset: int = 0
    """Where the pixel data start, in the file or, for a deflated one, in its unpacked data set."""
    pixel_length: int = 0
    """Length of the pixel data in bytes; 0xFFFFFFFF: encapsulated."""

    planes: tuple["Header", ...] = ()
    """Headers of the frames of an enhanced instance, in their order; empty for every other instance."""

    @property
    def vendor(self) -> str:
        """ge, siemens, philips, canon, uih, or other."""
        name = self.manufacturer.upper()
        return next((vendor for word, vendor in _VENDORS.items() if name.startswith(word)), "other")


_VENDORS = {"GE": "ge", "SIEMENS": "siemens", "PHILIPS": "philips", "CANON": "canon", "TOSHIBA": "canon", "UIH": "uih"}
