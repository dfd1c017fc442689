"""Volumes that a label may lie on: those its object refers to, those in its coordinates, those its key names.

Belongs here: finding candidates, in this delivery first and in the others of the lake after. Whether one fits is
`imaging.labels.labels` for label maps and `imaging.labels.drawings` for DICOM objects.
"""

from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pydicom

from imaging.labels.drawings import Drawing, Grid
from lake.tables.keys import Holders
from lake.zones import Lake
from schemas.tables import INSTANCES, VOLUMES

_COLUMNS = ("subject", "study", "series", "volume", "shape", "affine", "sources")
_CACHED = 64

Row = dict[str, Any]


class Images:
    """The volumes of a lake, seen from one delivery; what other deliveries hold is read when it is asked for.

    Attributes:
        delivery: from which they are seen.
    """

    def __init__(self, lake: Lake, delivery: str) -> None:
        """Look from this delivery.

        Raises:
            TableMissing: if no volumes were made yet.
        """
        self._lake, self.delivery = lake, delivery
        self._own = _volumes(lake, delivery)
        self._elsewhere = lru_cache(_CACHED)(self._read_elsewhere)
        self._frame = lru_cache(None)(self._read_frame)
        self._places = lru_cache(_CACHED)(_places)

    def keyed(self, subject: str, column: str, value: str) -> list[Row]:
        """Volumes of a subject with this value in a column: of this delivery, or of others where it has none."""
        own = [row for row in self._own if row["subject"] == subject and row[column] == value]
        return own or [row for row in self._elsewhere(subject) if row[column] == value]

    def drawn_on(self, drawing: Drawing, subject: str, study: str) -> Iterator[tuple[Row, str]]:
        """Volumes that an object of a subject may have been drawn on, likeliest first, and what makes them likely.

        Those made from instances that it refers to come first, most of them first; then those of the same frame of
        reference, its own study first. Of both, this delivery's come before those of others.
        """
        own = [row for row in self._own if row["subject"] == subject]
        seen = set()
        for near in (True, False):
            rows = own if near else self._elsewhere(subject)
            shared = [(len(drawing.references.intersection(row["sources"])), row) for row in rows]
            for number, row in sorted(shared, key=lambda pair: -pair[0]):
                if number:
                    seen.add(row["volume"])
                    yield row, "referenced instances"
        if not drawing.frame_of_reference:
            return
        for near in (True, False):
            for row in sorted(own if near else self._elsewhere(subject), key=lambda row: bool(row["study"] != study)):
                if row["volume"] not in seen and self._frame_of(row) == drawing.frame_of_reference:
                    yield row, "frame of reference and grid"

    def _read_elsewhere(self, subject: str) -> list[Row]:
        files = Holders.open(self._lake.table(VOLUMES), "subject").of(subject)
        # the lists of instances are large: only deliveries that hold something of the subject are read
        there = {file.partition["delivery"] for file in files} - {self.delivery}
        return [row for d in sorted(there) for row in _volumes(self._lake, d) if row["subject"] == subject]

    def _frame_of(self, row: Row) -> str:
        return self._frame(row["delivery"], row["sources"][0]) if row["sources"] else ""

    def _read_frame(self, delivery: str, instance: str) -> str:
        """Frame of Reference UID of an instance; empty where it has none or is not there."""
        place = self._places(self._lake, delivery).get(instance)
        if place is None:
            return ""
        file, group = place
        with self._lake.table(INSTANCES).source.parquet(file) as parquet:
            rows = parquet.read_row_group(group, columns=["instance", "dicom"])
        data = rows.filter(pc.equal(rows["instance"], instance))["dicom"][0].as_py()
        dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"])
        return str(dataset.get("FrameOfReferenceUID") or "")


def grid_of(row: Row) -> Grid:
    """The grid of a volume's row; a fourth axis does not count."""
    x, y, z = row["shape"][:3]
    return Grid(np.array(row["affine"], dtype=np.float64).reshape(4, 4), (x, y, z))


def _volumes(lake: Lake, delivery: str) -> list[Row]:
    rows = lake.table(VOLUMES).read(list(_COLUMNS), {"delivery": delivery}).to_pylist()
    return [row | {"delivery": delivery} for row in sorted(rows, key=lambda row: str(row["volume"]))]


def _places(lake: Lake, delivery: str) -> dict[str, tuple[str, int]]:
    """Part file and row group of each instance of a delivery."""
    found, table = {}, lake.table(INSTANCES)
    for file in table.names({"delivery": delivery}):
        with table.source.parquet(file) as parquet:
            for group in range(parquet.metadata.num_row_groups):
                names = parquet.read_row_group(group, columns=["instance"])["instance"].to_pylist()
                found.update(dict.fromkeys(names, (file, group)))
    return found
