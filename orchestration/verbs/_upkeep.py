"""`larmor doctor history`, `optimize` and `vacuum`: upkeep of tables.

Belongs here: asking and printing. What is done and recorded is `stages.upkeep.upkeep`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orchestration.verbs._shared import acting, answer, as_json, opened, table
from schemas.roles import changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.tables.table import LakeTable
    from lake.zones import Lake


def _zones(names: Sequence[str]) -> list[Zone]:
    """Zones of the tables of these names; of none, all that hold tables that may be rewritten."""
    from schemas.tables import TABLES

    named = [contract for contract in TABLES if {contract.name, contract.path} & set(names)]
    return list(dict.fromkeys(c.zone for c in (named if names else TABLES)))


_named = click.argument("names", nargs=-1, metavar="[TABLE]...")


@click.command("history", epilog="Example: larmor doctor history volumes")
@click.argument("name", metavar="TABLE")
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="Versions to list.")
@as_json
@acting(lambda given: reading(*_zones((given["name"],))))
@click.pass_context
def history(context: click.Context, name: str, last: int, json_: bool) -> None:
    """List what was done to a table, newest first."""
    from lake.tables.upkeep import history

    [chosen] = _chosen(opened(context), (name,))
    rows = [commit.__dict__ | {"time": f"{commit.time:%Y-%m-%d %H:%M:%S}"} for commit in history(chosen, last)]
    answer(json_, rows, table(rows, ["version", "time", "operation", "engine"]))


@click.command("optimize", epilog="Example: larmor doctor optimize decisions")
@_named
@as_json
@acting(lambda given: changing(*_zones(given["names"])))
@click.pass_context
def optimize(context: click.Context, names: tuple[str, ...], json_: bool) -> None:
    """Put small files together and restore the layout of voxels; without TABLE in every table. Rows stay the same."""
    from stages.upkeep.upkeep import optimized

    lake = opened(context)
    rows = []
    for each in _chosen(lake, names):
        before, now = optimized(lake, each)
        rows.append({"table": each.contract.path, "before": before, "now": now})
    answer(json_, rows, table(rows, ["table", "before", "now"]), "larmor doctor vacuum removes what was replaced")


@click.command("vacuum", epilog="Example: larmor doctor vacuum --dry-run")
@_named
@click.option(
    "--hours", type=click.IntRange(min=24), default=168, show_default=True, help="Keep what was replaced since."
)
@click.option("--dry-run", is_flag=True, help="Only tell.")
@as_json
@acting(lambda given: changing(*_zones(given["names"])))
@click.pass_context
def vacuum(context: click.Context, names: tuple[str, ...], hours: int, dry_run: bool, json_: bool) -> None:
    """Remove part files that neither the newest version nor a release needs; without TABLE in every table.

    Older versions can then no longer be read, except those that a release is pinned to.
    """
    from stages.upkeep.upkeep import vacuumed

    lake = opened(context)
    rows = [
        {"table": each.contract.path, "files": len(vacuumed(lake, each, hours, dry_run=dry_run))}
        for each in _chosen(lake, names)
    ]
    text = table(rows, ["table", "files"])
    answer(json_, rows, f"Would remove\n{text}" if dry_run else f"Removed\n{text}")


def _chosen(lake: "Lake", names: tuple[str, ...]) -> list["LakeTable"]:
    """The tables of these names, or all that are there and may be rewritten."""
    from schemas.tables import TABLES

    if not names:
        return [lake.table(c) for c in TABLES if not c.sealed and lake.table(c).exists()]
    known = {contract.name: contract for contract in TABLES} | {contract.path: contract for contract in TABLES}
    if strange := [name for name in names if name not in known]:
        raise click.UsageError(
            f"found no table {strange[0]!r}, needed one of: {', '.join(contract.name for contract in TABLES)}"
        )
    return [lake.table(known[name]) for name in names]
