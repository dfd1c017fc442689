"""Whose data an entry of the ledger is about: the members of its release, as far as the record says.

Belongs here: from an entry to members. What is told of them are accounts of disclosures and DICOM audit messages. An
entry names a release and perhaps a split, never a person; of a release that was withdrawn nobody can be named any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lake.releases import Member, Release
from lake.zones import Lake
from lineage.evidence.recorded import Entry
from lineage.exposures.exposures import exposed
from lineage.ledger.events import EventType

OPEN = ("train", "validation")
"""Splits that may leave; the test set is sealed."""


@dataclass(frozen=True)
class Persons:
    """Who is in which release.

    Attributes:
        lake: the lake.
        releases: releases that can be opened, by name.
    """

    lake: Lake
    releases: Mapping[str, Release]

    @classmethod
    def of(cls, lake: Lake, releases: Iterable[Release]) -> "Persons":
        """Members of some releases."""
        return cls(lake, {release.name: release for release in releases})

    def known(self, entry: Entry) -> bool:
        """Whether the release that an entry is about can be opened, and is the one that it was then."""
        release = self.releases.get(entry.facts.get("release", ""))
        said = entry.facts.get("release_sha256")
        return release is not None and said in (None, release.sha256)

    def certain(self, entry: Entry) -> bool:
        """Whether `members` names exactly those whom an entry is about, and not everybody who could be meant."""
        return entry.type != EventType.EXPORTED or len(_fitting(entry, self.releases[entry.facts["release"]])) == 1

    def members(self, entry: Entry) -> list[Member]:
        """Volumes that an entry is about; none where it is about no release, or about one that is not known.

        Exports say of which splits. Older ones say only how many volumes left: where one choice of splits fits the
        number it is that one, else everything that could have left is named.
        """
        if not self.known(entry):
            return []
        release = self.releases[entry.facts["release"]]
        if entry.type == EventType.TRAINED:
            return self._trained(entry, release)
        if "split" in entry.facts:
            return release.members(entry.facts["split"], sealed_ok=True)
        return [member for split in _splits(entry, release) for member in release.members(split)]

    def _trained(self, entry: Entry, release: Release) -> list[Member]:
        """Volumes that a training served; ancestors have entries of their own."""
        rows = exposed(self.lake, entry.facts["weights_sha256"]).select(["via", "volume"]).to_pylist()
        served = {row["volume"] for row in rows if row["via"] == entry.facts["model"]}
        return [member for split in OPEN for member in release.members(split) if member.volume in served]


def _splits(entry: Entry, release: Release) -> tuple[str, ...]:
    fitting = _fitting(entry, release)
    return fitting[0] if len(fitting) == 1 else OPEN


def _fitting(entry: Entry, release: Release) -> list[tuple[str, ...]]:
    if "splits" in entry.facts:
        return [tuple(entry.facts["splits"])]
    counts = {split: release.manifest.counts.get(split, {}).get("volumes", 0) for split in OPEN}
    choices: list[tuple[str, ...]] = [(OPEN[0],), (OPEN[1],), OPEN]
    return [splits for splits in choices if sum(counts[s] for s in splits) == entry.facts.get("volumes")]
