"""Which windows an objective wants of a sample.

Belongs here: the request. How a window is placed and read is `training.data.windows`.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """One kind of window that each sample gives.

    Attributes:
        kind: name that the windows of a batch carry, so that an objective finds them again.
        count: windows of this kind from each sample.
        share: least and largest extent of the window against that of the sample's crop (at most `crop_mm`), the same
            along each axis; drawn log-uniformly, so that halving and doubling are equally likely.
    """

    kind: str
    count: int = 1
    share: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse what no window can be.

        Raises:
            ValueError: if there is no window, or it reaches beyond the crop.
        """
        if self.count < 1:
            raise ValueError(f"view {self.kind}: found {self.count} windows, needed at least 1")
        if not 0 < self.share[0] <= self.share[1] <= 1:
            raise ValueError(f"view {self.kind}: found shares {self.share}, needed 0 < least <= largest <= 1")

    def extent(self, uniform: float) -> float:
        """The share that a uniform random number in [0, 1) stands for."""
        low, high = (math.log(share) for share in self.share)
        return math.exp(low + (high - low) * uniform)


WHOLE = (View("whole"),)
"""One window a sample: its crop."""
