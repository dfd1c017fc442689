"""Volumes of a table as arrays: whole, or the crop that a training step needs.

Belongs here: from a volume's id to its voxels. The payload's layout is `lake.payload`, a frozen choice of volumes is
`lake.releases`.
"""

import mmap
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from lake import payload
from lake.zones import Lake
from schemas.contract import Table
from schemas.tables import VOLUMES

_MAPPED_FILES = 256
"""Files kept mapped at once; a mapping costs address space and a descriptor, not memory."""


class Volumes:
    """A table of volumes, or of label maps, opened for reading.

    It can be sent to other processes, forked or spawned: each maps files on its own.

    Attributes:
        ids: every volume's (or label's) id, in the order of the table.
    """

    def __init__(self, lake: Lake, contract: Table = VOLUMES, version: int | None = None) -> None:
        """Open a table.

        Args:
            lake: the lake.
            contract: `VOLUMES`, or `LABELS`, whose ids are those of label maps.
            version: the table as of this version; None: newest.

        Raises:
            TableMissing: if the table has no commit yet.
        """
        assert contract.payload, "only tables with a payload hold arrays"
        self._lake, self._contract, self._version = lake, contract, version
        self._column = contract.payload
        key = contract.key[-1]
        small = [c.name for c in contract.columns if c.name not in {self._column, "preview"}]
        table = lake.table(contract)
        self._rows = table.read(small, version=version)
        self._places = [p for file in table.files(version=version) for p in payload.places(file, self._column)]
        self.ids: list[str] = self._rows[key].to_pylist()
        self._index = {name: i for i, name in enumerate(self.ids)}
        self._open: OrderedDict[Path, mmap.mmap] = OrderedDict()

    def __len__(self) -> int:
        """Number of volumes."""
        return len(self.ids)

    def __contains__(self, volume: str) -> bool:
        """Whether there is a volume of this id."""
        return volume in self._index

    def __getstate__(self) -> dict[str, Any]:
        """All but the mapped files, which belong to one process."""
        return {**self.__dict__, "_open": OrderedDict()}

    def row(self, volume: str) -> dict[str, Any]:
        """The row of a volume, without its voxels.

        Raises:
            KeyError: if there is no such volume in this version of the table.
        """
        found: dict[str, Any] = self._rows.slice(self._position(volume), 1).to_pylist()[0]
        return found

    def affine(self, volume: str) -> NDArray[np.float64]:
        """(4, 4) from voxel index to RAS+ millimetres."""
        return np.array(self.row(volume)["affine"], dtype=np.float64).reshape(4, 4)

    def array(self, volume: str) -> NDArray[Any]:
        """All stored voxels, axes x, y, z and, where 4D, the fourth."""
        return payload.decode(self._frame(volume))

    def crop(self, volume: str, start: Sequence[int], shape: Sequence[int]) -> NDArray[Any]:
        """A window of the stored voxels; only the blocks that it touches are decoded.

        Args:
            volume: id of the volume.
            start: first voxel along each axis.
            shape: voxels along each axis; what reaches beyond the volume is cut off.
        """
        window = tuple(slice(s, s + n) for s, n in zip(start, shape, strict=True))
        return payload.decode(self._frame(volume), window)

    def values(self, volume: str) -> NDArray[np.float32]:
        """All voxels in the unit of the scanner: stored * slope + intercept."""
        row: Mapping[str, Any] = self.row(volume)
        return (self.array(volume) * np.float64(row["slope"]) + np.float64(row["intercept"])).astype(np.float32)

    def _position(self, volume: str) -> int:
        try:
            return self._index[volume]
        except KeyError:
            raise KeyError(
                f"found no {self._contract.key[-1]} {volume} among {len(self.ids)} of {self._contract.path}, "
                "needed one of this table version"
            ) from None

    def _frame(self, volume: str) -> Buffer:
        place = self._places[self._position(volume)]
        return payload.read(place, self._column, self._mapped(place.file))

    def _mapped(self, file: Path) -> mmap.mmap:
        if file in self._open:
            self._open.move_to_end(file)
            return self._open[file]
        with file.open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        self._open[file] = mapped
        if len(self._open) > _MAPPED_FILES:
            # views of it may still be in use: dropping the reference lets it close when they are gone
            self._open.popitem(last=False)
        return mapped
