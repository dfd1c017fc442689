"""The register of volumes that were ever served: each has a number, and sets of volumes are sets of numbers.

Belongs here: numbers. They are given once and stay, also when the volume, its release or its delivery is withdrawn:
what a model saw is evidence, and names persons by pseudonyms only.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from lake.zones import Lake
from lineage.exposures import kept
from lineage.exposures.plain import text
from schemas.tables import EXPOSED_VOLUMES

KEYS = ("delivery", "licence", "subject", "series", "volume")
"""What a volume can be asked for by."""

Key = tuple[str, ...]
"""Values of `KEYS`."""


class Member(Protocol):
    """What must be known of a volume of a release (`lake.releases.Member`)."""

    @property
    def delivery(self) -> str: ...  # noqa: D102
    @property
    def licence(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def series(self) -> str: ...  # noqa: D102
    @property
    def volume(self) -> str: ...  # noqa: D102


def key(member: Member) -> Key:
    """What a volume of a release is known by."""
    return member.delivery, member.licence, member.subject, member.series, member.volume


def volumes(lake: Lake, columns: Sequence[str] = KEYS) -> pa.Table:
    """The register: `number` and columns of `KEYS`."""
    return kept.read(lake.table(EXPOSED_VOLUMES), list(dict.fromkeys(["number", *columns])))


def numbered(lake: Lake, members: Iterable[Member]) -> dict[str, int]:
    """Number of each volume, by its id; those that have none yet get one.

    Raises:
        lake.tables.table.Conflict: if others gave numbers first on every try.
    """
    wanted = {key(member): member.volume for member in members}
    known: dict[Key, int] = {}

    def missing() -> list[dict[str, object]]:
        known.update(numbers(volumes(lake)))
        # persons and deliveries lie together, so that sets of them are short
        new = sorted(wanted.keys() - known.keys())
        given = dict(zip(new, range(len(known), len(known) + len(new)), strict=True))
        return [{"number": number, **dict(zip(KEYS, values, strict=True))} for values, number in given.items()]

    kept.add(lake.table(EXPOSED_VOLUMES), missing)
    if wanted.keys() - known.keys():
        known.update(numbers(volumes(lake)))
    return {volume: known[values] for values, volume in wanted.items()}


def numbers(register: pa.Table) -> dict[Key, int]:
    """Number of each volume of the register."""
    values = zip(*(register[name].to_pylist() for name in KEYS), strict=True)
    return dict(zip(values, register["number"].to_pylist(), strict=True))


def find(register: pa.Table, column: str, value: str) -> list[int]:
    """Numbers of the volumes with a value in a column."""
    found: list[int] = register.filter(pc.equal(register[column], text(value)))["number"].to_pylist()
    return found


def described(register: pa.Table, wanted: pa.Array) -> pa.Table:
    """Rows of the register, `KEYS` alone, in the order of the numbers that are asked for."""
    places = pc.index_in(wanted, register["number"].combine_chunks())
    return register.select(list(KEYS)).take(places)
