"""`larmor evaluate`."""

import click

from orchestration.verbs._shared import answer, as_json, opened, say, table
from orchestration.verbs.train import overrides


@click.command("evaluate", epilog="Example: larmor evaluate demo --preset tiny")
@click.argument("release")
@click.option("--preset", default="tiny", show_default=True, help="Preset that the models were trained with.")
@click.option("--task", default="segmentation", show_default=True, help="Task of the models.")
@click.option("--scratch/--no-scratch", default=True, show_default=True, help="Compare with the model from scratch.")
@click.option("--split", default="test", show_default=True, help="validation, or test: opening it is recorded.")
@click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="Value that differs from the preset; repeat."
)
@as_json
@click.pass_context
def command(
    context: click.Context,
    release: str,
    preset: str,
    task: str,
    scratch: bool,
    split: str,
    values: tuple[str, ...],
    json_: bool,
) -> None:
    """Evaluate the fine-tuned models of RELEASE, with intervals, plots and a page."""
    from lake.releases import Release
    from orchestration.headless import run_release

    lake = opened(context)
    Release.open(lake, release)
    say(f"Evaluating on {release}")
    config = {"preset": preset, "task": task, "scratch": scratch, "split": split, "overrides": overrides(values)}
    made = run_release(lake.settings, release, "evaluations", {"models__evaluations": config}, only=True)
    rows = [{"what": name, "value": value} for name, value in made[-1].metadata.items()]
    answer(json_, dict(made[-1].metadata), table(rows, ["what", "value"]), "larmor report")
