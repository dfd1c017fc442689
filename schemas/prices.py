"""What storage costs: a dated book of prices, a document that an installation may replace by its own.

Belongs here: fields and rules. What a lake would pay by it is `lake.tiers`; the book that ships is `lake/prices.yaml`.
"""

import datetime as dt

from pydantic import Field, model_validator

from schemas.document import Document


class Fall(Document):
    """A lower price for what nobody has read for a while."""

    after_days: int = Field(ge=1)
    """Days without a read from which it holds."""
    per_gb_month: float = Field(ge=0)
    """Price of a GB and month from then on."""


class StorageClass(Document):
    """One class of storage and everything that it charges for."""

    name: str = Field(min_length=1)
    """Name, as the provider writes it."""
    per_gb_month: float = Field(ge=0)
    """Price of a GB and month."""
    falls: list[Fall] = Field(default_factory=list)
    """Lower prices that the class moves unread files to by itself."""
    put_per_1000: float = Field(ge=0)
    """Price of 1,000 writes, or moves into the class."""
    get_per_1000: float = Field(ge=0)
    """Price of 1,000 reads, or restores where a file must be restored first."""
    retrieval_per_gb: float = Field(default=0.0, ge=0)
    """Price of reading a GB, on top of the request."""
    monitoring_per_1000: float = Field(default=0.0, ge=0)
    """Price of watching 1,000 files for a month."""
    minimum_days: int = Field(default=0, ge=0)
    """Days that are charged at least, also for what is deleted earlier."""
    minimum_bytes: int = Field(default=0, ge=0)
    """Size that is charged at least for each file; where the class falls by itself, smaller files never fall."""
    overhead_bytes: int = Field(default=0, ge=0)
    """Bytes charged in the class for each file, on top of its own."""
    overhead_standard_bytes: int = Field(default=0, ge=0)
    """Bytes charged in the book's first class for each file, on top of its own."""
    immediate: bool
    """Whether a file can be read within milliseconds; where it is not, Delta readers fail until it is restored."""
    single_zone: bool = False
    """Whether one data centre holds it all; never proposed, because not everything of a lake can be made again."""
    first_byte: str
    """How long the first byte takes, in words."""
    note: str = ""
    """What a reader of the numbers should know."""


class PriceBook(Document):
    """Prices of storage classes on a day."""

    date: dt.date
    """Day the prices were read."""
    region: str
    """Where they hold."""
    currency: str
    """Currency of all prices."""
    source: str = Field(min_length=1)
    """Where they were read."""
    bytes_per_gb: int = Field(default=2**30, gt=0)
    """What the provider calls a GB."""
    classes: list[StorageClass] = Field(min_length=1)
    """Storage classes; the first is what files are written to."""

    @model_validator(mode="after")
    def _usable(self) -> "PriceBook":
        names = [kind.name for kind in self.classes]
        if len(set(names)) != len(names):
            raise ValueError("found two classes of one name, needed a name of its own for each")
        if not self.classes[0].immediate or self.classes[0].single_zone:
            raise ValueError(
                "found a first class that is slow or in one zone, needed the one that files are written to"
            )
        for kind in self.classes:
            days = [fall.after_days for fall in kind.falls]
            if days != sorted(set(days)):
                raise ValueError("found falls that are not in order of their days, needed ascending ones")
        return self
