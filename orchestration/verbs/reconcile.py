"""`larmor reconcile`."""

import click

from orchestration.verbs._shared import acting, answer, as_json, configured
from schemas.roles import reading
from schemas.zone import Zone


@click.command("reconcile", epilog="Example: larmor reconcile")
@click.option("--without-dagster", is_flag=True, help="Compare the ledger with the tables alone.")
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def command(context: click.Context, without_dagster: bool, json_: bool) -> int:
    """Compare the ledger with the tables' histories and with Dagster's own storage; exit code 1 where they differ."""
    from lake.zones import Lake
    from lineage.ledger.reconcile import compared

    settings = configured(context)
    orchestrator = None
    if not without_dagster:
        from assets.told import told
        from orchestration.instance import instance

        with instance(settings) as opened:
            orchestrator = told(opened)
    comparison = compared(Lake(settings), orchestrator)
    found, notes = comparison.differences, comparison.notes
    records = "the ledger and the tables" if without_dagster else "the ledger, the tables and Dagster's storage"
    text = f"{len(found)} differences between {records}.\n" + "\n".join(f"  {line}" for line in [*found, *notes])
    following = "larmor verify: where the ledger holds, the other record was edited, wiped, or written without it"
    answer(
        json_,
        {"ok": not found, "differences": found, "notes": notes},
        text.rstrip(),
        following if found else "larmor verify",
    )
    return 1 if found else 0
