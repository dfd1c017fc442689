"""Volumes of a table or a release as arrays: whole, or the crop that a training step needs.

Belongs here: from a volume's id to its voxels and its row. The payload's layout is `lake.voxels.payload`, where it lies
is `lake.voxels.index`, a frozen choice of volumes is `lake.releases`, what other libraries want of a volume is
`lake.voxels.views`.
"""

import contextlib
import json
import operator
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.tables.formats import outdated
from lake.tiering import archived
from lake.voxels import index, payload, views
from lake.voxels.places import Place, places, read
from lake.voxels.places import place as place_of
from lake.voxels.sources import Source, UnreadableFile, source_of
from lake.zones import Lake
from schemas.contract import Table
from schemas.tables import TABLES, VOLUMES

_LARGE = frozenset({"preview"})
"""Columns that a row leaves out unless asked for them, as it does the payload."""
_KEPT_FRAMES, _KEPT_BYTES = 64, 64 << 20
"""Opened payloads kept for the next crop of their volumes: how many, an eighth of a megabyte each, and bytes of those
that were fetched, not mapped: a loader has several processes, and each keeps its own."""
_WITHOUT = "found its file without it, needed it there"
_RESTORE = "restore the file from a backup or materialize its delivery again"


def contract_of(source: Source) -> Table:
    """The contract of a table of volumes that the last part of its place names.

    Raises:
        ValueError: if that names none.
    """
    name = source.uri.rstrip("/").rpartition("/")[2]
    for table in TABLES:
        if table.payload and table.name == name:
            return table
    names = [table.name for table in TABLES if table.payload]
    raise ValueError(f"found a table that is named none of {', '.join(names)}, needed one, or its contract")


