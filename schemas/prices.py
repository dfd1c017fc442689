"""What storage costs: a dated book of prices, a document that an installation may replace by its own.

Belongs here: fields and rules. What a lake would pay by it is `lake.tiering.tiers`; the book that ships is
`lake/tiering/prices.yaml`.
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


class Restore(Document):
    """One way of having archived files back."""

    name: str = Field(min_length=1)
    """Name, as the provider writes it."""
    per_1000: float = Field(ge=0)
    """Price of 1,000 requests."""
    per_gb: float = Field(ge=0)
    """Price of a GB, on top of the request."""
    hours: float = Field(gt=0)
    """How long it takes at most until the file can be read."""


class StorageClass(Document):
    """One class of storage and everything that it charges for."""

    name: str = Field(min_length=1)
    """Name, as the provider writes it."""
    code: str = ""
    """What the provider's interface calls it; empty: it has none, and files cannot be moved there through one."""
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
    lifecycle_after_days: int = Field(default=0, ge=0)
    """Days in the first class from which a lifecycle rule may move a file here; rules never move one back."""
    immediate: bool
    """Whether a file can be read within milliseconds; where it is not, Delta readers fail until it is restored."""
    restores: list[Restore] = Field(default_factory=list)
    """Ways of having files back where they cannot be read at once; `get_per_1000` and `retrieval_per_gb` price the
    first."""
    single_zone: bool = False
    """Whether one data centre holds it all; never proposed, because not everything of a lake can be made again."""
    first_byte: str
    """How long the first byte takes, in words."""
    note: str = ""
    """What a reader of the numbers should know."""

    @property
    def hours(self) -> float:
        """Hours until a file can be read: those of the first way to restore; 0 where it can be read at once."""
        return 0.0 if self.immediate else self.restores[0].hours

    @model_validator(mode="after")
    def _restorable(self) -> "StorageClass":
        if self.immediate == bool(self.restores):
            raise ValueError("found restores that do not fit, needed some where a class is slow, and none elsewhere")
        return self


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

    def named(self, name: str) -> StorageClass:
        """The class of this name.

        Raises:
            ValueError: if the book has none.
        """
        for kind in self.classes:
            if kind.name == name:
                return kind
        raise ValueError(
            f"found no storage class {name!r} in the price book of {self.date}, needed one of: "
            + ", ".join(kind.name for kind in self.classes)
        )
