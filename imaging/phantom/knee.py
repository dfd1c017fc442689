"""A knee: what is where inside it, and how one person's differs from another's.

Belongs here: the anatomy of a right knee, in millimetres of its own frame: x to the outer side, y to the front, z to
the top, origin at the middle of the joint. `imaging.phantom.anatomy` mirrors it for a left one.
"""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.layers import Layer, paint
from imaging.phantom.lesion import Lesion, Site
from imaging.phantom.shapes import Distance, Points, capsule, ellipsoid, intersection, shell, smooth_union, union
from imaging.phantom.tissue import Tissue

SITES = (
    Site("lateral femoral condyle", (22.0, -2.0, 22.0)),
    Site("medial femoral condyle", (-22.0, -2.0, 22.0)),
    Site("lateral tibial plateau", (20.0, -2.0, -22.0)),
    Site("medial tibial plateau", (-20.0, -2.0, -22.0)),
)
"""Where lesions grow."""

LESION_RADII_MM = (6.0, 10.0)
"""Smallest and largest semi-axis of a lesion."""

_CORTICAL_MM = 2.2


@dataclass(frozen=True)
class KneeShape:
    """One person's knee.

    Attributes:
        girth: radius of the leg at the joint in mm.
        fat: thickness of the fat below the skin in mm.
        cartilage: thickness of the joint cartilage in mm.
        effusion: fluid in the joint, semi-axis of the pouch above the patella in mm.
        lesions: what should not be there.
    """

    girth: float
    fat: float
    cartilage: float
    effusion: float
    lesions: tuple[Lesion, ...]


def shaped(rng: np.random.Generator, age: float, lesions: tuple[Lesion, ...]) -> KneeShape:
    """A knee drawn at random; cartilage thins with age (years)."""
    return KneeShape(
        girth=rng.uniform(56, 66),
        fat=rng.uniform(6, 13),
        cartilage=3.4 - 0.012 * age + rng.uniform(-0.2, 0.2),
        effusion=rng.uniform(2, 4) + (4 if lesions else 0),
        lesions=lesions,
    )


def layers(points: Points, shape: KneeShape, edge: float) -> list[Layer]:
    """The knee's tissues, outermost first.

    Args:
        points: (3, n) mm in the knee's frame.
        shape: whose knee.
        edge: voxel width in mm over which tissues mix.
    """
    skin = _leg(points, shape)
    inside = np.flatnonzero(skin < edge)
    points, skin = points[:, inside], skin[inside]
    painted = [*_soft_tissue(points, skin, shape, edge), *_joint(points, shape, edge), *_bands(points, edge)]
    return [Layer(layer.tissue, inside[layer.where], layer.share) for layer in painted]


def _leg(points: Points, shape: KneeShape) -> Distance:
    girth = shape.girth
    thigh = capsule(points, (0, -6, 10), (2, -2, 190), girth - 2, girth + 16)
    calf = capsule(points, (0, -8, 0), (2, -18, -180), girth - 3, girth - 14)
    kneecap = ellipsoid(points, (0, 38, 14), (30, 24, 34))
    return smooth_union(smooth_union(thigh, calf, 20), kneecap, 14)


def _femur(points: Points) -> Distance:
    condyles = union(
        ellipsoid(points, (23, -7, 22), (20, 30, 21)),
        ellipsoid(points, (-23, -9, 22), (20, 32, 21)),
    )
    shaft = capsule(points, (0, 6, 40), (4, 10, 200), 21, 13)
    trochlea = ellipsoid(points, (0, 8, 28), (30, 19, 18))
    notch = ellipsoid(points, (0, -26, 8), (9, 24, 17))
    return intersection(smooth_union(smooth_union(condyles, trochlea, 6), shaft, 16), -notch)


def _tibia(points: Points) -> Distance:
    plateau = intersection(ellipsoid(points, (0, -5, -24), (42, 28, 26)), np.asarray(points[2] + 4.5, dtype=np.float32))
    shaft = capsule(points, (0, 4, -42), (-4, 2, -190), 19, 12)
    spine = ellipsoid(points, (0, -5, -6), (7, 9, 6))
    tuberosity = ellipsoid(points, (0, 22, -38), (9, 8, 14))
    return smooth_union(smooth_union(plateau, shaft, 14), union(spine, tuberosity), 5)


def _patella(points: Points) -> Distance:
    return ellipsoid(points, (0, 44, 22), (21, 10, 21))


def _fibula(points: Points) -> Distance:
    return smooth_union(
        ellipsoid(points, (36, -22, -28), (8, 9, 9)), capsule(points, (36, -22, -34), (34, -26, -190), 6.5), 5
    )


