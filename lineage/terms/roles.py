"""Roles by zone: who may act where, denied by default once an installation has a document of roles.

Belongs here: asking the document. Its fields are `schemas.roles`; what to do when a role is missing and the need is
urgent is `lineage.terms.emergency`.

A lake without `roles.yaml` is the lake of whoever has its folder: nothing is asked. With it, every action asks for
each zone that it reads or changes: what a verb or an asset needs is declared with it. Larmor keeps to it in what it
does itself; files and buckets are kept by the rights of the operating system and of the store, which the document does
not replace. A change of the document is told on the ledger before it counts (`lineage.terms.roles_told`).
"""

from pathlib import Path

from lake.zones import Lake
from lineage.principal import principal
from lineage.terms import emergency, roles_told
from lineage.terms.refusal import Refusal
from schemas.roles import Needs, Roles

DOCUMENT = "roles.yaml"
"""Name of the document below the lake's root, unless `LARMOR_ROLES` names another file."""


def place(lake: Lake) -> Path:
    """Where the document of roles lies, or would lie."""
    return lake.settings.roles or lake.settings.root / DOCUMENT


def roles_of(lake: Lake) -> Roles | None:
    """The document of roles; None: the installation has none, and nothing is asked.

    Raises:
        schemas.document.DocumentError: if it does not say what it must, or a configured one is not there.
    """
    path = place(lake)
    return Roles.read(path) if lake.settings.roles or path.is_file() else None


def admitted(lake: Lake, needs: Needs) -> tuple[str, ...]:
    """Refuse a principal whom no role gives one of the zones.

    Returns:
        The emergency grants that stand in for roles, one a zone, in the order of zones; none where roles give all.

    Raises:
        Refusal: if neither a role nor an open emergency grant gives a zone.
        schemas.document.DocumentError: if the document of roles does not say what it must.
    """
    roles = roles_of(lake)
    roles_told.told(lake, roles)
    if roles is None:
        return ()
    who, grants = principal(lake), []
    for zone in needs.zones:
        change = zone in needs.changes
        if roles.allows(who, zone, change=change):
            continue
        grant = emergency.open_for(lake, who, zone)
        if grant is None:
            only = "this zone, to change it" if change and roles.allows(who, zone, change=False) else "this zone"
            raise Refusal(
                place(lake).stem, str(zone), f"a principal whom no role gives {only}", "a role with this zone",
                f"ask whoever keeps {place(lake).name} for a role; in an emergency: larmor break-glass {zone}",
                kind="roles",
            )  # fmt: skip
        grants.append(grant)
    return tuple(grants)
