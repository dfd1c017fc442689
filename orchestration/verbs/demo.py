"""`larmor demo`."""

from pathlib import Path
from textwrap import indent

import click

from orchestration.verbs._shared import acting, answer, as_json, configured, opened, say
from schemas.roles import changing
from schemas.zone import Zone


@click.group("demo", invoke_without_command=True, epilog="Example: larmor demo")
@click.option("--seed", default=0, show_default=True, help="Seed of the phantoms.")
@as_json
@acting(changing(*Zone))
@click.pass_context
def command(context: click.Context, seed: int, json_: bool) -> None:
    """Generate licensed phantom deliveries and run every asset, to an evaluated model and an audit report."""
    if context.invoked_subcommand:
        return
    from orchestration.demo import demonstrate
    from orchestration.verbs.evaluate import found

    shown = demonstrate(configured(context), seed, say)
    counts = "\n".join(f"  {asset}: {rows} rows" for asset, rows in shown.counts.items())
    metrics = indent(found(Path(str(shown.metrics["folder"]))), "  ")
    places = "\n".join(f"  {name}: {place}" for name, place in shown.places.items())
    parts = {"Tables": counts, "Evaluation": metrics, "Look at": places}
    text = "\n\n".join([f"Done in {shown.seconds:.0f} s.", *(f"{title}\n{body}" for title, body in parts.items())])
    answer(json_, shown.__dict__, text, "make dev (Dagster UI), larmor verify, larmor who-saw SUBJECT, larmor look")


@command.command("data", epilog="Example: larmor demo data")
@click.option("--seed", default=0, show_default=True, help="Seed of the phantoms.")
@as_json
@acting(changing(Zone.RESTRICTED))
@click.pass_context
def data(context: click.Context, seed: int, json_: bool) -> None:
    """Only generate the phantom deliveries and their licence."""
    from orchestration.demo import data as make

    names = make(opened(context), seed, say)
    answer(json_, {"deliveries": names}, f"Deliveries in landing: {', '.join(names)}", f"larmor run {names[0]}")


@command.command("remove", epilog="Example: larmor demo remove")
@as_json
@acting(changing(*Zone))
@click.pass_context
def remove(context: click.Context, json_: bool) -> None:
    """Delete the lake that the demonstration made; refused where it holds anything else."""
    from orchestration import undoing

    root = undoing.remove(configured(context))
    answer(json_, {"removed": str(root)}, f"Removed the demonstration in {root}", "larmor ingest PATH")
