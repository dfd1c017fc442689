"""Who may act in which zone: the document `roles.yaml`, what an action needs, and why glass may be broken.

Belongs here: the fields. Asking is `lineage.terms.roles`, emergencies are `lineage.terms.emergency`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import Field

from schemas.document import Document
from schemas.naming import Name
from schemas.zone import Zone


class Emergency(StrEnum):
    """Why somebody needs a zone at once that no role gives; a closed list, because it goes on the ledger."""

    PATIENT_SAFETY = "patient-safety"
    INCIDENT_RESPONSE = "incident-response"
    LEGAL_ORDER = "legal-order"
    SYSTEM_RECOVERY = "system-recovery"


@dataclass(frozen=True)
class Needs:
    """Zones that an action takes from or leaves something in.

    The record that Larmor keeps of an action, in the audit zone, is not among them: nobody may act without leaving it.

    Attributes:
        reads: zones that it only reads.
        changes: zones that it writes to or deletes from; who may change a zone may read it.
    """

    reads: tuple[Zone, ...] = ()
    changes: tuple[Zone, ...] = ()

    @property
    def zones(self) -> tuple[Zone, ...]:
        """All of them, in the order of `Zone`."""
        return tuple(zone for zone in Zone if zone in self.reads or zone in self.changes)


def reading(*zones: Zone) -> Needs:
    """What only reads needs."""
    return Needs(reads=zones)


def changing(*zones: Zone, reads: Iterable[Zone] = ()) -> Needs:
    """What changes zones needs, and perhaps reads others."""
    return Needs(tuple(reads), zones)


class Role(Document):
    """What some principals may do."""

    members: list[str] = Field(min_length=1)
    """Principals, as shell patterns: `*@example.org`."""
    zones: list[Zone] = Field(default_factory=list)
    """Zones they may act in: read and change."""
    reads: list[Zone] = Field(default_factory=list)
    """Further zones that they may only read."""
    approves: bool = False
    """Whether they may be the second person when glass is broken."""

    def has(self, principal: str) -> bool:
        """Whether a principal is a member."""
        return any(fnmatchcase(principal, pattern) for pattern in self.members)


class Roles(Document):
    """Roles of an installation: whoever and whatever is not named is denied."""

    roles: dict[Name, Role]
    """Role to its members and zones."""
    break_glass_hours: int = Field(default=4, ge=1, le=72)
    """Hours that a broken glass stays open at most."""

    def allows(self, principal: str, zone: Zone, *, change: bool = True) -> bool:
        """Whether a role gives a principal a zone, to change or only to read it."""
        return any(
            role.has(principal) and (zone in role.zones or (zone in role.reads and not change))
            for role in self.roles.values()
        )

    def approves(self, principal: str) -> bool:
        """Whether a principal may be the second person."""
        return any(role.approves and role.has(principal) for role in self.roles.values())