def _soft_tissue(points: Points, skin: Distance, shape: KneeShape, edge: float) -> list[Layer]:
    fascia = np.asarray(skin + shape.fat, dtype=np.float32)
    quadriceps = union(
        capsule(points, (-30, 18, 44), (-20, 34, 190), 17, 32), capsule(points, (30, 20, 52), (22, 34, 190), 15, 32)
    )
    hamstrings = union(
        capsule(points, (-38, -32, -10), (-24, -36, 190), 9, 34), capsule(points, (38, -30, 0), (26, -36, 190), 9, 32)
    )
    gastrocnemius = union(
        capsule(points, (-21, -42, 24), (-20, -44, -180), 15, 29),
        capsule(points, (21, -42, 24), (22, -44, -180), 14, 27),
    )
    deep = union(
        capsule(points, (8, -28, -24), (12, -22, -190), 13, 26), capsule(points, (30, 6, -40), (28, 8, -190), 9, 22)
    )
    hoffa = ellipsoid(points, (0, 30, -2), (24, 14, 20))
    vessels = union(
        capsule(points, (2, -40, 190), (2, -42, -30), 4.2), capsule(points, (9, -44, 190), (8, -45, -30), 3.6)
    )
    muscle = intersection(union(quadriceps, hamstrings, gastrocnemius, deep), fascia)
    return [
        paint(Tissue.SKIN, skin, edge),
        paint(Tissue.FAT, np.asarray(skin + 1.8, dtype=np.float32), edge),
        paint(Tissue.TENDON, intersection(shell(fascia, 1.0), muscle - np.float32(3)), edge),
        paint(Tissue.MUSCLE, muscle, edge),
        paint(Tissue.FAT, hoffa, edge),
        paint(Tissue.AIR, vessels, edge),
    ]


def _joint(points: Points, shape: KneeShape, edge: float) -> list[Layer]:
    femur, tibia, patella, fibula = _femur(points), _tibia(points), _patella(points), _fibula(points)
    thick = np.float32(shape.cartilage)
    pouch = ellipsoid(points, (0, 32, 56), (22, shape.effusion, 22), (-8, 0, 0))
    space = intersection(union(femur, patella) - thick - np.float32(2), ellipsoid(points, (0, 6, 8), (44, 40, 26)))
    menisci = shell(ellipsoid(points, (0, -5, 0), (44, 30, 40)), 13)
    menisci = intersection(menisci, np.asarray(np.abs(points[2] + 0.5) - 4.0, dtype=np.float32))
    femoral = intersection(femur - thick, ellipsoid(points, (0, 0, 12), (46, 44, 26)))
    tibial = intersection(tibia - thick * np.float32(0.8), ellipsoid(points, (0, -5, -4), (40, 27, 9)))
    behind = intersection(patella - thick, np.asarray(points[1] - 42, dtype=np.float32))
    bones = union(femur, tibia, patella, fibula)
    inner = np.asarray(bones + _CORTICAL_MM, dtype=np.float32)
    plate = ellipsoid(points, (0, -2, 34), (46, 40, 1.2))
    lesions = [intersection(ellipsoid(points, x.centre, x.radii, x.turn), inner) for x in shape.lesions]
    return [
        paint(Tissue.EFFUSION, union(pouch, space), edge),
        paint(Tissue.CARTILAGE, union(femoral, tibial, behind), edge),
        paint(Tissue.TENDON, menisci, edge),
        paint(Tissue.BONE, bones, edge),
        paint(Tissue.MARROW, inner, edge),
        paint(Tissue.BONE, intersection(plate, inner), edge),
        *(paint(Tissue.LESION, lesion, edge) for lesion in lesions),
    ]


def _bands(points: Points, edge: float) -> list[Layer]:
    quadriceps = capsule(points, (0, 46, 40), (0, 40, 150), 3.6)
    patellar = capsule(points, (0, 48, 4), (0, 30, -36), 3.2)
    anterior = capsule(points, (-4, 10, -8), (9, -18, 18), 3.2)
    posterior = union(capsule(points, (2, -34, -14), (0, -30, 4), 3.8), capsule(points, (0, -30, 4), (-8, -8, 18), 3.8))
    collateral = union(
        capsule(points, (-46, -4, 28), (-36, 2, -44), 2), capsule(points, (45, -8, 26), (40, -20, -24), 2)
    )
    return [paint(Tissue.TENDON, union(quadriceps, patellar, anterior, posterior, collateral), edge)]
