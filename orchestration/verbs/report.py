"""`larmor report`."""

import datetime as dt
from pathlib import Path
from typing import Any

import click

from orchestration.verbs._amounts import many, size
from orchestration.verbs._shared import LocalPath, acting, answer, as_json, configured, opened, say
from schemas.roles import Needs, changing
from schemas.zone import Zone

_DAY = click.DateTime(["%Y-%m-%d"])
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_FILE = LocalPath(dir_okay=False)


@click.group("report", invoke_without_command=True, epilog="Example: larmor report --bundle q1.zip --from 2026-01-01")
@click.option("--bundle", type=_FILE, help="Write report, events, proofs and cards as one signed archive instead.")
@click.option("--from", "since", type=_DAY, help="First day of the bundle's period (UTC); default: the beginning.")
@click.option("--until", type=_DAY, help="Last day of the bundle's period (UTC); default: now.")
@click.option("--as-of", type=_MOMENT, help="Moment that report and cards speak of (UTC); default: --until, or now.")
@click.option("--purpose", default="audit", show_default=True, help="What the bundle is handed out for.")
@click.option("--recipient", help="For whom, as a name; it is recorded.")
@click.option("--check", type=LocalPath(exists=True, dir_okay=False), help="Check a bundle, offline.")
@click.option("--key", type=LocalPath(exists=True, dir_okay=False), help="Public key kept outside.")
@as_json
@acting(lambda given: Needs() if given["check"] else changing(Zone.AUDIT))
@click.pass_context
def command(
    context: click.Context,
    bundle: Path | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    as_of: dt.datetime | None,
    purpose: str,
    recipient: str | None,
    check: Path | None,
    key: Path | None,
    json_: bool,
) -> int:
    """Seal and verify the ledger, and write the audit report: one self-contained HTML page.

    With --bundle, write a signed archive for people who have neither lake nor ledger; --check judges one.
    """
    if context.invoked_subcommand:
        return 0
    if check:
        return _check(check, key, json_)
    if bundle:
        _bundle(context, bundle, (since, until, as_of), purpose, recipient, json_)
        return 0
    if since or until or as_of or recipient or key:
        raise click.UsageError("found options of a bundle without --bundle or --check, needed one of these", context)
    from orchestration.headless import run_evidence

    say("Evidence")
    made = run_evidence(configured(context))
    path = next(m.metadata["page"] for m in made if m.asset == "audit/audit_report")
    answer(json_, {"page": str(path)}, f"Audit report: {path}", "open it in a browser; larmor verify proves the ledger")
    return 0


@command.command("certificate", epilog="Example: larmor report certificate phantom-a")
@click.argument("name", metavar="SERIES_OR_DELIVERY")
@as_json
@acting(changing(Zone.AUDIT))
@click.pass_context
def certificate(context: click.Context, name: str, json_: bool) -> None:
    """Write the certificates of a series or of a whole delivery: what became of the 18 HIPAA identifiers."""
    from lineage.evidence.certificates import write

    path = write(opened(context), name)
    answer(json_, {"page": str(path)}, f"Certificate: {path}", "open it in a browser; it proves itself on the ledger")


def _bundle(
    context: click.Context,
    to: Path,
    period: tuple[dt.datetime | None, dt.datetime | None, dt.datetime | None],
    purpose: str,
    recipient: str | None,
    json_: bool,
) -> None:
    from lineage.evidence import bundle as bundles

    if to.exists():
        raise click.UsageError(f"found a file {to.name} already, needed a new one", context)
    since, until = (day.date() if day else None for day in period[:2])
    say("Evidence")
    made = bundles.bundle(opened(context), since, until, _moment(period[2]), purpose=purpose, recipient=recipient)
    to.write_bytes(made.data)
    result = {
        "bundle": str(to),
        "manifest_sha256": made.sha256,
        "events": made.events,
        "files": made.files,
        "not_available": list(made.gone),
    }
    gone = f"\nNot available any more as they were: {', '.join(made.gone)}" if made.gone else ""
    text = (
        f"{to}: {many(made.events, 'event')} and {many(made.files, 'file')}, {size(len(made.data))}\n"
        f"SHA-256 of its manifest: {made.sha256}{gone}"
    )
    answer(json_, result, text, f"larmor report --check {to} --key public.pem, with a key that was kept outside")


def _moment(given: dt.datetime | None) -> dt.datetime | None:
    """A moment as UTC; a day without a time means its end, or now where that is still to come."""
    if given is None:
        return None
    if given.time() != dt.time.min:
        return given.replace(tzinfo=dt.UTC)
    return min(dt.datetime.combine(given.date(), dt.time.max, dt.UTC), dt.datetime.now(dt.UTC))


def _check(path: Path, key: Path | None, json_: bool) -> int:
    from lineage.evidence.checked import check
    from lineage.ledger.keys import read_public

    found = check(path.read_bytes(), read_public(key.read_bytes(), key.name) if key else None)
    result: dict[str, Any] = {"ok": found.ok, **vars(found), "findings": list(found.findings)}
    if found.ok:
        said = found.manifest
        text = (
            f"The bundle holds: {many(found.events, 'event')} from {said['from'] or 'the beginning'} to "
            f"{said['until'] or said['as_of'][:10]}, all of the ledger of that time, under seal {found.seal}.\n"
            f"key {found.key}"
        )
        following = "open report.html in it" if key else "compare the key with one kept outside, or pass it with --key"
    else:
        text = "The bundle does NOT hold:\n" + "\n".join(f"  {finding}" for finding in found.findings[:10])
        following = "keep it as evidence, and ask whoever handed it out for another"
    answer(json_, result, text, following)
    return 0 if found.ok else 1
