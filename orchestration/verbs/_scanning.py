"""`larmor doctor scan`: whether an identifier that the vault knows stands where none may."""

import os

import click

from orchestration.verbs._amounts import many, size
from orchestration.verbs._shared import acting, answer, as_json, opened, say, table
from schemas.roles import reading
from schemas.zone import Zone


@click.command("scan", epilog="Example: larmor doctor scan site-a-2026-11")
@click.argument("deliveries", nargs=-1, metavar="[DELIVERY]...")
@as_json
@acting(reading(*Zone))
@click.pass_context
def scan(context: click.Context, deliveries: tuple[str, ...], json_: bool) -> int:
    """Look once more for identifiers of persons in what lies in the lake now; without DELIVERY, of all deliveries.

    Read are de-identified files, reports and labels, and around them names of files, table logs, pages, models and
    Dagster's storage. Nothing is changed; each look is on the ledger. Exit code 1: something was found.
    """
    from stages.second_look.residual import REMEDY
    from stages.second_look.scanning import scanned

    found = scanned(opened(context), deliveries, os.environ.get("DAGSTER_HOME"), report=say)
    rows = [
        {"where": each.what or "around them", "found": what, "times": times}
        for each in found
        for what, times in each.residue.findings.items()
    ]
    examples = sorted({example for each in found for example in each.residue.examples})
    read = sum(each.residue.bytes for each in found)
    hits = sum(sum(each.residue.findings.values()) for each in found)
    looked = sum(1 for each in found if each.what)
    head = f"{many(looked, 'delivery', 'deliveries')}, {size(read)} read; {many(hits, 'identifier')} found"
    lines = [head, table(rows, ["where", "found", "times"]), f"look at: {', '.join(examples)}"] if rows else [head]
    result = {"ok": not rows, "bytes": read, "findings": rows, "look_at": examples}
    answer(json_, result, "\n".join(lines), REMEDY if rows else "")
    return 1 if rows else 0
