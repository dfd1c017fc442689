"""Whom and what the key of a table names: a subject, a study, a series or an image, in this delivery or another.

Belongs here: from original keys, which never leave the restricted zone, to pseudonyms.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from deid.vault import VaultError
from lake.tables.keys import Holders
from lake.zones import Lake
from schemas.delivery import Delivery
from schemas.diagnosis import Key
from schemas.tables import RECEIVED, VOLUMES
from stages.identity import open_vault

_COLUMN = {Key.STUDY: "study_uid", Key.SERIES: "series_uid", Key.ACCESSION: "accession", Key.PATH: "path"}
_NEEDED = ("delivery", "content", "outcome", "subject", "study", "series", *_COLUMN.values())
_IMAGES = ("dicom", "nifti")
_CACHED = 64

Row = dict[str, Any]


@dataclass(frozen=True)
class About:
    """What a line of a table is about; None: of wider scope.

    Attributes:
        subject: pseudonymous person.
        study: pseudonymous study.
        series: pseudonymous series.
        volume: the volume of the series, where it has one only.
    """

    subject: str
    study: str | None = None
    series: str | None = None
    volume: str | None = None


class Keys:
    """Keys of one delivery; the rest of the lake is read where a key is not in it."""

    def __init__(self, lake: Lake, delivery: str, manifest: Delivery) -> None:
        """Keys as this delivery uses them.

        Raises:
            TableMissing: if the delivery was not received yet.
        """
        self._lake, self._delivery, self._manifest = lake, delivery, manifest
        self._vault = open_vault(lake)
        self._own = _Known(_images(lake, delivery))
        self._holders: dict[str, Holders] = {}
        self._received = lru_cache(_CACHED)(partial(_images, lake))
        self._volumes = lru_cache(_CACHED)(self._read_volumes)

    def named(self, names: Key, key: str) -> About | None:
        """What a key names; None where nothing in the lake has it, or more than one thing does."""
        if names is Key.PATIENT:
            return self._patient(key)
        known = self._own.by(names, key)
        if known is None and names in (Key.STUDY, Key.SERIES):
            # UIDs mean the same everywhere; accession numbers and paths do not
            known = self._elsewhere(_COLUMN[names], key).by(names, key)
        if known is None:
            return None
        if names in (Key.STUDY, Key.ACCESSION):
            return About(known["subject"], known["study"])
        return About(known["subject"], known["study"], known["series"], self._volume(known))

    def _patient(self, patient: str) -> About | None:
        try:
            subject = self._vault.known(self._manifest.licensor, patient)
        except VaultError:
            return None
        there = subject and (
            subject.code in self._own.subjects or subject.code in self._elsewhere("subject", subject.code).subjects
        )
        return About(subject.code) if subject and there else None

    def _elsewhere(self, column: str, value: str) -> "_Known":
        """Images of the deliveries that have this value somewhere in a column."""
        if column not in self._holders:
            self._holders[column] = Holders.open(self._lake.table(RECEIVED), column)
        deliveries = {file.partition["delivery"] for file in self._holders[column].of(value)}
        return _Known([row for delivery in sorted(deliveries) for row in self._received(delivery)])

    def _volume(self, known: Row) -> str | None:
        volumes = self._volumes(known["delivery"]).get(known["series"], [])
        return volumes[0] if len(volumes) == 1 else None

    def _read_volumes(self, delivery: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for row in self._lake.table(VOLUMES).rows(["series", "volume"], {"delivery": delivery}):
            found[row["series"]].append(row["volume"])
        return found


class _Known:
    """Images by their keys."""

    def __init__(self, rows: list[Row]) -> None:
        self.subjects = {row["subject"] for row in rows}
        self._rows = rows
        self._index: dict[Key, dict[str, list[Row]]] = {}

    def by(self, names: Key, key: str) -> Row | None:
        """The first image with a key, if all images with it are of one study."""
        if names not in self._index:
            index: dict[str, list[Row]] = defaultdict(list)
            for row in self._rows:
                index[str(row[_COLUMN[names]] or "").strip()].append(row)
            self._index[names] = index
        rows = self._index[names].get(key, [])
        return rows[0] if len({(row["subject"], row["study"]) for row in rows}) == 1 else None


def _images(lake: Lake, delivery: str) -> list[Row]:
    rows = lake.table(RECEIVED).read(list(_NEEDED), {"delivery": delivery}).to_pylist()
    kept = [row for row in rows if row["outcome"] == "kept" and row["content"] in _IMAGES and row["subject"]]
    return sorted(kept, key=lambda row: (row["delivery"], row["path"]))
