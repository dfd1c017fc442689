"""`larmor reconcile`."""

import click

from orchestration.verbs._shared import answer, as_json, configured


@click.command("reconcile", epilog="Example: larmor reconcile")
@click.option("--without-dagster", is_flag=True, help="Compare the ledger with the tables alone.")
@as_json
@click.pass_context
def command(context: click.Context, without_dagster: bool, json_: bool) -> int:
    """Compare the ledger with the tables' histories and with Dagster's own storage; exit code 1 where they differ."""
    from lake.zones import Lake
    from lineage.ledger.reconcile import reconciled

    settings = configured(context)
    orchestrator = None
    if not without_dagster:
        from assets.told import told
        from orchestration.instance import instance

        with instance(settings) as opened:
            orchestrator = told(opened)
    found = reconciled(Lake(settings), orchestrator)
    records = "the ledger and the tables" if without_dagster else "the ledger, the tables and Dagster's storage"
    text = f"{len(found)} differences between {records}.\n" + "\n".join(f"  {line}" for line in found)
    following = "larmor verify: where the ledger holds, the other record was edited, wiped, or written without it"
    answer(json_, {"ok": not found, "differences": found}, text.rstrip(), following if found else "larmor verify")
    return 1 if found else 0
