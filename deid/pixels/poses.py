"""Other poses of a picture: turned by quarters, mirrored, and smaller.

Belongs here: from a picture to its poses, and from a box in a pose to the same box in the picture. Lettering is looked
for as lines of small upright letters (`deid.pixels.lettering`); in one of these poses other lettering looks like that.
"""

from typing import NamedTuple

import numpy as np

from deid.pixels.gate import Stack


class Pose(NamedTuple):
    """How a picture is held.

    Attributes:
        mirrored: whether left and right are exchanged first.
        turns: quarter turns, counterclockwise, after that.
        step: pixels in a row that become one, at last.
    """

    mirrored: bool = False
    turns: int = 0
    step: int = 1

    def shown(self, stack: Stack) -> Stack:
        """(n, rows, columns) in this pose; rows and columns that do not fill a step are left out."""
        held = np.rot90(stack[:, :, ::-1] if self.mirrored else stack, self.turns, axes=(1, 2))
        if self.step == 1:
            return np.ascontiguousarray(held)
        frames, rows, columns = len(held), held.shape[1] // self.step, held.shape[2] // self.step
        cut = held[:, : rows * self.step, : columns * self.step]
        return np.asarray(cut.reshape(frames, rows, self.step, columns, self.step).mean(axis=(2, 4)).astype(np.int16))

    def back(self, edges: tuple[int, int, int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """The edges of a box of the pose in the picture.

        Args:
            edges: top, left, bottom and right; the last two outside.
            shape: rows and columns of the picture.
        """
        top, left, bottom, right = (edge * self.step for edge in edges)
        for turn in range(self.turns, 0, -1):
            # before an odd turn the picture lies as it was, before an even one on its side
            columns = shape[1] if turn % 2 else shape[0]
            top, left, bottom, right = left, columns - bottom, right, columns - top
        if self.mirrored:
            left, right = shape[1] - right, shape[1] - left
        return top, left, bottom, right


POSES = (
    *(Pose(turns=turns) for turns in (1, 2, 3)),
    *(Pose(mirrored=True, turns=turns) for turns in range(4)),
    *(Pose(step=step) for step in (3, 6)),
)
"""All but the picture as it is."""
