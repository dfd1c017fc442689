"""`larmor break-glass`."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from orchestration.verbs._shared import answer, as_json, opened, table
from schemas.roles import Emergency
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake
    from schemas.roles import Roles

_COLUMNS = ("name", "zone", "reason", "holder", "asked", "second", "until")


@click.command("break-glass", epilog="Example: larmor break-glass restricted --reason patient-safety")
@click.argument("zone", type=click.Choice([str(zone) for zone in Zone]), required=False)
@click.option("--reason", type=click.Choice([str(reason) for reason in Emergency]), help="Why, of a closed list.")
@click.option("--open", "name", metavar="GRANT", help="Open, as the second person, what somebody asked for.")
@click.option("--hours", default=1, show_default=True, help="With --open: for how long.")
@as_json
@click.pass_context
def command(
    context: click.Context, zone: str | None, reason: str | None, name: str | None, hours: int, json_: bool
) -> None:
    """Ask for ZONE in an emergency, or open for hours what somebody else asked for; without either, list all.

    Everything is on the ledger: who asked, why, who opened it, until when, and each thing that is done under it.
    """
    from lineage.terms import emergency

    lake = opened(context)
    if name:
        grant = emergency.open_grant(lake, _roles(lake), name, hours)
        text = f"Open: {grant.name} gives {grant.holder} the zone {grant.zone} until {grant.until}."
        answer(json_, asdict(grant), text, "larmor break-glass, to see all of them")
    elif zone:
        if reason is None:
            raise click.UsageError(f"found no --reason, needed one of {', '.join(Emergency)}")
        _roles(lake)
        grant = emergency.ask(lake, Zone(zone), reason)
        text = f"Asked: {grant.name}. A second person with a role that approves has to open it."
        answer(json_, asdict(grant), text, f"that person: larmor break-glass --open {grant.name} --hours {hours}")
    else:
        rows = [asdict(grant) for grant in emergency.grants(lake)]
        answer(json_, rows, table(rows, _COLUMNS) if rows else "Nobody broke the glass of this lake.")


def _roles(lake: "Lake") -> "Roles":
    from lineage.terms.roles import place, roles_of

    roles = roles_of(lake)
    if roles is None:
        raise click.ClickException(
            f"found no document of roles, needed {place(lake).name}: without one nobody is denied, and there is no "
            "glass to break"
        )
    return roles
