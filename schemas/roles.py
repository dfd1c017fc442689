"""Who may act in which zone: the document `roles.yaml`, and the reasons for which glass may be broken.

Belongs here: the fields. Asking is `lineage.terms.roles`, emergencies are `lineage.terms.emergency`.
"""

from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import Field

from schemas.contract import Zone
from schemas.document import Document
from schemas.naming import Name


class Emergency(StrEnum):
    """Why somebody needs a zone at once that no role gives; a closed list, because it goes on the ledger."""

    PATIENT_SAFETY = "patient-safety"
    INCIDENT_RESPONSE = "incident-response"
    LEGAL_ORDER = "legal-order"
    SYSTEM_RECOVERY = "system-recovery"


class Role(Document):
    """What some principals may do."""

    members: list[str] = Field(min_length=1)
    """Principals, as shell patterns: `*@example.org`."""
    zones: list[Zone] = Field(default_factory=list)
    """Zones they may act in; an action asks for every zone that it reads or writes."""
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

    def allows(self, principal: str, zone: Zone) -> bool:
        """Whether a role gives a principal a zone."""
        return any(zone in role.zones and role.has(principal) for role in self.roles.values())

    def approves(self, principal: str) -> bool:
        """Whether a principal may be the second person."""
        return any(role.approves and role.has(principal) for role in self.roles.values())
