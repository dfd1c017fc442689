"""`larmor upgrade`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._shared import acting, answer, as_json, opened, table
from schemas.roles import Needs, changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from stages.upkeep.upgrade import Due


_NAMED = 4
"""Columns that a line names."""


def _needs(given: Mapping[str, Any]) -> Needs:
    zones = (Zone.RESTRICTED, Zone.CURATED, Zone.AUDIT)
    return reading(*zones) if given["dry_run"] else changing(*zones)


@click.command("upgrade", epilog="Example: larmor upgrade --dry-run")
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@as_json
@click.pass_context
@acting(_needs)
def command(context: click.Context, dry_run: bool, json_: bool) -> None:
    """Bring the tables of an older lake forward to this version, one small commit each.

    No row and no file changes: columns that a table gains are empty in the rows that are there, until their delivery is
    run again. Releases stay as they were frozen. Stopped in between, the same command goes on.
    """
    from stages.upkeep.upgrade import due, upgraded

    lake = opened(context)
    found = due(lake)
    versions = {} if dry_run else upgraded(lake)
    rows = [each.__dict__ | {"version": versions.get(each.table)} for each in found]
    answer(json_, rows, _told(found, len(versions), dry_run), _next(found, dry_run))


def _told(found: Sequence["Due"], recorded: int, dry_run: bool) -> str:
    if recorded and not found:
        return f"Recorded what an upgrade that was stopped had done: {recorded} tables."
    if not found:
        return "Every table is of this version; nothing is to be done."
    rows = [{"table": each.table, "new columns": len(each.columns), "names": _names(each.columns)} for each in found]
    listed = table(rows, ["table", "new columns", "names"])
    return f"{'Would bring forward' if dry_run else 'Brought forward'}\n{listed}"


def _names(columns: Sequence[str]) -> str:
    """The first of them, and a hint that there are more: --json has all."""
    return ", ".join([*columns[:_NAMED], *(["..."] if len(columns) > _NAMED else [])])


def _next(found: Sequence["Due"], dry_run: bool) -> str:
    if dry_run:
        return "larmor doctor backup PLACE, then larmor upgrade" if found else ""
    return "larmor verify; larmor run DELIVERY fills the new columns of a delivery" if found else ""
