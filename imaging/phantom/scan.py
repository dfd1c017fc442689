"""What is scanned: the series of a study with their contrast settings and their grids.

Belongs here: protocols and geometry. How a vendor writes them down is `imaging.phantom.dialects`.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.config import PhantomConfig
from imaging.phantom.physics import directions, fluid_null
from imaging.phantom.seeds import digest, stream
from imaging.phantom.shapes import rotation
from imaging.phantom.vocabulary import BodyPart, Contrast, Plane, Vendor

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Technique(StrEnum):
    """Which pulse sequence, as far as the signal goes."""

    SPIN_ECHO = "se"
    TURBO_SPIN_ECHO = "tse"
    INVERSION_RECOVERY = "ir"
    GRADIENT_ECHO = "gre"
    ECHO_PLANAR = "epi"


class Order(StrEnum):
    """How instance numbers run along the slices."""

    ASCENDING = "ascending"
    DESCENDING = "descending"
    INTERLEAVED = "interleaved"


@dataclass(frozen=True)
class Settings:
    """Contrast settings of a series.

    Attributes:
        technique: pulse sequence.
        te: echo time in ms.
        tr: repetition time in ms.
        ti: inversion time in ms, None where nothing is inverted.
        flip: flip angle in degrees.
        train: echo train length.
        averages: how often each image is taken and averaged.
    """

    technique: Technique
    te: float
    tr: float
    ti: float | None = None
    flip: float = 90.0
    train: int = 1
    averages: int = 1


@dataclass(frozen=True)
class Grid:
    """A stack of parallel slices.

    Attributes:
        shape: (columns, rows, slices).
        row: (3,) LPS direction of a row, in which columns count.
        column: (3,) LPS direction of a column, in which rows count.
        spacing: mm between (columns, rows, slices).
        thickness: mm of a slice.
        origin: (3,) LPS mm of the centre of the first voxel of the first slice.
    """

    shape: tuple[int, int, int]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing: tuple[float, float, float]
    thickness: float
    origin: NDArray[np.float64]

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) LPS direction in which slices count: rows cross columns."""
        return np.asarray(np.cross(self.row, self.column))

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4) from (column, row, slice) to RAS mm.

        Source: DICOM PS3.3 C.7.6.2.1.1.
        """
        lps = np.eye(4)
        lps[:3, :3] = np.stack([self.row, self.column, self.normal], axis=1) * self.spacing
        lps[:3, 3] = self.origin
        return np.asarray(LPS_TO_RAS @ lps)

    def position(self, index: int) -> NDArray[np.float64]:
        """(3,) LPS mm of the first voxel of a slice: Image Position (Patient)."""
        return np.asarray(self.origin + index * self.spacing[2] * self.normal)

    def slab(self, start: int, stop: int) -> "Grid":
        """The grid of the slices from `start` to before `stop`."""
        columns, rows, _ = self.shape
        return replace(self, shape=(columns, rows, stop - start), origin=self.position(start))

    def points(self) -> NDArray[np.float64]:
        """(3, slices * rows * columns) RAS mm of voxel centres, columns fastest, as pixels lie in DICOM."""
        columns, rows, slices = self.shape
        k, j, i = np.meshgrid(np.arange(slices), np.arange(rows), np.arange(columns), indexing="ij")
        index = np.stack([i.ravel(), j.ravel(), k.ravel()])
        return np.asarray(self.affine[:3, :3] @ index + self.affine[:3, 3:])


@dataclass(frozen=True)
class Scan:
    """One series to acquire.

    Attributes:
        index: place in the study, from 0.
        contrast: what it is weighted for.
        plane: how it is cut.
        oblique: whether the plane is tilted.
        settings: contrast settings.
        grid: where its voxels are.
        order: how its instance numbers run.
        bvals: b-value of each volume in s/mm2; one volume at 0 for everything that is not diffusion.
        directions: (volumes, 3) unit vectors of the gradients in LPS axes, zeros where b is 0.
    """

    index: int
    contrast: Contrast
    plane: Plane
    oblique: bool
    settings: Settings
    grid: Grid
    order: Order
    bvals: tuple[int, ...]
    directions: NDArray[np.float64]

    def numbers(self) -> NDArray[np.int64]:
        """(slices,) place of each slice in the order of instance numbers, from 0."""
        depth = self.grid.shape[2]
        place = np.arange(depth)
        if self.order is Order.DESCENDING:
            return place[::-1].copy()
        if self.order is Order.INTERLEAVED:
            acquired = np.concatenate([np.arange(0, depth, 2), np.arange(1, depth, 2)])
            place[acquired] = np.arange(depth)
        return place

    def slice_start(self, index: int) -> float:
        """Seconds from a volume's start until a slice is excited, evenly over the repetition time."""
        return round(int(self.numbers()[index]) * self.settings.tr / 1000 / self.grid.shape[2], 4)


@dataclass(frozen=True)
class _Plan:
    """How a series is cut: field of view and coverage in mm, pixels and slices relative to the configuration."""

    contrast: Contrast
    plane: Plane
    centre: tuple[float, float, float]
    field: tuple[float, float]
    coverage: float
    pixels: float
    slices: float
    tilt: float = 0.0


