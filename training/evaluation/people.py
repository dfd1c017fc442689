"""Who is in a split, and releases beside the one that is evaluated.

Belongs here: volumes with whose they are and of which study, and finding another release. What is compared with whom
is `training.evaluation.disjoint`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

from training.data.source import Member, Source, usable


class Person(Member, Protocol):
    """A volume of a release and whose it is, as `lake.releases.Member`."""

    @property
    def study(self) -> str:
        """Pseudonymous study."""

    @property
    def series(self) -> str:
        """Pseudonymous series."""

    @property
    def pixel_digest(self) -> str:
        """Keyed digest of its voxels."""


Group = tuple[Person, ...]
"""Volumes that are seen, and spoken of, together: those of a study, or a single one."""


Elsewhere = Callable[[str], Source | None]
"""Gives the release of a name, or None where there is no such one."""


def people(release: Source, split: str, *, sealed_ok: bool = False) -> list[Person]:
    """The volumes of a split, by subject and volume."""
    found = cast(Sequence[Person], release.members(split, sealed_ok=sealed_ok))
    return sorted(found, key=lambda member: (member.subject, member.volume))


def usable_people(release: Source, members: Sequence[Person]) -> tuple[list[Person], dict[str, str]]:
    """Volumes that can be learned from or scored, and why each other one cannot.

    Raises:
        TrainingError: if there are volumes and none is usable.
    """
    if not members:
        return [], {}
    kept, skipped = usable(release.volumes(), [member.volume for member in members])
    names = {facts.volume for facts in kept}
    return [member for member in members if member.volume in names], skipped


def studies(members: Iterable[Person]) -> list[Group]:
    """The volumes of each study, in the order in which each first appears."""
    found: dict[str, list[Person]] = {}
    for member in members:
        found.setdefault(member.study, []).append(member)
    return [tuple(volumes) for volumes in found.values()]


def singles(members: Iterable[Person]) -> list[Group]:
    """Each volume by itself."""
    return [(member,) for member in members]


def nowhere(_name: str) -> Source | None:
    """No other release: for an evaluation without a lake."""
    return None


def of_lake(lake: Any) -> Elsewhere:
    """The releases of a lake."""
    from lake.releases import Release, ReleaseError

    def found(name: str) -> Source | None:
        try:
            return cast(Source, Release.open(lake, name))
        except ReleaseError:
            return None

    return found
