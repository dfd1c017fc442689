"""`larmor report`."""

import click

from orchestration.verbs._shared import answer, as_json, configured, say


@click.command("report", epilog="Example: larmor report")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Seal and verify the ledger, and write the audit report: one self-contained HTML page."""
    from orchestration.headless import run_evidence

    say("Evidence")
    made = run_evidence(configured(context))
    path = next(m.metadata["page"] for m in made if m.asset == "audit/audit_report")
    answer(json_, {"page": str(path)}, f"Audit report: {path}", "open it in a browser; larmor verify proves the ledger")
