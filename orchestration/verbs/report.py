"""`larmor report`."""

import click

from orchestration.verbs._shared import answer, as_json, configured, opened, say


@click.group("report", invoke_without_command=True, epilog="Example: larmor report")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Seal and verify the ledger, and write the audit report: one self-contained HTML page."""
    if context.invoked_subcommand:
        return
    from orchestration.headless import run_evidence

    say("Evidence")
    made = run_evidence(configured(context))
    path = next(m.metadata["page"] for m in made if m.asset == "audit/audit_report")
    answer(json_, {"page": str(path)}, f"Audit report: {path}", "open it in a browser; larmor verify proves the ledger")


@command.command("certificate", epilog="Example: larmor report certificate phantom-a")
@click.argument("name", metavar="SERIES_OR_DELIVERY")
@as_json
@click.pass_context
def certificate(context: click.Context, name: str, json_: bool) -> None:
    """Write the certificates of a series or of a whole delivery: what became of the 18 HIPAA identifiers."""
    from lineage.evidence.certificates import write

    path = write(opened(context), name)
    answer(json_, {"page": str(path)}, f"Certificate: {path}", "open it in a browser; it proves itself on the ledger")
