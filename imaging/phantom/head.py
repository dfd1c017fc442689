"""A head: what is where inside it, and how one person's differs from another's.

Belongs here: the anatomy, in millimetres of the head's own frame: x to the right, y to the front, z to the top, origin
near the anterior commissure. Where the head lies in the scanner is `imaging.phantom.anatomy`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.layers import Layer, paint
from imaging.phantom.lesion import Lesion, Site
from imaging.phantom.shapes import (
    Distance,
    Points,
    capsule,
    ellipsoid,
    folded_sheet,
    intersection,
    shell,
    smooth_union,
    union,
)
from imaging.phantom.tissue import Tissue

SITES = (
    Site("frontal lobe", (28.0, 40.0, 24.0), paired=True),
    Site("parietal lobe", (30.0, -34.0, 34.0), paired=True),
    Site("temporal lobe", (44.0, -4.0, -20.0), paired=True),
    Site("occipital lobe", (22.0, -60.0, 12.0), paired=True),
    Site("centrum semiovale", (24.0, 4.0, 36.0), paired=True),
)
"""Where lesions grow; x of a paired site is given for the right side."""

LESION_RADII_MM = (7.0, 13.0)
"""Smallest and largest semi-axis of a lesion."""

_CORTEX_MM = 3.4
_SULCUS_MM = 1.0
_SULCUS_DEPTH_MM = 15.0
_SUBARACHNOID_MM = 2.8


@dataclass(frozen=True)
class HeadShape:
    """One person's head.

    Attributes:
        folds: (3,) phases of the cortex' folds in radians.
        wavelength: spacing of the folds in mm.
        ventricles: size of the ventricles relative to a young adult's.
        nose: length of the nose beyond the face in mm.
        chin: how far the chin juts out in mm.
        skull: thickness of the skull in mm.
        scalp: thickness of the scalp in mm.
        lesions: what should not be there.
    """

    folds: tuple[float, float, float]
    wavelength: float
    ventricles: float
    nose: float
    chin: float
    skull: float
    scalp: float
    lesions: tuple[Lesion, ...]


def shaped(rng: np.random.Generator, age: float, lesions: tuple[Lesion, ...]) -> HeadShape:
    """A head drawn at random; the ventricles grow with age (years)."""
    draw = rng.uniform
    return HeadShape(
        folds=(draw(0, 6.28), draw(0, 6.28), draw(0, 6.28)),
        wavelength=draw(27.0, 31.0),
        ventricles=draw(0.85, 1.1) + max(0.0, age - 40) / 90,
        nose=draw(14.0, 22.0),
        chin=draw(-3.0, 5.0),
        skull=draw(6.0, 8.5),
        scalp=draw(4.5, 7.5),
        lesions=lesions,
    )


def layers(points: Points, shape: HeadShape, edge: float) -> list[Layer]:
    """The head's tissues, outermost first.

    Args:
        points: (3, n) mm in the head's frame.
        shape: whose head.
        edge: voxel width in mm over which tissues mix.
    """
    vault = _intracranial(points)
    skin = _surface(points, vault, shape)
    inside = np.flatnonzero(skin < edge)
    points, vault, skin = points[:, inside], vault[inside], skin[inside]
    painted = [
        *_soft_tissue(points, skin, edge),
        *_bones(points, vault, shape, edge),
        *_airways(points, edge),
        *_orbits(points, edge),
    ]
    brain_case = np.flatnonzero(vault < edge)
    painted += [_within(layer, brain_case) for layer in _brain(points[:, brain_case], vault[brain_case], shape, edge)]
    return [_within(layer, inside) for layer in painted]


def _within(layer: Layer, chosen: NDArray[np.int64]) -> Layer:
    return Layer(layer.tissue, chosen[layer.where], layer.share)


def _hemispheres(points: Points) -> Distance:
    """The cerebrum without its folds: a dome on a slanting floor, with temporal lobes below it."""
    dome = ellipsoid(points, (0, -4, 8), (67, 85, 62))
    floor = np.asarray(-15 - points[2] + 0.12 * (points[1] - 20), dtype=np.float32)
    poles = np.asarray(points[1] - 60, dtype=np.float32) * np.float32(0.25)
    temporal = union(*(ellipsoid(points, (side * 41, 6, -19), (21, 38, 20)) for side in (-1, 1)))
    return smooth_union(intersection(dome, np.asarray(floor + np.maximum(poles, 0), dtype=np.float32)), temporal, 6)


def _cerebellum(points: Points) -> Distance:
    return union(*(ellipsoid(points, (side * 17, -52, -40), (33, 31, 25)) for side in (-1, 1)))


def _brain_stem(points: Points) -> Distance:
    pons = ellipsoid(points, (0, -19, -38), (15, 13, 15))
    midbrain = capsule(points, (0, -16, -8), (0, -20, -34), 13, 12)
    return smooth_union(union(pons, midbrain), capsule(points, (0, -24, -44), (0, -40, -80), 10, 6.5), 4)


def _intracranial(points: Points) -> Distance:
    above = smooth_union(_hemispheres(points), _cerebellum(points), 10)
    return np.asarray(smooth_union(above, _brain_stem(points), 8) - _SUBARACHNOID_MM, dtype=np.float32)


def _surface(points: Points, vault: Distance, shape: HeadShape) -> Distance:
    skull_cap = np.asarray(vault - shape.skull - shape.scalp, dtype=np.float32)
    face = ellipsoid(points, (0, 40, -62), (56, 52, 66))
    jaw = ellipsoid(points, (0, 46 + shape.chin, -108), (40, 44, 30))
    neck = capsule(points, (0, -28, -70), (0, -44, -190), 56)
    soft = smooth_union(smooth_union(skull_cap, face, 18), smooth_union(jaw, neck, 22), 20)
    bridge = capsule(points, (0, 84, -24), (0, 90 + shape.nose, -62), 8, 11)
    wings = union(*(ellipsoid(points, (side * 9, 88 + shape.nose * 0.7, -64), (8, 12, 7)) for side in (-1, 1)))
    brow = ellipsoid(points, (0, 78, -10), (44, 12, 9))
    lips = ellipsoid(points, (0, 90 + shape.chin, -88), (22, 10, 9))
    soft = smooth_union(soft, union(smooth_union(bridge, wings, 6), brow, lips), 7)
    ears = union(*(ellipsoid(points, (side * 77, -18, -36), (5, 17, 29), (0, 0, side * 28)) for side in (-1, 1)))
    return smooth_union(soft, ears, 6)


def _soft_tissue(points: Points, skin: Distance, edge: float) -> list[Layer]:
    below = np.asarray(skin + 6.5, dtype=np.float32)
    low = intersection(below, np.asarray(points[2] + 16, dtype=np.float32))
    masseter = union(*(ellipsoid(points, (side * 46, 22, -66), (11, 20, 36)) for side in (-1, 1)))
    temporalis = union(*(ellipsoid(points, (side * 66, 26, -8), (8, 28, 30)) for side in (-1, 1)))
    nape = intersection(union(*(ellipsoid(points, (s * 24, -74, -108), (20, 22, 62)) for s in (-1, 1))), below)
    tongue = ellipsoid(points, (0, 50, -92), (24, 34, 20))
    upright = np.asarray(points * [[1], [1], [0.12]], dtype=np.float32)
    seams = folded_sheet(upright, 52, (0.4, 1.1, 2.0)) - np.float32(1.2)
    return [
        paint(Tissue.SKIN, skin, edge),
        paint(Tissue.FAT, np.asarray(skin + 2.0, dtype=np.float32), edge),
        paint(Tissue.MUSCLE, intersection(low, -np.asarray(seams, dtype=np.float32)), edge),
        paint(Tissue.MUSCLE, union(masseter, intersection(temporalis, below), nape, tongue), edge),
    ]


def _bones(points: Points, vault: Distance, shape: HeadShape, edge: float) -> list[Layer]:
    skull = np.asarray(vault - shape.skull, dtype=np.float32)
    diploe = shell(np.asarray(skull + shape.skull * 0.3, dtype=np.float32), shape.skull * 0.4)
    upper = np.asarray(-14 - points[2], dtype=np.float32)
    clivus = ellipsoid(points, (0, 0, -50), (13, 10, 17), (35, 0, 0))
    petrous = union(*(ellipsoid(points, (s * 40, -20, -42), (24, 9, 9), (0, 0, s * -35)) for s in (-1, 1)))
    cheek = union(*(ellipsoid(points, (s * 40, 62, -52), (14, 10, 11)) for s in (-1, 1)))
    palate = ellipsoid(points, (0, 58, -76), (22, 28, 4))
    arch = shell(ellipsoid(points, (0, 34 + shape.chin, -108), (38, 46, 90)), 10)
    height = np.asarray(np.abs(points[2] + 108 + 0.25 * (points[1] - 40)) - 10, dtype=np.float32)
    jaw = intersection(arch, height, np.asarray(14 - points[1], dtype=np.float32))
    spine = capsule(points, (0, -24, -78), (0, -38, -190), 13)
    return [
        paint(Tissue.BONE, union(skull, clivus, petrous, cheek, palate, jaw, spine), edge),
        paint(Tissue.MARROW, union(intersection(diploe, upper), clivus + 3, cheek + 4, jaw + 3, spine + 3), edge),
        paint(Tissue.CSF, capsule(points, (0, -40, -70), (0, -56, -190), 7), edge),
        paint(Tissue.WHITE_Z, capsule(points, (0, -40, -70), (0, -56, -190), 4.2), edge),
    ]


def _airways(points: Points, edge: float) -> list[Layer]:
    nasal = ellipsoid(points, (0, 64, -52), (13, 34, 19))
    turbinate = folded_sheet(points, 17, (1.0, 0.3, 2.2)) - np.float32(1.3)
    maxillary = union(*(ellipsoid(points, (s * 27, 58, -56), (11, 14, 13)) for s in (-1, 1)))
    sphenoid = ellipsoid(points, (0, 24, -36), (13, 12, 9))
    frontal = ellipsoid(points, (0, 82, 2), (17, 4, 10))
    pharynx = capsule(points, (0, 14, -58), (0, -2, -150), 8)
    mouth = ellipsoid(points, (0, 62, -81), (20, 26, 2.5))
    hollow = union(intersection(nasal, -np.asarray(turbinate, dtype=np.float32)), maxillary, sphenoid, frontal)
    return [
        paint(Tissue.MUSCLE, nasal - np.float32(1.5), edge),
        paint(Tissue.AIR, union(hollow, pharynx, mouth), edge),
    ]


def _orbits(points: Points, edge: float) -> list[Layer]:
    sides = (-1, 1)
    socket = union(*(ellipsoid(points, (s * 31, 58, -27), (16, 25, 15), (0, 0, s * -14)) for s in sides))
    globe = union(*(ellipsoid(points, (s * 32, 67, -27), (12.2, 12.4, 12.2)) for s in sides))
    lens = union(*(ellipsoid(points, (s * 32, 76, -27), (5, 2.2, 5)) for s in sides))
    nerve = union(*(capsule(points, (s * 31, 56, -27), (s * 12, 26, -22), 2.4) for s in sides))
    recti = union(*(capsule(points, (s * 31 + d, 68, -27), (s * 18, 40, -25), 2.6) for s in sides for d in (-12, 12)))
    return [
        paint(Tissue.FAT, socket, edge),
        paint(Tissue.MUSCLE, recti, edge),
        paint(Tissue.WHITE_Y, nerve, edge),
        paint(Tissue.SKIN, globe - np.float32(0.8), edge),
        paint(Tissue.VITREOUS, globe, edge),
        paint(Tissue.MUSCLE, lens, edge),
    ]


def _brain(points: Points, vault: Distance, shape: HeadShape, edge: float) -> list[Layer]:
    cerebrum, cerebellum, stem = _hemispheres(points), _cerebellum(points), _brain_stem(points)
    depth = -cerebrum
    to_fluid = np.minimum(depth, _sulci(points, depth, shape) - np.float32(_SULCUS_MM))
    brain = union(cerebrum, cerebellum, stem)
    return [
        paint(Tissue.CSF, vault, edge),
        paint(Tissue.GREY, -to_fluid, edge),
        *_white(points, np.asarray(_CORTEX_MM - to_fluid, dtype=np.float32), edge),
        *_hindbrain(points, cerebellum, stem, shape, edge),
        *_deep(points, shape, edge),
        *_spaces(points, shape, edge),
        *(
            paint(Tissue.LESION, intersection(ellipsoid(points, x.centre, x.radii, x.turn), brain), edge)
            for x in shape.lesions
        ),
    ]


def _sulci(points: Points, depth: Distance, shape: HeadShape) -> Distance:
    """Distance to the fluid between the folds: sulci as deep as they go, the midline and the lateral fissures."""
    bent = points + 5 * np.sin(points[[1, 2, 0]] / np.float32(19))
    folds = np.hypot(
        folded_sheet(np.asarray(bent, dtype=np.float32), shape.wavelength, shape.folds),
        np.maximum(0, depth - np.float32(_SULCUS_DEPTH_MM)),
    )
    across = np.abs(points[0] + 1.2 * np.sin(points[1] / np.float32(23)))
    callosum = ellipsoid(points, (0, -4, 2), (60, 44, 26))
    midline = np.hypot(across + np.float32(0.35), np.maximum(0, 2 - callosum))
    sylvian = union(
        *(ellipsoid(points, (s * 47, 8, -2), (17, 26, 1.6), (-14, s * 18, 0)) for s in (-1, 1)),
        *(ellipsoid(points, (s * 37, 4, 4), (1.6, 20, 12), (0, s * 8, 0)) for s in (-1, 1)),
    )
    return np.asarray(np.minimum.reduce([folds, midline, sylvian + np.float32(_SULCUS_MM)]), dtype=np.float32)


def _white(points: Points, white: Distance, edge: float) -> list[Layer]:
    """White matter; fibres run across near the midline, up beside it, and to the front elsewhere."""
    side = np.abs(points[0])
    across = intersection(white, ellipsoid(points, (0, -4, 12), (22, 40, 16)))
    upwards = intersection(white, np.asarray(np.abs(side - 24) - 7, dtype=np.float32))
    callosum = intersection(
        shell(ellipsoid(points, (0, -6, 4), (30, 42, 24)), 6.5),
        np.asarray(side - 30, dtype=np.float32),
        np.asarray(8 - points[2], dtype=np.float32),
    )
    return [
        paint(Tissue.WHITE_Y, white, edge),
        paint(Tissue.WHITE_Z, upwards, 2 * edge),
        paint(Tissue.WHITE_X, union(across, callosum), edge),
    ]


def _hindbrain(points: Points, cerebellum: Distance, stem: Distance, shape: HeadShape, edge: float) -> list[Layer]:
    centred = points - np.asarray([[0], [-46], [-44]], dtype=np.float32)
    leaves = folded_sheet(np.asarray(centred * [[0.35], [1], [1]], dtype=np.float32), 11, shape.folds)
    tree = union(*(ellipsoid(points, (side * 22, -48, -40), (22, 17, 10)) for side in (-1, 1)))
    twigs = intersection(cerebellum + np.float32(6), leaves - np.float32(1.0))
    peduncle = union(*(capsule(points, (s * 9, -28, -38), (s * 20, -46, -40), 7) for s in (-1, 1)))
    return [
        paint(Tissue.GREY, cerebellum, edge),
        paint(Tissue.CSF, intersection(cerebellum, leaves - np.float32(0.2), -cerebellum - 5), edge),
        paint(Tissue.WHITE_X, union(intersection(tree, cerebellum + np.float32(5)), twigs, peduncle), edge),
        paint(Tissue.WHITE_Z, stem, edge),
        paint(Tissue.CSF, ellipsoid(points, (0, -40, -42), (5 * shape.ventricles, 4.5, 11)), edge),
    ]


def _deep(points: Points, shape: HeadShape, edge: float) -> list[Layer]:
    sides = (-1, 1)
    thalamus = union(*(ellipsoid(points, (s * 11, -14, 4), (8, 15, 9), (0, 0, s * 18)) for s in sides))
    putamen = union(*(ellipsoid(points, (s * 26, 4, 1), (5.5, 17, 10), (0, s * 8, s * 10)) for s in sides))
    width = 12 + 3 * shape.ventricles
    caudate = union(*(ellipsoid(points, (s * width, 20, 8), (5, 13, 9), (0, 0, s * 8)) for s in sides))
    return [paint(Tissue.GREY, union(thalamus, putamen, caudate), edge)]


def _spaces(points: Points, shape: HeadShape, edge: float) -> list[Layer]:
    size, sides = shape.ventricles, (-1, 1)
    body = union(*(ellipsoid(points, (s * 9, 2, 15), (5.5 * size, 32, 5.5 * size), (8, s * -22, s * 9)) for s in sides))
    atrium = union(*(ellipsoid(points, (s * 24, -38, 8), (5.5 * size, 17, 8 * size), (0, 0, s * 24)) for s in sides))
    temporal = union(*(capsule(points, (s * 29, -32, 0), (s * 33, 2, -20), 2.2 * size) for s in sides))
    third = ellipsoid(points, (0, -8, 0), (2.2 * size, 13, 10))
    septum = np.asarray(0.8 - np.abs(points[0]), dtype=np.float32)
    return [paint(Tissue.CSF, union(intersection(body, septum), atrium, temporal, third), edge)]
