"""Whether anything was lost: files received against what stands in the tables now.

Belongs here: counting over tables. Which check blocks what is said by the assets.
"""

from collections import Counter
from dataclasses import dataclass

from deid.headers.objects import becomes_volume
from lake.zones import Lake
from schemas.tables import INSTANCES, LABELS, QUARANTINE, RECEIVED, VOLUMES
from stages.intake.landed import manifest_of
from stages.labels import OBJECTS
from stages.standing import standing
from stages.versions import neighbours


@dataclass(frozen=True)
class Sheet:
    """A balance: what came in, and where it is."""

    received: int
    kept: int
    duplicates: int
    quarantined: int

    @property
    def balanced(self) -> bool:
        """Whether received = kept + duplicates + quarantined."""
        return self.received == self.kept + self.duplicates + self.quarantined

    def facts(self) -> dict[str, int | str]:
        """As metadata."""
        return {**self.__dict__, "rule": "received = kept + duplicates + quarantined"}


def completeness(lake: Lake, delivery: str) -> tuple[int, int | None]:
    """Files found, and files that the licensor says there are (None: not stated)."""
    manifest = manifest_of(lake, delivery)
    return len(_received(lake, delivery)), manifest.expected_files


def balance(lake: Lake, delivery: str) -> Sheet:
    """Files received against instances kept, other content kept, duplicates, and quarantine up to de-identification."""
    rows = _received(lake, delivery)
    kept = Counter(row["content"] for row in rows if row["outcome"] == "kept")
    instances = lake.table(INSTANCES).read(["instance"], {"delivery": delivery}).num_rows
    others = sum(number for content, number in kept.items() if content != "dicom")
    duplicates = sum(row["outcome"] == "duplicate" for row in rows)
    return Sheet(len(rows), instances + others, duplicates, _held(lake, delivery, ("received", "instances")))


def volume_balance(lake: Lake, delivery: str) -> Sheet:
    """Images kept so far, DICOM and NIfTI, against those in volumes and those held back by the last station."""
    delivered = {"delivery": delivery}
    nifti = sum(row["outcome"] == "kept" and row["content"] == "nifti" for row in _received(lake, delivery))
    instances = sum(becomes_volume(row["sop_class"]) for row in lake.table(INSTANCES).rows(["sop_class"], delivered))
    made = lake.table(VOLUMES).rows(["sources", "source_deliveries"], delivered)
    # an instance with many frames may be in several volumes, and a volume may hold instances of other deliveries
    own = set()
    for row in made:
        keepers = row["source_deliveries"] or [delivery] * len(row["sources"])
        own |= {name for name, keeper in zip(row["sources"], keepers, strict=True) if keeper == delivery}
    kept = len(own) + sum(not row["sources"] for row in made)
    return Sheet(instances + nifti, kept, _superseded(lake, delivery), _held(lake, delivery, ("volumes",)))


def _superseded(lake: Lake, delivery: str) -> int:
    """Images of a delivery that another one brought a newer version of."""
    near = neighbours(lake, delivery)
    rows = standing(lake, [delivery, *near]).rows if near else []
    return sum(row["delivery"] == delivery and not row["counts"] for row in rows)


def label_balance(lake: Lake, delivery: str) -> Sheet:
    """Label maps, segmentations and structure sets that came, against those with rows and those held back."""
    delivered = {"delivery": delivery}
    files = sum(row["outcome"] == "kept" and row["content"] == "label" for row in _received(lake, delivery))
    classes = lake.table(INSTANCES).rows(["sop_class"], delivered)
    sources = lake.table(LABELS).read(["source"], delivered)["source"].to_pylist()
    # an object may give several maps; a map without an object came as one NIfTI file
    kept = len({name for name in sources if name}) + sources.count(None)
    objects = sum(row["sop_class"] in OBJECTS for row in classes)
    return Sheet(files + objects, kept, 0, _held(lake, delivery, ("labels",)))


def _received(lake: Lake, delivery: str) -> list[dict[str, str]]:
    return lake.table(RECEIVED).rows(["content", "outcome"], {"delivery": delivery})


def _held(lake: Lake, delivery: str, stages: tuple[str, ...]) -> int:
    rows = lake.table(QUARANTINE).rows(["stage"], {"delivery": delivery})
    return sum(row["stage"] in stages for row in rows)
