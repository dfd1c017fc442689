"""`larmor disclosures`."""

import datetime as dt

import click

from orchestration.verbs._amounts import many
from orchestration.verbs._shared import acting, answer, as_json, opened, table
from schemas.roles import reading
from schemas.zone import Zone

_COLUMNS = ["entry", "when", "kind", "recipient", "by", "what", "purpose", "this person"]


@click.command("disclosures", epilog="Example: larmor disclosures SABCDEFGHIJKL")
@click.argument("subject")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the account (UTC); default: today.")
@click.option("--years", type=click.IntRange(1), default=6, show_default=True, help="How many years back.")
@click.option("--page", is_flag=True, help="Write it as a page into the audit zone, too.")
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def command(
    context: click.Context, subject: str, until: dt.datetime | None, years: int, page: bool, json_: bool
) -> None:
    """List what left of SUBJECT, to whom and what for, and what was used inside (45 CFR 164.528).

    SUBJECT is a pseudonym; who that is, only the vault knows. Asking is recorded as an access.
    """
    from lineage.evidence.disclosures import Disclosed, account, write

    def told(line: Disclosed, kind: str) -> dict[str, object]:
        about = {"entry": line.entry.sequence, "when": line.entry.time[:16], "kind": kind, "by": line.entry.principal}
        rest = {"recipient": line.recipient, "what": f"{line.entry.type}: {line.what}", "purpose": line.purpose}
        return about | rest | {"this person": "yes" if line.certain else "perhaps"}

    lake = opened(context)
    made = account(lake, subject, until.date() if until else None, years)
    rows = [told(line, "left") for line in made.disclosures] + [told(line, "used") for line in made.uses]
    lines = [
        f"{made.since} to {made.until}: {many(len(made.disclosures), 'disclosure')}, {many(len(made.uses), 'use')}"
    ]
    lines += [table(rows, _COLUMNS)] if rows else []
    if made.undecided:
        places = [entry.sequence for entry in made.undecided]
        lines.append(f"Of releases that cannot be opened any more, so nobody can say whose data left: entries {places}")
    if not made.verified:
        lines.append("The ledger does NOT verify; run larmor verify before you rely on this.")
    result = {"rows": rows, "undecided": [e.sequence for e in made.undecided], "verified": made.verified}
    if page:
        result["page"] = write(lake, made)
        lines.append(f"Page: {result['page']}")
    answer(json_, result, "\n".join(lines), "larmor verify proves the entries")
