"""`larmor quarantine`."""

import csv
import io
from pathlib import Path
from typing import Any

import click

from orchestration.verbs._names import deliveries
from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, say
from schemas.roles import reading
from schemas.zone import Zone

_COLUMNS = ("id", "delivery", "stage", "reason", "remedy", "path", "line", "sha256", "instance")


@click.command("quarantine", epilog="Example: larmor quarantine site-a-2026-11")
@click.argument("name", required=False, metavar="[DELIVERY]", shell_complete=deliveries)
@click.option("--reason", help="Only what is held for this reason.")
@click.option(
    "--list", "list_", type=LocalPath(dir_okay=False), metavar="FILE",
    help="Write every file that is held to FILE (CSV, for its owner only). It holds PHI: paths inside deliveries.",
)  # fmt: skip
@as_json
@acting(reading(Zone.RESTRICTED))
@click.pass_context
def command(context: click.Context, name: str | None, reason: str | None, list_: Path | None, json_: bool) -> None:
    """List what is held back, of all deliveries or of DELIVERY: by reason, how much, what to do, some ids.

    Ids stand for files, whose names may name people; --list writes which file an id is. Looking is recorded.
    """
    from lineage.access import Access, accessed
    from schemas.tables import QUARANTINE, RECEIVED
    from stages.intake.landed import names
    from stages.quarantine import grouped, waiting

    lake = opened(context)
    rows = waiting(lake, name, reason)
    if name and not rows:
        # a name that was mistyped must not read as a delivery of which nothing is held
        there = {*names(lake), *(part["delivery"] for part in lake.table(RECEIVED).partitions())}
        if name not in there:
            raise ValueError(f"found no delivery {name!r}, needed one of: {', '.join(sorted(there)) or 'none yet'}")
    purpose = "quarantine list of files" if list_ else "quarantine worklist"
    accessed(
        lake, Access.READ, QUARANTINE.path, len(rows), purpose, delivery=rows[0]["delivery"] if name and rows else None
    )
    if list_:
        _write(list_, rows)
        say(f"{len(rows)} lines written to {list_}; it holds PHI, delete it when the work is done")
    groups = grouped(rows)
    parts = [
        f"{g.count} held: {g.reason}, at {g.stage}, in {_named(g.deliveries)}\n"
        f"  to do: {g.remedy}\n  ids: {', '.join(g.examples)}"
        for g in groups
    ]
    retry = f"larmor run --retry-quarantine{f' {name}' if name else ''}, when something was put right"
    answer(json_, [vars(g) for g in groups], "\n".join(parts) or "Nothing is held.", retry if groups else "")


def _named(deliveries: tuple[str, ...], most: int = 3) -> str:
    more = len(deliveries) - most
    return ", ".join(deliveries[:most]) + (f" and {more} more" if more > 0 else "")


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV that only its owner can read, and whose cells no spreadsheet takes for formulas."""
    from lake.stores.storage import Location

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for row in rows:
        cells = ("" if row[name] is None else str(row[name]) for name in _COLUMNS)
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell for cell in cells])
    target = file.expanduser().absolute()
    Location(target.parent, private=True).write_bytes(target.name, text.getvalue().encode())
