"""A study to be made: who, on which scanner, of what, with which series.

Belongs here: bringing a subject together. Writing it down is `imaging.phantom.headers`.
"""

from dataclasses import dataclass

from imaging.phantom.anatomy import Body, body
from imaging.phantom.config import PhantomConfig
from imaging.phantom.people import Encounter, Person, age_on, encounter, first_examination, person
from imaging.phantom.scan import Scan, scans
from imaging.phantom.seeds import digest, uid
from imaging.phantom.vocabulary import Vendor


@dataclass(frozen=True)
class Scanner:
    """A scanner.

    Attributes:
        model: Manufacturer's Model Name.
        field_t: field strength in tesla.
        software: Software Versions.
    """

    model: str
    field_t: float
    software: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A subject's examination.

    Attributes:
        config: the delivery's configuration.
        vendor: whose scanner it was.
        scanner: the scanner.
        person: who was examined.
        encounter: when, where, by whom.
        body: what lay in the scanner.
        scans: the series.
    """

    config: PhantomConfig
    vendor: Vendor
    scanner: Scanner
    person: Person
    encounter: Encounter
    body: Body
    scans: tuple[Scan, ...]

    @property
    def ordinal(self) -> int:
        """Which subject of the seed."""
        return self.person.ordinal

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return self.named_uid("study")

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, one for the study."""
        return self.named_uid("frame of reference")

    def series_uid(self, scan: Scan) -> str:
        """Series Instance UID."""
        return self.named_uid("series", scan.index)

    def sop_uid(self, scan: Scan, volume: int, index: int) -> str:
        """SOP Instance UID of a slice of a volume."""
        return self.named_uid("instance", scan.index, volume, index)

    def named_uid(self, *purpose: str | int) -> str:
        """A UID of the study for any other purpose."""
        return uid(self.config.seed, self.ordinal, self.config.visit, *purpose)

    def sometimes(self, purpose: str, one_in: int) -> bool:
        """Whether this subject is one of those that something is done to; every subject of a seed decides alike."""
        return (digest(self.config.seed, purpose)[0] + self.ordinal) % one_in == 0


def study(config: PhantomConfig, ordinal: int, scanners: dict[Vendor, tuple[Scanner, ...]]) -> Study:
    """The study of a subject at the configured visit.

    Args:
        config: the delivery's configuration.
        ordinal: which subject.
        scanners: the scanners of each vendor; a subject keeps to one.
    """
    vendor = config.vendors[ordinal % len(config.vendors)]
    who = person(config, ordinal)
    met = encounter(config, who)
    scanner = scanners[vendor][digest(config.seed, "scanner", ordinal)[0] % len(scanners[vendor])]
    # the anatomy is drawn for the age at the first visit, so that it stays the same person's
    lying = body(config, ordinal, age_on(who.born, first_examination(config, ordinal)))
    series = scans(config, ordinal, vendor, lying.part, scanner.field_t)
    return Study(config, vendor, scanner, who, met, lying, series)
