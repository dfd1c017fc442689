"""What a dialect has to say.

Belongs here: the interface of the vendors' modules and what two of them need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydicom.dataset import Dataset
from pydicom.uid import UID

from imaging.phantom.answers import Planter
from imaging.phantom.scan import Scan
from imaging.phantom.study import Scanner, Study


@dataclass(frozen=True)
class Wording:
    """How a series is described.

    Attributes:
        description: Series Description, before anything is planted in it.
        protocol: Protocol Name.
        image_type: Image Type.
        sequence: Scanning Sequence.
        variant: Sequence Variant.
        options: Scan Options, may be empty.
        name: Sequence Name, may be empty.
    """

    description: str
    protocol: str
    image_type: tuple[str, ...]
    sequence: tuple[str, ...]
    variant: tuple[str, ...]
    options: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Shot:
    """One image of a series.

    Attributes:
        volume: which volume of the series, from 0.
        index: which slice of the grid, from 0.
        number: Instance Number, from 1.
    """

    volume: int
    index: int
    number: int


@dataclass(frozen=True)
class Storage:
    """How voxels are stored.

    Attributes:
        bits: Bits Stored.
        signed: whether Pixel Representation is 1.
        slope: Rescale Slope; None: no rescaling is written.
        intercept: Rescale Intercept.
        true_slope: signal in the scanner's own unit a stored step, where private elements say another than the slope.
    """

    bits: int
    signed: bool
    slope: float | None = None
    intercept: float = 0.0
    true_slope: float | None = None


@dataclass(frozen=True)
class Dialect:
    """A vendor's way of writing.

    Attributes:
        manufacturer: Manufacturer.
        body_part: Body Part Examined for each body part, by its value.
        scanners: the scanners it is written by.
        transfer_syntax: Transfer Syntax UID of its files.
        wording: how a series of a study is described.
        storage: how its voxels are stored.
        series_facts: adds the vendor's own elements that hold for a whole series.
        image_facts: adds those that change from image to image.
        path: where an image is exported to, below the delivery; remembers the identifying parts.
    """

    manufacturer: str
    body_part: dict[str, str]
    scanners: tuple[Scanner, ...]
    transfer_syntax: UID
    wording: Callable[[Study, Scan], Wording]
    storage: Callable[[Study, Scan], Storage]
    series_facts: Callable[[Dataset, Study, Scan, Planter], None]
    image_facts: Callable[[Dataset, Study, Scan, Shot], None]
    path: Callable[[Study, Scan, Shot, Planter], PurePosixPath]


def clock(seconds: float) -> str:
    """DICOM time of seconds since midnight."""
    whole = int(seconds)
    fraction = round((seconds - whole) * 1e6)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{fraction:06d}"
