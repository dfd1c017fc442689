"""A body in the scanner: one person's anatomy, how it lies, and what is at a point of patient space.

Belongs here: the pose, and the choice between head and knee. The tissues themselves are in those modules.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom import head, knee
from imaging.phantom.config import PhantomConfig
from imaging.phantom.layers import Layer
from imaging.phantom.lesion import Lesion, grown
from imaging.phantom.seeds import chosen, digest, stream
from imaging.phantom.shapes import rotation
from imaging.phantom.vocabulary import BodyPart

Shape = head.HeadShape | knee.KneeShape


@dataclass(frozen=True)
class Body:
    """What lies in the scanner.

    Attributes:
        part: head or knee.
        side: R or L for a knee, empty for a head.
        shape: the anatomy.
        size: (3,) scale of the anatomy along its axes.
        turn: (3, 3) rotation of the anatomy in RAS space.
        centre: (3,) where its origin lies, RAS mm.
    """

    part: BodyPart
    side: str
    shape: Shape
    size: NDArray[np.float64]
    turn: NDArray[np.float64]
    centre: NDArray[np.float64]

    @property
    def lesions(self) -> tuple[Lesion, ...]:
        """What should not be there."""
        return self.shape.lesions


def body(config: PhantomConfig, ordinal: int, age: float) -> Body:
    """The body of a subject as it lies at the configured visit; the anatomy stays, the pose is new each time.

    Args:
        config: seed, body parts, lesions and visit are used.
        ordinal: which subject.
        age: years, at the first visit.
    """
    part = config.body_parts[ordinal % len(config.body_parts)]
    anatomy = head if part is BodyPart.HEAD else knee
    shape_rng, pose_rng = stream(config.seed, "anatomy", ordinal), stream(config.seed, "pose", ordinal, config.visit)
    lesions: tuple[Lesion, ...] = ()
    if chosen(config.seed, "lesion", ordinal, config.lesions):
        lesions = (grown(stream(config.seed, "lesion", ordinal), anatomy.SITES, anatomy.LESION_RADII_MM),)
    side = "" if part is BodyPart.HEAD else "RL"[digest(config.seed, "side", ordinal)[0] % 2]
    size = 1 + shape_rng.uniform(-0.05, 0.05, 3)
    size[0] *= -1 if side == "L" else 1
    tilt = pose_rng.uniform(-5, 5, 3)
    return Body(
        part,
        side,
        anatomy.shaped(shape_rng, age, lesions),
        size,
        rotation(tilt[0], tilt[1], tilt[2]),
        pose_rng.uniform(-5, 5, 3),
    )


def tissues(lying: Body, points: NDArray[np.float64], edge: float) -> list[Layer]:
    """What is at points of patient space.

    Args:
        lying: the body.
        points: (3, n) RAS mm.
        edge: voxel width in mm over which tissues mix.
    """
    local = np.asarray((lying.turn.T @ (points - lying.centre[:, None])) / lying.size[:, None], dtype=np.float32)
    if isinstance(lying.shape, head.HeadShape):
        return head.layers(local, lying.shape, edge)
    return knee.layers(local, lying.shape, edge)
