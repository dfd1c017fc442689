"""A data set of volumes for any loader that takes `len` and `[]`, torch's among them.

Belongs here: which crop a place in a training is served, as a function of seed, epoch and index alone. Windows in
millimetres, tokens and objectives are the training's business.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.voxels.volumes import Volumes

Sample = dict[str, Any]
"""`voxels`; `volume`, its id; `start`, first voxel along each axis; `size`, voxels along each axis before padding."""


@dataclass(frozen=True)
class Crops:
    """Random crops of volumes, or whole ones: the sample at an index is the same in every process, in any order.

    It can be sent to other processes, forked or spawned. No random number generator is kept, so workers need no seeds.

    Example:
        >>> import lake, torch  # doctest: +SKIP
        >>> crops = lake.Crops(lake.open("brain-2026q4").volumes(), (96, 96, 96))  # doctest: +SKIP
        >>> loader = torch.utils.data.DataLoader(crops, batch_size=4, num_workers=8)  # doctest: +SKIP

    Attributes:
        volumes: an opened table or release.
        shape: voxels of each crop along x, y, z, and steps where four are given; a 4D volume gives one random step
            where three are given. A volume that is smaller is padded with stored zeros behind. None: whole volumes,
            which a loader can stack only where all have one shape.
        ids: the volumes to serve, in this order; None: all.
        seed: seed of the crops.
        epoch: part of the seed, so that each epoch has other crops; see `at_epoch`.
        transform: what is made of a sample; must be importable by name to be sent to other processes.
    """

    volumes: Volumes
    shape: tuple[int, ...] | None
    ids: Sequence[str] | None = None
    seed: int = 0
    epoch: int = 0
    transform: Callable[[Sample], Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a shape that is none."""
        if self.shape is not None and (len(self.shape) not in (3, 4) or min(self.shape) < 1):
            raise ValueError(f"found a crop of shape {tuple(self.shape)}, needed 3 or 4 numbers above 0")

    def __len__(self) -> int:
        """Samples of an epoch, one a volume."""
        return len(self.volumes) if self.ids is None else len(self.ids)

    def __getitem__(self, index: int) -> Any:
        """The sample at an index.

        Raises:
            IndexError: if there is none.
            KeyError, FileNotFoundError, lake.voxels.payload.PayloadError: as `Volumes.crop`.
        """
        ids = self.volumes.ids if self.ids is None else self.ids
        if not -len(ids) <= index < len(ids):
            raise IndexError(f"found index {index}, needed one below {len(ids)}")
        volume = ids[index]
        sample = self._crop(volume, index % len(ids)) if self.shape else self._whole(volume)
        return sample if self.transform is None else self.transform(sample)

    def at_epoch(self, epoch: int) -> "Crops":
        """The same data set in another epoch; a loader is made anew with it."""
        return replace(self, epoch=epoch)

    def _whole(self, volume: str) -> Sample:
        voxels = self.volumes.array(volume)
        return _sample(volume, voxels, np.zeros(voxels.ndim, np.int64), np.array(voxels.shape, np.int64))

    def _crop(self, volume: str, index: int) -> Sample:
        assert self.shape, "whole volumes have no crop"
        there, wanted = self.volumes.shape(volume), tuple(self.shape)
        size = (*wanted, 1) if len(there) == len(wanted) + 1 else wanted
        if len(size) != len(there):
            raise ValueError(f"found a volume of {len(there)} axes, needed 4 for crops of {len(wanted)}")
        draw = np.random.default_rng([self.seed, self.epoch, index])
        start = draw.integers(0, np.maximum(np.subtract(there, size), 0) + 1)
        voxels = self.volumes.crop(volume, start.tolist(), size)
        if len(size) > len(wanted):
            voxels = voxels[..., 0]
        full = np.zeros(wanted, voxels.dtype)
        full[tuple(slice(n) for n in voxels.shape)] = voxels
        return _sample(volume, full, start, np.array(voxels.shape, np.int64))


def _sample(volume: str, voxels: NDArray[Any], start: NDArray[np.int64], size: NDArray[np.int64]) -> Sample:
    return {"voxels": voxels, "volume": volume, "start": start, "size": size}