class Volumes:
    """A table of volumes, or of label maps, opened for reading.

    Opening reads one small file, whatever the size of the table; data files are opened when a volume is asked for. It
    can be sent to other processes, forked or spawned: each opens files on its own, and reads the same version.

    Whoever opens it keeps the record of its reading; `lake.Volumes` does so by itself.

    Example:
        >>> volumes = Volumes.open("s3://bucket/curated/volumes")  # doctest: +SKIP
        >>> crop = volumes.crop(volumes.ids[0], (0, 0, 0), (96, 96, 96))  # doctest: +SKIP
    """

    def __init__(self, lake: Lake, contract: Table = VOLUMES, version: int | None = None) -> None:
        """Open a table of a lake.

        Args:
            lake: the lake.
            contract: `VOLUMES`, or `LABELS`, whose ids are those of label maps.
            version: the table as of this version; None: newest.

        Raises:
            TableMissing: if the table has no commit yet, or no such version.
            TableOutdated: if it was made under an older contract.
            lake.tiering.archived.Archived: if files of it must be restored first.
        """
        source = lake.table(contract).source
        self._set(source, contract, index.opened(source, contract, version))

    @classmethod
    def open(cls, uri: str | Path, version: int | None = None, contract: Table | None = None) -> "Volumes":
        """Open a table wherever it lies.

        Args:
            uri: the table's folder, or its `s3://` URI; credentials, region and endpoint of S3 are those of the usual
                `AWS_*` environment variables.
            version: the table as of this version; None: newest.
            contract: its contract; None: the one that the last part of `uri` names, volumes or labels.

        Raises:
            ValueError: if that names none, or `uri` is of another kind.
            TableMissing: if there is no table, or no such version.
            TableOutdated: if it was made under an older contract.
            lake.tiering.archived.Archived: if files of it must be restored first.
        """
        source = source_of(uri)
        found = contract or contract_of(source)
        return cls.of(source, found, index.opened(source, found, version))

    @classmethod
    def of(cls, source: Source, contract: Table, found: index.Index) -> "Volumes":
        """Volumes that an index names."""
        made = cls.__new__(cls)
        made._set(source, contract, found)
        return made

    def _set(self, source: Source, contract: Table, found: index.Index) -> None:
        assert contract.payload, "only tables with a payload hold arrays"
        archived.check(source, contract.path, lambda: found.rows["file"].unique().to_pylist())
        self._source, self._contract, self._index = source, contract, found
        self._payload, self._key = contract.payload, contract.key[-1]
        self._frames: OrderedDict[str, payload.Frame] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_frames": OrderedDict()}

    @property
    def version(self) -> int:
        """The version of the table."""
        return self._index.version

    @property
    def ids(self) -> list[str]:
        """Every volume's (or label's) id, sorted."""
        return self._index.ids

    def only(self, volumes: Sequence[str]) -> "Volumes":
        """Some of the volumes, as if there were no others."""
        return Volumes.of(self._source, self._contract, self._index.only(volumes))

    def __len__(self) -> int:
        """Number of volumes."""
        return int(self._index.rows.num_rows)

    def __contains__(self, volume: str) -> bool:
        """Whether there is a volume of this id."""
        return self._index.find(volume) is not None

    def shape(self, volume: str) -> tuple[int, ...]:
        """Voxels of a volume along each axis, known without reading its file."""
        return self._place(volume).shape

    def row(self, volume: str, columns: Sequence[str] | None = None) -> dict[str, Any]:
        """The row of a volume.

        Args:
            volume: its id.
            columns: which; None: all but voxels and preview.

        Raises:
            KeyError: if there is no such volume in this version of the table.
            FileNotFoundError: if its file is gone.
            PayloadError: if its file cannot be read.
        """
        names = self._names(columns)
        return self._completed(names, *self._stored(volume, self._place(volume), names))

    def rows(self, volumes: Iterable[str] | None = None, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Rows of many volumes; each file is read once.

        Args:
            volumes: their ids; None: all.
            columns: which; None: all but voxels and preview.

        Returns:
            A row a volume, in the order asked for.

        Raises:
            As `row`.
        """
        wanted, names = self.ids if volumes is None else list(volumes), self._names(columns)
        files: defaultdict[str, dict[str, Place]] = defaultdict(dict)
        for volume in wanted:
            place = self._place(volume)
            files[place.file][volume] = place
        found: dict[str, dict[str, Any]] = {}
        for file, there in files.items():
            with self._told(next(iter(there))):
                table = read(self._source.parquet(file), [self._key, *(n for n in names if n != self._key)])
            for row in table.to_pylist():
                if row[self._key] in there:
                    found[row[self._key]] = self._completed(names, row, there[row[self._key]])
        for volume in (volume for volume in wanted if volume not in found):
            with self._told(volume):
                raise payload.PayloadError(_WITHOUT)
        return [found[volume] for volume in wanted]

    def affine(self, volume: str) -> NDArray[np.float64]:
        """(4, 4) from voxel index to RAS+ millimetres."""
        return np.array(self.row(volume, ["affine"])["affine"], dtype=np.float64).reshape(4, 4)

    def array(self, volume: str) -> NDArray[Any]:
        """All stored voxels, axes x, y, z and, where 4D, the fourth.

        Raises:
            As `row`; PayloadError also where the voxels are damaged.
        """
        return self._decoded(volume, None)

    def crop(self, volume: str, start: Sequence[int], shape: Sequence[int]) -> NDArray[Any]:
        """A window of the stored voxels; only the blocks that it touches are decoded.

        Args:
            volume: id of the volume.
            start: first voxel along each axis.
            shape: voxels along each axis; what reaches beyond the volume is cut off.

        Raises:
            ValueError: if the numbers are not one an axis, of which a 4D volume has four; else as `array`.
        """
        axes = len(self.shape(volume))
        if not len(start) == len(shape) == axes:
            raise ValueError(
                f"{self._key} {volume}: found a window of {len(start)} and {len(shape)} numbers, needed {axes} each, "
                "one an axis; see shape(volume)"
            )
        whole = operator.index  # a fraction is no voxel, and Blosc2 would call the frame damaged
        window = [slice(max(whole(s), 0), max(whole(s) + whole(n), 0)) for s, n in zip(start, shape, strict=True)]
        return self._decoded(volume, tuple(window))

    def values(self, volume: str) -> NDArray[np.float32]:
        """All voxels in the unit of the scanner: stored * slope + intercept."""
        row = self.row(volume, ["slope", "intercept"])
        return (self.array(volume) * np.float64(row["slope"]) + np.float64(row["intercept"])).astype(np.float32)

    def crop_mm(
        self, volume: str, centre_mm: Sequence[float], size_mm: Sequence[float]
    ) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """The stored voxels of a box in space.

        Args:
            volume: id of the volume.
            centre_mm: (3,) centre of the box, RAS+ millimetres.
            size_mm: (3,) edges along right, anterior and superior.

        Returns:
            The smallest window with every voxel whose centre lies in the box, all steps of a fourth axis, and (4, 4)
            from the window's voxel index to RAS+ millimetres. What reaches beyond the volume is cut off.

        Raises:
            ValueError: if no voxel's centre lies in the box.
        """
        affine, shape = self.affine(volume), self.shape(volume)
        start, size = views.window(affine, shape[:3], centre_mm, size_mm)
        steps = shape[3:]
        return self.crop(volume, (*start, *(0 for _ in steps)), (*size, *steps)), views.moved(affine, start)

    def tensor(self, volume: str) -> "views.Tensor":
        """All stored voxels as a torch tensor, axes as in `array`."""
        return views.tensor(self.array(volume))

    def image(self, volume: str) -> "views.Nifti1Image":
        """The volume as nibabel's image, as if loaded from a NIfTI file.

        Its `get_fdata()` gives values in the unit of the scanner, its `dataobj.get_unscaled()` the stored voxels.
        """
        names = [name for name in ("slope", "intercept", "times") if name in self._contract.arrow_schema.names]
        facts = self.row(volume, ["affine", *names])
        return views.image(self.array(volume), facts)

    def _place(self, volume: str) -> Place:
        if found := self._index.find(volume):
            return found
        raise KeyError(
            f"found no {self._key} {volume} among {len(self)} of {self._contract.path}, "
            "needed one of this table version"
        )

    def _decoded(self, volume: str, window: payload.Window | None) -> NDArray[Any]:
        with self._told(volume):
            # taken out while it is read: two threads that read one volume open it twice
            frame = self._frames.pop(volume, None) or self._opened(volume)
            voxels = frame.read(window)
            self._keep(volume, frame)
            return voxels

    def _keep(self, volume: str, frame: payload.Frame) -> None:
        if frame.held > _KEPT_BYTES:
            return
        self._frames[volume] = frame
        # listed at once, since other threads put and take as well
        while len(kept := list(self._frames.values())) > _KEPT_FRAMES or sum(f.held for f in kept) > _KEPT_BYTES:
            with contextlib.suppress(KeyError):
                self._frames.popitem(last=False)

    def _opened(self, volume: str) -> payload.Frame:
        place = self._place(volume)
        if place.offset is not None:
            data = self._source.part(place.file, place.offset, place.length)
            if payload.is_frame(data) and memoryview(data).nbytes == place.length:
                return payload.Frame(data)
        # the layout is another one: read the value as any Parquet reader does
        row, _ = self._stored(volume, place, [self._payload])
        return payload.Frame(row[self._payload])

    def _stored(self, volume: str, place: Place, names: Sequence[str]) -> tuple[dict[str, Any], Place]:
        """What a file holds of a volume, found again where another engine rewrote the file in its place."""
        with self._told(volume):
            row = self._row_at(volume, place, names)
            if row is None:
                again = places(self._source, self._contract, place.file, json.dumps(dict(place.partition)))
                at = {p["id"]: place_of(p) for p in again.to_pylist()}.get(volume, place)
                row, place = self._row_at(volume, at, names), at
            if row is None:
                raise payload.PayloadError(_WITHOUT)
            return row, place

    def _row_at(self, volume: str, place: Place, names: Sequence[str]) -> dict[str, Any] | None:
        parquet = self._source.parquet(place.file)
        if place.row_group >= parquet.num_row_groups:
            return None
        table = read(parquet, [self._key, *(n for n in names if n != self._key)], place.row_group)
        row = table.slice(place.row, 1).to_pylist()
        return row[0] if row and row[0][self._key] == volume else None

    def _names(self, columns: Sequence[str] | None) -> list[str]:
        there = self._contract.arrow_schema.names
        if columns is None:
            return [name for name in there if name not in _LARGE and name != self._payload]
        if strangers := set(columns) - set(there):
            raise ValueError(f"table {self._contract.path}: found no columns {sorted(strangers)} in its contract")
        return list(columns)

    def _completed(self, names: Sequence[str], row: Mapping[str, Any], place: Place) -> dict[str, Any]:
        found = {**row, **place.partition}
        if missing := self._contract.incomplete(names, found):
            raise outdated(self._contract, missing)
        return {name: found[name] if name in found else self._contract.older(name) for name in names}

    @contextlib.contextmanager
    def _told(self, volume: str) -> Iterator[None]:
        """Say whose file is gone or damaged, and what to do."""
        what = f"table {self._contract.path}, {self._key} {volume}"
        try:
            yield
        except UnreadableFile:
            raise payload.PayloadError(f"{what}: found a damaged part file, needed it whole; {_RESTORE}") from None
        except payload.PayloadError as error:
            raise (error if what in str(error) else payload.PayloadError(f"{what}: {error}; {_RESTORE}")) from None
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{what}: found its part file gone, needed it; it was withdrawn or cleaned up since this was "
                "opened, or lost: open the table or release again, or restore a lost file from a backup"
            ) from None
