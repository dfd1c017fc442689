"""`larmor doctor scrub` and `larmor doctor backup`: that what was written stays, and comes back."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._shared import acting, answer, as_json, opened, say, table
from schemas.roles import Needs, changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.stores.storage import Location
    from stages.upkeep.backups import Restored


@click.command("scrub", epilog="Example: larmor doctor scrub --all")
@click.option("--all", "everything", is_flag=True, help="Read all files, not only the next share.")
@as_json
@acting(changing(*Zone))
@click.pass_context
def scrub(context: click.Context, everything: bool, json_: bool) -> int:
    """Read files again and compare them with the digests they had; restore what differs from LARMOR_MIRROR.

    Each call reads the next share of LARMOR_SCRUB_ROUNDS. Exit code 1: a file is not what it was.
    """
    from lake.integrity.scrub import facts
    from stages.upkeep.scrubbing import scrubbed

    found, removed = scrubbed(opened(context), everything=everything, report=say)
    rows = [{"file": f.shown, "fault": str(f.fault), "restored": "yes" if f.restored else "no"} for f in found.findings]
    head = f"{found.files} files read, {found.bytes / 2**20:.1f} MiB; {len(rows)} are not what they were"
    head += f"; {removed} files of dead writers removed" if removed else ""
    text = f"{head}\n{table(rows, ['file', 'fault', 'restored'])}" if rows else head
    remedy = "restore them from a copy (LARMOR_MIRROR), or run their deliveries again (larmor run DELIVERY)"
    answer(json_, facts(found) | {"removed": removed}, text, remedy if found.left else "")
    return 1 if found.left else 0


def _needs(given: Mapping[str, Any]) -> Needs:
    if given["list_"]:
        return Needs()
    if given["restore"]:
        return changing(*Zone)
    return reading(*(zone for zone in Zone if zone is not Zone.RESTRICTED or not given["without_restricted"]))


@click.command("backup", epilog="Example: larmor doctor backup /mnt/backups")
@click.argument("place")
@click.option("--restore", is_flag=True, help="Make this lake, which must be empty, from a backup in PLACE.")
@click.option("--name", help="With --restore: which backup; default: the newest.")
@click.option("--list", "list_", is_flag=True, help="List the backups in PLACE.")
@click.option("--without-restricted", is_flag=True, help="Leave out the restricted zone and landing (PHI).")
@as_json
@acting(_needs)
@click.pass_context
def backup(
    context: click.Context, place: str, restore: bool, name: str | None, list_: bool, without_restricted: bool,
    json_: bool,
) -> int:  # fmt: skip
    """Copy all zones, consistently, to PLACE (a folder or s3://...), what is there already only once; or restore them.

    PLACE holds PHI where the restricted zone is part of a backup, in files that carry no names.
    """
    where = _location(place)
    if list_:
        return _list(where, json_)
    if restore:
        from stages.upkeep.backups import restored

        return _told(restored(where, opened(context), name, say), json_)
    from stages.upkeep.backups import backed_up

    made, copied = backed_up(opened(context), where, restricted=not without_restricted, report=say)
    text = f"Backup {made.name}: {made.files} files, {made.bytes / 2**20:.1f} MiB; {copied} of them are new"
    answer(json_, {**vars(made), "copied": copied}, text, f"larmor --root EMPTY doctor backup --restore {place}")
    return 0


def _location(place: str) -> "Location":
    from lake.stores.storage import Location

    return Location(place if "://" in place else Path(place).expanduser().absolute(), private=True)


def _list(where: "Location", json_: bool) -> int:
    from lake.integrity.backup import backups

    rows = [{**vars(one), "MiB": one.bytes / 2**20, "phi": "yes" if one.restricted else "no"} for one in backups(where)]
    answer(json_, rows, table(rows, ["name", "made", "files", "MiB", "phi"]) if rows else "no backup here")
    return 0


def _told(found: "Restored", json_: bool) -> int:
    ledger = "holds" if found.verdict.ok else f"does not hold: {found.verdict.first}"
    rows = [{"table": name, "version": found.manifest.tables[name], "rows": rows} for name, rows in found.rows.items()]
    text = (
        f"Backup {found.manifest.name} restored: {found.manifest.files} files; the ledger {ledger}; "
        f"{len(found.findings)} files are not what they were\n{table(rows, ['table', 'version', 'rows'])}"
    )
    told = {"backup": found.manifest.name, "ok": found.ok, "ledger": ledger, "rows": found.rows}
    answer(json_, told, text, "larmor verify, larmor releases" if found.ok else "use another backup (--name)")
    return 0 if found.ok else 1
