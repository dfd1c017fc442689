"""`larmor doctor`."""

import click

from orchestration.verbs._shared import answer, as_json, configured


@click.command("doctor", epilog="Example: larmor doctor")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> int:
    """Check the installation and the lake; each line says what was found and, where it is not well, what to do."""
    from orchestration.doctor import examine

    findings = examine(configured(context))
    text = "\n".join(
        f"{'ok  ' if f.ok else 'LOOK'}  {f.what}: {f.found}{'' if f.ok else f' -> {f.remedy}'}" for f in findings
    )
    wrong = [finding for finding in findings if not finding.ok and finding.needed]
    answer(json_, [f.__dict__ for f in findings], text, "larmor demo, or larmor ingest PATH" if not wrong else "")
    return 1 if wrong else 0
