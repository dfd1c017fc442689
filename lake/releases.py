"""Releases as readers see them: a frozen list of volumes with splits, and the table versions they are pinned to.

Belongs here: opening a release. Choosing and freezing one is `stages.release`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.staging import files
from lake.tables.parquet import rows_of
from lake.voxels import index
from lake.voxels.sources import Source, files_of
from lake.zones import Lake
from schemas.contract import Table, Zone
from schemas.naming import checked_name
from schemas.release import SUPERSEDED, ReleaseManifest
from schemas.tables import DIAGNOSES, LABELS, REPORTS, SERIES, VOLUMES

if TYPE_CHECKING:
    from lake.voxels.volumes import Volumes

MANIFEST, MEMBERS, CARD = "manifest.json", "members.parquet", "card.html"
CARD_TEXT = "card.md"
"""The card as Markdown."""
SPLITS = ("train", "validation", "test")


class ReleaseError(ValueError):
    """A release is not there, was changed after it was frozen, or a part of it is sealed."""


@dataclass(frozen=True)
class Member:
    """One volume of a release."""

    delivery: str
    subject: str
    study: str
    series: str
    volume: str
    split: str
    label: str | None
    licence: str
    pixel_digest: str


@dataclass(frozen=True)
class Release:
    """A frozen release.

    Attributes:
        manifest: what was frozen.
        sha256: digest of the manifest file, which names the release for ever.
    """

    lake: Lake = field(repr=False)
    manifest: ReleaseManifest
    sha256: str
    _members: pa.Table = field(repr=False)  # the sealed test set is among them

    @classmethod
    def open(cls, lake: Lake, name: str) -> "Release":
        """The release of this name.

        Raises:
            ReleaseError: if there is none, or its list of members is not the frozen one.
        """
        location = lake.location(Zone.CURATED, "releases", checked_name(name))
        if location.exists(SUPERSEDED):
            raise ReleaseError(
                f"release {name}: found it superseded by a withdrawal, needed one in use; freeze a new release "
                "from its specification under another name"
            )
        if not location.exists(MANIFEST):
            there = ", ".join(names(lake)) or "none"
            raise ReleaseError(
                f"found no release {name}, needed one of: {there}; freeze one with larmor releases freeze SPEC, or "
                f"set LARMOR_ROOT if the lake is another than {lake.settings.root}"
            )
        raw = location.read_bytes(MANIFEST)
        manifest = ReleaseManifest.model_validate_json(raw)
        members = location.read_bytes(MEMBERS)
        if hashlib.sha256(members).hexdigest() != manifest.members_sha256:
            raise ReleaseError(
                f"release {name}: found a list of members with another digest than the manifest's, needed the frozen "
                "one; restore it from a backup or freeze a new release"
            )
        return cls(lake, manifest, hashlib.sha256(raw).hexdigest(), rows_of(members))

    @property
    def name(self) -> str:
        """Name of the release."""
        return self.manifest.name

    def members(self, split: str, *, sealed_ok: bool = False) -> list[Member]:
        """Volumes of a split.

        Args:
            split: train, validation or test.
            sealed_ok: said by the one who records the opening of the sealed test set.

        Raises:
            ReleaseError: if there is no such split, or test is asked for without `sealed_ok`.
        """
        if split not in SPLITS:
            raise ReleaseError(f"found split {split!r}, needed one of {', '.join(SPLITS)}")
        if split == "test" and not sealed_ok:
            raise ReleaseError(
                f"release {self.name}: the test set is sealed, needed an evaluation that records its opening; "
                "use larmor evaluate"
            )
        return [Member(**row) for row in self._members.to_pylist() if row["split"] == split]

    def volumes(self) -> "Volumes":
        """The volumes of all splits, at the version of the table that was frozen."""
        return self._opened(VOLUMES, "volume")

    def labels(self) -> "Volumes":
        """The label maps of its volumes, at the version of the table that was frozen.

        Raises:
            ReleaseError: if the release has none.
        """
        if LABELS.path not in self.manifest.tables:
            raise ReleaseError(
                f"release {self.name}: found no labels in it, needed a spec with label_task; freeze a new release"
            )
        return self._opened(LABELS, "label")

    def indexes(self) -> dict[str, tuple[Table, Source, index.Index]]:
        """Where its volumes and labels lie in the zone: by table path the contract, the files, its members' index."""
        tables = [(VOLUMES, "volume"), (LABELS, "label")]
        return {t.path: (t, *self._index(t, column)) for t, column in tables if t.path in self.manifest.tables}

    def _opened(self, contract: Table, column: str) -> "Volumes":
        from lake.voxels.volumes import Volumes  # with a codec that who reads members alone has no need of

        origin = self.lake.table(contract).source
        if near := files.staged(self.lake.settings, self.sha256, contract, origin):
            return Volumes.of(near[0], contract, near[1])
        source, found = self._index(contract, column)
        return Volumes.of(files.nearest(self.lake.settings, contract, source), contract, found)

    def _index(self, contract: Table, column: str) -> tuple[Source, index.Index]:
        source, version = self.lake.table(contract).source, self.manifest.tables[contract.path]
        ids = self._members[column].drop_null()
        return source, index.frozen(source, contract, version, ids, _kept(self.lake, self.name, contract))

    def diagnoses(self, members: Sequence[Member]) -> list[tuple[Member, dict[str, Any]]]:
        """What is diagnosed of members, at the version of the table that was frozen.

        A diagnosis belongs to a member if it is of the member's subject, and of its study, series and volume where it
        names them.

        Args:
            members: volumes that `members` gave; a sealed set stays sealed.

        Returns:
            Members with a row of `curated/diagnoses` each; none where the release was frozen without such a table.
        """
        if DIAGNOSES.path not in self.manifest.tables:
            return []
        rows = self.lake.table(DIAGNOSES).read(version=self.manifest.tables[DIAGNOSES.path]).to_pylist()
        of: dict[str, list[dict[str, Any]]] = {}
        for row in sorted(rows, key=lambda row: (row["name"], row["delivery"], row["diagnosis"])):
            of.setdefault(row["subject"], []).append(row)
        narrower = ("study", "series", "volume")
        return [
            (member, row)
            for member in members
            for row in of.get(member.subject, [])
            if all(row[name] in (None, getattr(member, name)) for name in narrower)
        ]

    def texts(self, volumes: Sequence[str]) -> dict[str, str]:
        """What reports say of volumes, at the version of the table that was frozen.

        A report says something of the volumes of its study. Reports under a licence that the release does not name are
        left out, and so are captions: whoever wants one composes it.

        Args:
            volumes: ids of volumes that `members` gave; a sealed set stays sealed.

        Returns:
            Volume to text, several reports in the order of source and id; volumes without one are left out, all of them
            where the release was frozen without such a table.
        """
        kept = ["subject", "study", "source", "report", "licence", "text"]
        of: dict[tuple[str, str], list[str]] = {}
        for row in sorted(self._about(REPORTS, kept, "study", volumes), key=lambda r: (r["source"], r["report"])):
            if row["source"] != "caption" and row["licence"] in self.manifest.licences:
                of.setdefault((row["subject"], row["study"]), []).append(row["text"])
        found = {m["volume"]: of.get((m["subject"], m["study"])) for m in self._chosen(volumes).to_pylist()}
        return {volume: "\n\n".join(texts) for volume, texts in found.items() if texts}

    def described(self, volumes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The row of `curated/series` of each volume, at the version of the table that was frozen.

        Args:
            volumes: ids of volumes that `members` gave.

        Returns:
            Volume to row; volumes without one are left out.
        """
        rows = {(row["delivery"], row["series"]): row for row in self._about(SERIES, None, "series", volumes)}
        found = {m["volume"]: rows.get((m["delivery"], m["series"])) for m in self._chosen(volumes).to_pylist()}
        return {volume: row for volume, row in found.items() if row}

    def _chosen(self, volumes: Sequence[str]) -> pa.Table:
        return self._members.filter(pc.is_in(self._members["volume"], pa.array(volumes, pa.string())))

    def _about(
        self, contract: Table, columns: list[str] | None, key: str, volumes: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Rows of a frozen table that share a key with volumes; none where it was not frozen."""
        if contract.path not in self.manifest.tables:
            return []
        table = self.lake.table(contract).read(columns, version=self.manifest.tables[contract.path])
        rows: list[dict[str, Any]] = table.filter(pc.is_in(table[key], self._chosen(volumes)[key])).to_pylist()
        return rows


def keep_places(lake: Lake, name: str, versions: Mapping[str, int], members: Sequence[Mapping[str, Any]]) -> None:
    """Keep where a release's volumes and labels lie, so that it opens at once whatever becomes of the tables.

    Args:
        lake: the lake.
        name: name of the release.
        versions: version of each table by path, as in its manifest.
        members: its rows, with `volume` and `label`.
    """
    for contract, column in ((VOLUMES, "volume"), (LABELS, "label")):
        if contract.path in versions:
            ids = [row[column] for row in members if row[column] is not None]
            source = lake.table(contract).source
            index.freeze(source, contract, versions[contract.path], ids, _kept(lake, name, contract))


def _kept(lake: Lake, name: str, contract: Table) -> tuple[Source, str]:
    return files_of(lake.location(Zone.CURATED, "releases", name)), f"{contract.name}.index"


def names(lake: Lake) -> list[str]:
    """Releases of a lake."""
    location = lake.location(Zone.CURATED, "releases")
    return [name for name in location.list() if location.exists(f"{name}/{MANIFEST}")]
