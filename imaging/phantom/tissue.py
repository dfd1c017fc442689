"""What tissues are made of, as far as MR sees it: proton density, relaxation, diffusion.

Belongs here: literature values and the label each tissue carries. Signal equations are `imaging.phantom.physics`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.vocabulary import Label

REFERENCE_FIELD_T = 1.5
"""Field strength of the relaxation times below."""

T1_EXPONENT = 1 / 3
"""T1 grows about as the cube root of the field: Bottomley et al., Medical Physics 11 (1984) 425-448."""


class Tissue(IntEnum):
    """What a point consists of; finer than the labels where diffusion needs a direction."""

    AIR = 0
    CSF = 1
    GREY = 2
    WHITE_X = 3
    WHITE_Y = 4
    WHITE_Z = 5
    LESION = 6
    FAT = 7
    BONE = 8
    VITREOUS = 9
    MUSCLE = 10
    MARROW = 11
    CARTILAGE = 12
    TENDON = 13
    SKIN = 14
    EFFUSION = 15


@dataclass(frozen=True)
class Properties:
    """One tissue at 1.5 T.

    Attributes:
        density: proton density relative to water.
        t1: longitudinal relaxation time in ms.
        t2: transverse relaxation time in ms.
        t2_star: effective transverse relaxation time in ms.
        diffusivity: diagonal of the diffusion tensor along patient x, y, z in 1e-3 mm2/s.
        label: value in the tissue maps.
    """

    density: float
    t1: float
    t2: float
    t2_star: float
    diffusivity: tuple[float, float, float]
    label: Label


_WHITE = (0.77, 500.0, 70.0, 61.0)
_AXIAL, _RADIAL = 1.25, 0.42

PROPERTIES: dict[Tissue, Properties] = {
    Tissue.AIR: Properties(0.0, 1000.0, 10.0, 1.0, (0.0, 0.0, 0.0), Label.BACKGROUND),
    Tissue.CSF: Properties(1.0, 2569.0, 329.0, 250.0, (3.0, 3.0, 3.0), Label.FLUID),
    Tissue.GREY: Properties(0.86, 833.0, 83.0, 69.0, (0.80, 0.80, 0.80), Label.GREY_MATTER),
    Tissue.WHITE_X: Properties(*_WHITE, (_AXIAL, _RADIAL, _RADIAL), Label.WHITE_MATTER),
    Tissue.WHITE_Y: Properties(*_WHITE, (_RADIAL, _AXIAL, _RADIAL), Label.WHITE_MATTER),
    Tissue.WHITE_Z: Properties(*_WHITE, (_RADIAL, _RADIAL, _AXIAL), Label.WHITE_MATTER),
    Tissue.LESION: Properties(0.92, 1200.0, 140.0, 100.0, (1.35, 1.35, 1.35), Label.LESION),
    Tissue.FAT: Properties(1.0, 350.0, 70.0, 58.0, (0.05, 0.05, 0.05), Label.FAT),
    Tissue.BONE: Properties(0.08, 400.0, 2.0, 1.0, (0.1, 0.1, 0.1), Label.BONE),
    Tissue.VITREOUS: Properties(1.0, 2569.0, 329.0, 250.0, (2.6, 2.6, 2.6), Label.EYE),
    Tissue.MUSCLE: Properties(0.90, 1008.0, 44.0, 30.0, (1.5, 1.5, 1.5), Label.MUSCLE),
    Tissue.MARROW: Properties(0.75, 320.0, 60.0, 30.0, (0.2, 0.2, 0.2), Label.MARROW),
    Tissue.CARTILAGE: Properties(0.80, 1060.0, 42.0, 25.0, (1.4, 1.4, 1.4), Label.CARTILAGE),
    Tissue.TENDON: Properties(0.30, 700.0, 9.0, 3.0, (0.8, 0.8, 0.8), Label.FIBROUS),
    Tissue.SKIN: Properties(0.75, 900.0, 40.0, 25.0, (1.0, 1.0, 1.0), Label.FAT),
    Tissue.EFFUSION: Properties(1.0, 2850.0, 500.0, 300.0, (2.6, 2.6, 2.6), Label.FLUID),
}
"""Tissues and their values, typical of the literature and chosen so that contrasts come out as on clinical images.

After: brain tissues and fat, the BrainWeb phantom at 1.5 T (Kwan, Evans, Pike, IEEE TMI 18 (1999) 1085-1097), but a
longer T2* of fluid; muscle, Stanisz et al., MRM 54 (2005) 507-512; cartilage, joint fluid and marrow, Gold et al., AJR
183 (2004) 343-351, but a shorter T2 of fluid and marrow; diffusion, Pierpaoli et al., Radiology 201 (1996) 637-648.
Lesion, tendon, skin and bone follow no single source. These are settings of a phantom, not reference values.
"""

LABEL_OF: NDArray[np.uint8] = np.array([PROPERTIES[t].label for t in Tissue], dtype=np.uint8)
"""(tissues,) label of each tissue."""


def column(name: str) -> NDArray[np.float64]:
    """(tissues,) one property of every tissue."""
    return np.array([getattr(PROPERTIES[t], name) for t in Tissue], dtype=np.float64)


def t1_at(field_t: float) -> NDArray[np.float64]:
    """(tissues,) T1 in ms at a field strength in tesla, by the cube-root law of `T1_EXPONENT`."""
    return np.asarray(column("t1") * (field_t / REFERENCE_FIELD_T) ** T1_EXPONENT)
