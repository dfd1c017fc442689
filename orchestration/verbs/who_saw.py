"""`larmor who-saw`."""

import click

from orchestration.verbs._shared import acting, answer, as_json, opened, table
from schemas.roles import reading
from schemas.zone import Zone


@click.command("who-saw", epilog="Example: larmor who-saw SABCDEFGHIJKL")
@click.argument("identifier")
@click.option(
    "--by",
    type=click.Choice(["subject", "series", "delivery", "licence"]),
    default="subject",
    show_default=True,
    help="What IDENTIFIER is.",
)
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def command(context: click.Context, identifier: str, by: str, json_: bool) -> None:
    """List the checkpoints that were trained on IDENTIFIER, directly or through an ancestor."""
    from lineage.exposures.exposures import who_saw

    rows = who_saw(opened(context), **{by: identifier})
    columns = ["model", "checkpoint", "via", "release", "volumes", "samples"]
    shown = [row | {"checkpoint": str(row["checkpoint"])[:16]} for row in rows]
    text = table(shown, columns) if rows else f"No checkpoint was trained on this {by}."
    answer(json_, rows, text, "larmor exposures MODEL" if rows else "")
