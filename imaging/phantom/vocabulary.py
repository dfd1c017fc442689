"""The closed lists a phantom is made of: vendors, body parts, contrasts, tissues.

Belongs here: enumerations and the label scheme. What tissues do to a signal is `imaging.phantom.tissue`.
"""

from enum import IntEnum, StrEnum


class Vendor(StrEnum):
    """Whose dialect of classic MR Image Storage a subject's files speak."""

    SIEMENS = "siemens"
    GE = "ge"
    PHILIPS = "philips"


class BodyPart(StrEnum):
    """What was imaged."""

    HEAD = "head"
    KNEE = "knee"


class Contrast(StrEnum):
    """What a series is weighted for; the values are those of `curated/series`."""

    T1 = "T1"
    T2 = "T2"
    PD = "PD"
    FLAIR = "FLAIR"
    DWI = "DWI"


class Plane(StrEnum):
    """Which way a series is cut."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class Label(IntEnum):
    """Values of the tissue maps; brain tissues come first so that `label <= 4` selects them."""

    BACKGROUND = 0
    FLUID = 1
    GREY_MATTER = 2
    WHITE_MATTER = 3
    LESION = 4
    FAT = 5
    BONE = 6
    EYE = 7
    MUSCLE = 8
    MARROW = 9
    CARTILAGE = 10
    FIBROUS = 11

    @property
    def title(self) -> str:
        """Name as it stands in `label_scheme`."""
        return self.name.lower().replace("_", " ")


LABEL_SCHEME: dict[int, str] = {int(label): label.title for label in Label}
"""Meaning of each value of the tissue maps."""
