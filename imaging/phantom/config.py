"""What a phantom delivery is to be, and what was made of it.

Belongs here: the configuration with its rules and the summary. Making it is `imaging.phantom.delivery`.
"""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from imaging.phantom.vocabulary import BodyPart, Contrast, Vendor
from schemas.naming import checked_name

MAX_ORDINAL = 1000
"""Subjects one seed can name without two of them sharing a word (`imaging.phantom.words`)."""


class Part(StrEnum):
    """Which part of the split subject's first series a delivery holds."""

    FIRST = "first"
    REST = "rest"


@dataclass(frozen=True)
class PhantomConfig:
    """A delivery of phantom subjects.

    The same seed and ordinal give the same person, anatomy, scanner and studies in every delivery whose imaging
    fields (`vendors` to `noise`) are the same; that is how a series is split and how a subject comes back.

    Raises:
        ValueError: if a field is out of its range or two fields contradict each other.
    """

    name: str
    """Name of the delivery, also its folder's."""
    seed: int = 0
    """Seed of everything random."""
    licence: str = "phantom-licence"
    """Id of the licence it comes under."""
    licensor: str = "Phantom Imaging Consortium"
    """Who hands it over."""
    received: dt.date = dt.date(2026, 1, 15)
    """The day its manifest says it was received."""
    purpose: str = "model-training"
    """What its manifest says it is used for."""
    subjects: int = 4
    """How many subjects it holds, the split subject's rest not counted."""
    first_subject: int = 0
    """Ordinal of its first subject; deliveries share the subjects whose ordinals they share."""
    visit: int = 0
    """Which examination of its subjects it holds: a later visit is a new study of the same person, a year later."""
    vendors: tuple[Vendor, ...] = tuple(Vendor)
    """Scanners, taken in turn by ordinal."""
    body_parts: tuple[BodyPart, ...] = (BodyPart.HEAD,)
    """Body parts, taken in turn by ordinal: four heads and a knee make every fifth subject a knee."""
    matrix: int = 80
    """Pixels along the longer side of a T1 image; the other series follow in proportion, up to 1.2 times as many."""
    slices: int = 20
    """Slices of an axial structural series; the other series follow in proportion."""
    directions: int = 3
    """Diffusion directions at b = 1000, after one volume at b = 0."""
    lesions: float = 0.4
    """Fraction of subjects with a lesion."""
    noise: float = 0.02
    """Standard deviation of the noise in each receiver channel, as a fraction of the brightest tissue's signal."""
    labelled: float = 0.5
    """Fraction of subjects whose tissue maps are delivered as labels; spread evenly over ordinals."""
    label_contrasts: tuple[Contrast, ...] = (Contrast.T1,)
    """Which series of a labelled subject have a label map."""
    findings: bool = False
    """Whether a table says of each study if it shows a lesion, beside a remark that must not leave."""
    faults: bool = True
    """Whether things go wrong: missing slices, duplicates, unreadable files and so on."""
    split_subject: int | None = None
    """Ordinal of the subject whose first series comes in two deliveries; None: none."""
    part: Part | None = None
    """Which part of that series this delivery holds; `rest` adds those slices alone to the delivery."""
    checksums: bool = False
    """Whether a list of SHA-256 digests comes with it."""

    def __post_init__(self) -> None:
        """Refuse a delivery that cannot be made."""
        checked_name(self.name)
        checked_name(self.licence)
        _within("subjects", self.subjects, 1, MAX_ORDINAL)
        _within("first_subject", self.first_subject, 0, MAX_ORDINAL - self.subjects)
        _within("visit", self.visit, 0, 9)
        _within("matrix", self.matrix, 24, 512)
        _within("slices", self.slices, 8, 400)
        _within("directions", self.directions, 3, 64)
        _within("seed", self.seed, 0, 2**63 - 1)
        for name in ("lesions", "labelled", "noise"):
            _within(name, getattr(self, name), 0, 1)
        for name in ("vendors", "body_parts"):
            if not getattr(self, name):
                raise ValueError(f"{name}: found none, needed at least one")
        self._check_split()

    def _check_split(self) -> None:
        if (self.split_subject is None) != (self.part is None):
            raise ValueError("found one of split_subject and part, needed both or neither")
        if self.split_subject is None:
            return
        _within("split_subject", self.split_subject, 0, MAX_ORDINAL - 1)
        here = self.split_subject in self.ordinals
        if here != (self.part is Part.FIRST):
            raise ValueError(
                f"found part {self.part!s} with the split subject {'among' if here else 'outside'} the delivery's "
                "subjects, needed `first` where the subject is and `rest` where it is not"
            )

    @property
    def ordinals(self) -> range:
        """Ordinals of the delivery's subjects."""
        return range(self.first_subject, self.first_subject + self.subjects)


@dataclass(frozen=True)
class PhantomSummary:
    """What was made."""

    name: str
    """Name of the delivery."""
    folder: Path
    """The delivery."""
    answers: Path
    """Its answer key."""
    files: int
    """Files of the delivery, its manifest left out."""
    dicom: int
    """Files that are, or pretend to be, DICOM."""
    subjects: int
    """Subjects with at least one file."""
    series: int
    """Image series with at least one file."""
    labels: int
    """Label maps delivered."""
    reports: int
    """Reports delivered."""
    planted: int
    """Identifying strings planted."""
    duplicates: int
    """Files that repeat another file byte for byte."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """Files that must be held back, by reason."""


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: found {value}, needed {low} to {high}")
