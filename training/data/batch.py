"""The batch that every objective and task is given: windows with their voxels, their tokens, and what is known of them.

Belongs here: what a step is served. How windows are read is `training.data.windows`; tokens are `training.data.tokens`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from training.data.tokens import Packed


@dataclass(frozen=True)
class Windows:
    """Windows of a step.

    A sample gives one window or several (views). Windows of a sample stand together, or, where series of a study attend
    to one another, one view of all of its series.

    Attributes:
        images: for each window (x, y, z) normalized intensities.
        tokens: the windows' tokens, packed.
        labels: for each window (x, y, z) class indices; empty where they are to be found.
        kinds: for each window the kind of view it is, as an objective asked for it; empty where all are alike.
        samples: for each window the sample it belongs to, counted from 0 to that of the last window; empty where each
            is its own.
        studies: for each window the study whose windows' tokens attend to one another, standing together; empty where
            tokens attend to their own window only.
        conditions: (N, C) how each window was acquired, columns as `training.data.conditions.COLUMNS`, NaN where it is
            not known; None where nothing is.
        targets: what a task is to find, name to (N, ...) with a row a window.
        captions: for each window the text that goes with it, empty where there is none.
    """

    images: tuple[Tensor, ...]
    tokens: Packed
    labels: tuple[Tensor, ...] = ()
    kinds: tuple[str, ...] = ()
    samples: tuple[int, ...] = ()
    studies: tuple[int, ...] = ()
    conditions: Tensor | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    captions: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.tokens.lengths)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Windows":
        """The windows on another device."""
        images, labels = (
            tuple(t.to(device, non_blocking=non_blocking) for t in group) for group in (self.images, self.labels)
        )
        return replace(
            self,
            images=images,
            tokens=self.tokens.to(device, non_blocking=non_blocking),
            labels=labels,
            conditions=None if self.conditions is None else self.conditions.to(device, non_blocking=non_blocking),
            targets={name: value.to(device, non_blocking=non_blocking) for name, value in self.targets.items()},
        )

    def take(self, places: Sequence[int]) -> "Windows":
        """Some of the windows, in the order of `places`."""

        def some(group: tuple) -> tuple:
            return tuple(group[i] for i in places) if group else ()

        return Windows(
            images=some(self.images),
            tokens=self.tokens.take(places),
            labels=some(self.labels),
            kinds=some(self.kinds),
            samples=some(self.samples),
            studies=some(self.studies),
            conditions=None if self.conditions is None else self.conditions[list(places)],
            targets={name: value[list(places)] for name, value in self.targets.items()},
            captions=some(self.captions),
        )

    def of_kind(self, kind: str) -> "Windows":
        """The windows of one kind of view."""
        return self.take([i for i, found in enumerate(self.kinds) if found == kind])