_PLANS: dict[BodyPart, tuple[_Plan, ...]] = {
    BodyPart.HEAD: (
        _Plan(Contrast.T1, Plane.SAGITTAL, (0, 6, -22), (250, 250), 152, 1.0, 1.2),
        _Plan(Contrast.T2, Plane.AXIAL, (0, 2, 6), (200, 240), 138, 1.2, 1.0),
        _Plan(Contrast.FLAIR, Plane.AXIAL, (0, 2, 6), (240, 240), 138, 0.9, 1.0, tilt=-12),
        _Plan(Contrast.DWI, Plane.AXIAL, (0, -2, 10), (240, 240), 116, 0.8, 0.6),
    ),
    BodyPart.KNEE: (
        _Plan(Contrast.T1, Plane.SAGITTAL, (0, 0, 0), (160, 180), 104, 1.0, 1.2),
        _Plan(Contrast.T2, Plane.AXIAL, (0, -4, 4), (160, 160), 120, 1.0, 1.0),
        _Plan(Contrast.PD, Plane.CORONAL, (0, -4, 0), (160, 180), 96, 1.0, 1.0, tilt=6),
        _Plan(Contrast.DWI, Plane.AXIAL, (0, -4, 4), (180, 180), 100, 0.7, 0.6),
    ),
}

_CUTS: dict[Plane, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    Plane.AXIAL: ((1, 0, 0), (0, 1, 0)),
    Plane.CORONAL: ((1, 0, 0), (0, 0, -1)),
    Plane.SAGITTAL: ((0, 1, 0), (0, 0, -1)),
}
"""Directions of rows and columns in LPS axes, as scanners cut them."""


def scans(config: PhantomConfig, ordinal: int, vendor: Vendor, body_part: BodyPart, field_t: float) -> tuple[Scan, ...]:
    """The series of a subject's study at the configured visit, on a scanner of this field strength in tesla."""
    made = []
    for index, plan in enumerate(_PLANS[body_part]):
        rng = stream(config.seed, "scan", ordinal, config.visit, index)
        diffusion = plan.contrast is Contrast.DWI
        bvals = (0, *([1000] * config.directions)) if diffusion else (0,)
        gradients = np.vstack([np.zeros((1, 3)), directions(config.directions)]) if diffusion else np.zeros((1, 3))
        kind = digest(config.seed, "order", ordinal, index)[0] % 3
        order = tuple(Order)[0 if diffusion else kind]
        grid = _grid(plan, config, rng)
        settings = _settings(plan.contrast, vendor, body_part, field_t)
        made.append(Scan(index, plan.contrast, plan.plane, plan.tilt != 0, settings, grid, order, bvals, gradients))
    return tuple(made)


def _grid(plan: _Plan, config: PhantomConfig, rng: np.random.Generator) -> Grid:
    longest = max(plan.field)
    width = 2 * round(plan.pixels * config.matrix * plan.field[0] / longest / 2)
    height = 2 * round(plan.pixels * config.matrix * plan.field[1] / longest / 2)
    depth = max(4, round(plan.slices * config.slices))
    # spacings as scanners write them: six decimals at most, so that header and truth hold the same numbers
    pixel = round(longest / (plan.pixels * config.matrix), 6)
    gap = round(plan.coverage / depth, 4)
    turn = rotation(plan.tilt, 0.0, float(rng.uniform(-4, 4)) if plan.tilt else 0.0)
    row, column = (np.round(turn @ np.asarray(axis, dtype=np.float64), 9) for axis in _CUTS[plan.plane])
    shift = np.round(rng.uniform(-3, 3, 3), 2)
    centre = np.asarray([-plan.centre[0], -plan.centre[1], plan.centre[2]]) + shift
    spacing = (pixel, pixel, gap)
    half = (np.array([width, height, depth]) - 1) / 2 * spacing
    corner = centre - half[0] * row - half[1] * column - half[2] * np.cross(row, column)
    return Grid((width, height, depth), row, column, spacing, round(gap * 0.9, 3), np.round(corner, 5))


def _settings(contrast: Contrast, vendor: Vendor, body_part: BodyPart, field_t: float) -> Settings:
    """Typical settings; Siemens phantoms have their head T1 by gradient echo, the others by spin echo."""
    if contrast is Contrast.T1:
        if vendor is Vendor.SIEMENS and body_part is BodyPart.HEAD:
            return Settings(Technique.GRADIENT_ECHO, 2.46, 250.0, flip=70.0)
        return Settings(Technique.SPIN_ECHO, 11.0, 520.0)
    if contrast is Contrast.T2:
        te = 70.0 if body_part is BodyPart.KNEE else 96.0
        return Settings(
            Technique.TURBO_SPIN_ECHO, te, 4800.0, flip=150.0 if vendor is Vendor.SIEMENS else 90.0, train=15
        )
    if contrast is Contrast.FLAIR:
        tr = 9000.0
        return Settings(Technique.INVERSION_RECOVERY, 110.0, tr, round(fluid_null(field_t, tr), -1), train=21)
    if contrast is Contrast.PD:
        return Settings(Technique.TURBO_SPIN_ECHO, 28.0, 3000.0, train=5)
    return Settings(Technique.ECHO_PLANAR, 84.0, 5200.0, train=64, averages=8)
