"""A release in a scientist's hands: tables, volumes and data sets of its open splits, and a record of each access.

Belongs here: what `lake.open` gives. The release itself is `lake.releases`; recording is the room above's, found by
`lake.above`. Needs no Dagster and no JVM; torch, nibabel, pandas and polars are imported by the call that gives theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake import above
from lake.releases import SPLITS, Member, Release, ReleaseError
from lake.voxels import views
from lake.voxels.crops import Scaled
from lake.voxels.dataset import Crops
from lake.voxels.volumes import Volumes
from schemas.contract import Table
from schemas.release import ReleaseManifest
from schemas.tables import LABELS, SERIES, VOLUMES

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

OPEN = tuple(split for split in SPLITS if split != "test")
"""Splits that are read here; the test set is sealed until an evaluation opens it."""

_LEFT_OUT = {"voxels", "preview", "occupancy", "sources", "source_deliveries", "source_policies", "basis"}
"""Columns that the table leaves out: bytes, and lists of keys that only the lake itself needs."""


@dataclass(frozen=True)
class OpenRelease:
    """A frozen release, opened for a purpose.

    Example:
        >>> import lake  # doctest: +SKIP
        >>> release = lake.open("brain-2026q4")  # doctest: +SKIP
        >>> table = release.table()  # doctest: +SKIP
        >>> voxels = release.volume(table.volume[0])  # doctest: +SKIP

    Attributes:
        release: the release.
        purpose: what for; stands in the record of every access.
    """

    release: Release
    purpose: str

    def __repr__(self) -> str:
        """What a cell of a notebook shows: how much there is, under which licences, and no list of anybody."""
        volumes = ", ".join(f"{counts['volumes']} {split}" for split, counts in self.manifest.counts.items())
        licences = ", ".join(sorted(self.manifest.licences))
        return f"<release {self.name}: volumes {volumes} (test is sealed); {licences}; for {self.purpose}>"

    @property
    def name(self) -> str:
        """Name of the release."""
        return self.release.name

    @property
    def manifest(self) -> ReleaseManifest:
        """Counts, licences and versions of tables, as they were frozen."""
        return self.release.manifest

    def members(self, split: str | None = None) -> list[Member]:
        """Volumes of a split, or of all open ones.

        Raises:
            ReleaseError: if there is no such split, or it is the sealed test set.
        """
        return [member for name in self._splits(split) for member in self.release.members(name)]

    @overload
    def table(self, form: Literal["pandas"] = ..., split: str | None = ...) -> "pd.DataFrame": ...
    @overload
    def table(self, form: Literal["polars"], split: str | None = ...) -> "pl.DataFrame": ...
    @overload
    def table(self, form: Literal["arrow"], split: str | None = ...) -> pa.Table: ...
    def table(self, form: str = "pandas", split: str | None = None) -> Any:
        """One row a volume: its keys, split and label, and what is known of it and of its series.

        Args:
            form: pandas, polars or arrow.
            split: one split; None: all open ones.

        Raises:
            ReleaseError: if the split is sealed or none, or the form is another one.
        """
        if form not in ("pandas", "polars", "arrow"):
            raise ReleaseError(f"found form {form!r} of a table, needed pandas, polars or arrow")
        members = self.members(split)
        self._recorded(len(members), split)
        rows = self._rows(members)
        if form == "arrow":
            return rows
        if form == "pandas":
            return rows.to_pandas()
        import polars

        return polars.from_arrow(rows)

    @overload
    def volume(self, volume: str, form: Literal["numpy"] = ...) -> NDArray[np.float32]: ...
    @overload
    def volume(self, volume: str, form: Literal["torch"]) -> "views.Tensor": ...
    @overload
    def volume(self, volume: str, form: Literal["nibabel"]) -> "views.Nifti1Image": ...
    def volume(self, volume: str, form: str = "numpy") -> Any:
        """A volume in the unit of the scanner, axes x, y, z (RAS+) and, where 4D, the fourth.

        Args:
            volume: its id.
            form: numpy and torch give float32 values; nibabel gives an image with affine and scaling.

        Raises:
            ReleaseError: if it is no volume of an open split, or the form is another one.
            FileNotFoundError, lake.voxels.payload.PayloadError: as `Volumes.row`.
        """
        self._checked(form)
        self._member(volume)
        self._recorded(1)
        if form == "nibabel":
            return self._volumes.image(volume)
        values = self._volumes.values(volume)
        return values if form == "numpy" else views.tensor(values)

    def label(self, volume: str, form: str = "numpy") -> Any:
        """The label map of a volume, on its voxel grid.

        Args:
            volume: id of the volume.
            form: numpy, torch or nibabel.

        Raises:
            ReleaseError: if the volume is none of an open split or has no label map, or the form is another one.
        """
        self._checked(form)
        label = self._member(volume).label
        if label is None:
            raise ReleaseError(f"found no label map of volume {volume}, needed one of a row whose label is not empty")
        self._recorded(1)
        if form == "nibabel":
            return self._labels.image(label)
        return self._labels.array(label) if form == "numpy" else self._labels.tensor(label)

    def volumes(self) -> Volumes:
        """The volumes of the open splits, for crops, boxes in millimetres and rows."""
        self._recorded(len(self._volumes))
        return self._volumes

    def labels(self) -> Volumes:
        """The label maps of the open splits.

        Raises:
            ReleaseError: if the release has none.
        """
        labels = self._labels
        self._recorded(len(labels))
        return labels

    def torch(
        self,
        split: str,
        shape: Sequence[int] | None = (96, 96, 96),
        *,
        labels: bool = False,
        seed: int = 0,
    ) -> Crops:
        """A map-style data set of a split, ready for torch's `DataLoader`.

        A sample is a dictionary: `image`, `(1, *shape)` float32 in the unit of the scanner; `label`, `(1, *shape)`
        int64, where labels are asked for; `affine`, (4, 4) float32 from the sample's voxels to RAS+ millimetres;
        `volume`, its id. The sample at an index is the same in every process; `at_epoch` gives other crops of the same
        volumes.

        Example:
            >>> loader = torch.utils.data.DataLoader(release.torch("train"), batch_size=4)  # doctest: +SKIP

        Args:
            split: train or validation.
            shape: voxels of each random crop; smaller volumes are padded; None: whole volumes, to be loaded one by one.
            labels: serve the volumes with a label map, and it.
            seed: of the crops.

        Raises:
            ReleaseError: if the split is sealed or none, or holds nothing to serve.
        """
        members = [member for member in self.members(split) if member.label or not labels]
        if not members:
            what = "labelled volume" if labels else "volume"
            raise ReleaseError(f"release {self.name}: found no {what} in {split}, needed at least one")
        self._recorded(len(members), split)
        ids = [member.volume for member in members]
        maps = {member.volume: member.label for member in members if member.label} if labels else {}
        scaled = Scaled.of(self._volumes, ids, self._labels if labels else None, maps, tuple(shape) if shape else None)
        return Crops(self._volumes, scaled.shape, ids, seed, transform=scaled)

    def look(self, volume: str | None = None, *, where: str | None = None, limit: int = 100) -> Any:
        """A gallery for a notebook's cell, or a volume in three planes and 3D.

        Args:
            volume: id of one volume, shown with its label map (needs ipyniivue); None: a gallery.
            where: SQL predicate over the columns of `curated/volumes` and `curated/series` that chooses volumes.
            limit: most volumes of a gallery.

        Raises:
            ReleaseError: if it is no volume of an open split.
        """
        if volume is not None:
            self._member(volume)
        return above.found("look")(self, volume=volume, where=where, limit=limit)

    @cached_property
    def _of(self) -> dict[str, Member]:
        return {member.volume: member for split in OPEN for member in self.release.members(split)}

    @cached_property
    def _volumes(self) -> Volumes:
        return self.release.volumes().only(list(self._of))

    @cached_property
    def _labels(self) -> Volumes:
        return self.release.labels().only([member.label for member in self._of.values() if member.label])

    def _splits(self, split: str | None) -> Sequence[str]:
        return OPEN if split is None else (split,)

    def _member(self, volume: str) -> Member:
        if volume in self._of:
            return self._of[volume]
        if any(member.volume == volume for member in self.release.members("test", sealed_ok=True)):
            self.release.members("test")
        raise ReleaseError(
            f"release {self.name}: found no volume of that id among {len(self._of)}, needed one of its table()"
        )

    def _checked(self, form: str) -> None:
        if form not in ("numpy", "torch", "nibabel"):
            raise ReleaseError(f"found form {form!r} of a volume, needed numpy, torch or nibabel")

    def _recorded(self, rows: int, split: str | None = None) -> None:
        facts = {"release": self.name, **({"split": split} if split else {})}
        above.recorded(self.release.lake, self.name, rows, self.purpose, **facts)

    def _rows(self, members: Sequence[Member]) -> pa.Table:
        """Keys and splits of the frozen list, and columns of the frozen versions of the tables beside them."""
        keys = pa.schema([pa.field(field.name, pa.string()) for field in fields(Member)])
        table = pa.Table.from_pylist([vars(member) for member in members], keys)
        taken = {*table.column_names, *_LEFT_OUT}
        for contract, keys in ((VOLUMES, ["volume"]), (SERIES, ["delivery", "series"])):
            columns = [name for name in contract.arrow_schema.names if name not in taken]
            taken |= set(columns)
            table = self._beside(table, contract, keys, columns)
        if any(member.label for member in members):
            table = self._beside(table, LABELS, ["label"], ["task", "scheme"])
        return table

    def _beside(self, table: pa.Table, contract: Table, keys: list[str], columns: Iterable[str]) -> pa.Table:
        version = self.manifest.tables.get(contract.path)
        if version is None:
            return table
        named = list(columns)
        rows = self.release.lake.table(contract).read([*keys, *named], version=version)
        rows = rows.filter(pc.is_in(rows[keys[-1]], table[keys[-1]]))
        places = {key: place for place, key in enumerate(_keys(rows, keys))}
        taken = pa.array([places.get(key) for key in _keys(table, keys)], pa.int64())
        for name in named:
            table = table.append_column(name, rows[name].take(taken))
        return table


def _keys(table: pa.Table, names: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def opened(release: Release, purpose: str | None) -> OpenRelease:
    """A release, opened for a purpose: the one given, else `LARMOR_PURPOSE`, else what the release is for."""
    return OpenRelease(release, purpose or release.lake.settings.purpose or release.manifest.spec.purpose)
