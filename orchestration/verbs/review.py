"""`larmor review`."""

from pathlib import Path

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened
from schemas.roles import changing
from schemas.zone import Zone

_MEANINGS = ["review", "approval", "responsibility", "authorship", "rejection"]


@click.command("review", epilog="Example: larmor review --meaning review --exception 17:unexpected-purpose")
@click.option("--meaning", type=click.Choice(_MEANINGS), required=True, help="What your sign-off means.")
@click.option("--first", type=click.IntRange(0), help="First entry that you examined; default: where you left off.")
@click.option("--last", type=click.IntRange(0), help="Last entry that you examined; default: the newest.")
@click.option("--exception", "exceptions", multiple=True, metavar="ENTRY:KIND", help="An entry that needs an answer.")
@click.option("--reference", help="Where the answers are kept, for example the name of a ticket.")
@click.option("--report", type=LocalPath(exists=True, dir_okay=False), help="Report that you read with them.")
@as_json
@acting(changing(Zone.AUDIT))
@click.pass_context
def command(
    context: click.Context,
    meaning: str,
    first: int | None,
    last: int | None,
    exceptions: tuple[str, ...],
    reference: str | None,
    report: Path | None,
    json_: bool,
) -> None:
    """Sign off that you examined entries of the ledger, what you found, and what your sign-off means.

    It is bound to the digest of what you examined and is an entry of the ledger itself; the audit report shows it and
    says whether it still holds. Kinds of exceptions: unexpected-principal, unexpected-purpose, unexpected-time,
    unexplained-count, term-in-doubt, missing-record, other.
    """
    from lineage.evidence.reviews import Exceptional, review

    found = [Exceptional.parse(text) for text in exceptions]
    data = report.read_bytes() if report else None
    row = review(opened(context), meaning, first=first, last=last, exceptions=found, reference=reference, report=data)
    text = (
        f"Entries {row['first']} to {row['last']}: {row['meaning']} by {row['principal']}, "
        f"{len(found) or 'no'} exception{'' if len(found) == 1 else 's'}; entry {row['entry']}\n"
        f"SHA-256 of what was examined: {row['content_sha256']}"
    )
    answer(json_, row, text, "larmor report shows it; the next seal covers it")
