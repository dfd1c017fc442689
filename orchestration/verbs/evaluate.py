"""`larmor evaluate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assets.standings import PAGE, measured, read, standings
from orchestration.verbs._names import models, releases
from orchestration.verbs._shared import acting, answer, as_json, opened, say, table
from orchestration.verbs.train import overrides
from schemas.roles import changing
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake


@click.command("evaluate", epilog="Example: larmor evaluate demo-tiny-segmentation --split test")
@click.argument("names", nargs=-1, required=True, metavar="CHECKPOINT... | RELEASE", shell_complete=models)
@click.option(
    "--release",
    shell_complete=releases,
    help="Release to evaluate on. Default: the one that the first checkpoint was trained on.",
)
@click.option("--preset", default="tiny", show_default=True, help="Preset that the models were trained with.")
@click.option("--task", default="segmentation", show_default=True, help="Of a RELEASE: task of its models.")
@click.option(
    "--scratch/--no-scratch", default=True, show_default=True, help="Of a RELEASE: its model from scratch too."
)
@click.option("--split", default="test", show_default=True, help="validation, or test: opening it is recorded.")
@click.option(
    "--baseline", "baselines", multiple=True, type=click.Choice(["scratch", "dynunet", "slices2d"]),
    help="Train it on the same budget, to compare with; repeat.",
)  # fmt: skip
@click.option("--few-shot", multiple=True, type=int, help="Fine-tune on so many labelled subjects, 0 for all; repeat.")
@click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="Value that differs from the preset; repeat."
)
@as_json
@acting(changing(Zone.MODELS, reads=[Zone.CURATED]))
@click.pass_context
def command(
    context: click.Context,
    names: tuple[str, ...],
    release: str | None,
    preset: str,
    task: str,
    scratch: bool,
    split: str,
    baselines: tuple[str, ...],
    few_shot: tuple[int, ...],
    values: tuple[str, ...],
    json_: bool,
) -> None:
    """Evaluate models, pre-trained or fine-tuned, with intervals, plots and a page.

    CHECKPOINTs are names of models or their folders; the first is compared with the others. A RELEASE stands for the
    models of --preset and --task that were fine-tuned on it.
    """
    from lake.releases import Release
    from orchestration.headless import run_release

    lake = opened(context)
    checkpoints, on = _asked(lake, names, release)
    Release.open(lake, on)
    say(f"Evaluating {', '.join(checkpoints) or 'models'} on {on}")
    more = {"baselines": list(baselines), "few_shot": list(few_shot)}
    config = {"preset": preset, "task": task, "scratch": scratch, "split": split, "checkpoints": checkpoints}
    told = overrides(values) | {name: json.dumps(value) for name, value in more.items() if value}
    made = run_release(
        lake.settings, on, "evaluations", {"models__evaluations": config | {"overrides": told}}, only=True
    )
    metadata = dict(made[-1].metadata)
    answer(json_, metadata, found(Path(str(metadata["folder"]))), "larmor report")


def _asked(lake: "Lake", names: tuple[str, ...], release: str | None) -> tuple[list[str], str]:
    """Checkpoints to evaluate and the release to evaluate on; no checkpoint: those of the release."""
    from lake import releases
    from schemas.checkpoint import MANIFEST
    from training.checkpoint import read_manifest
    from training.shelf import fetched

    first = Path(names[0]) if "/" in names[0] else fetched(lake, names[0])
    if not (first / MANIFEST).is_file() and len(names) == 1 and names[0] in releases.names(lake):
        return [], names[0]
    found = [str(Path(name).absolute()) if "/" in name else name for name in names]
    return found, release or read_manifest(first).release


def found(folder: Path) -> str:
    """The main measure of each model, and where the page is."""
    metrics = read(folder)
    columns = ["model", *(["labels"] if metrics["few_shot"] else []), "value", "low", "high"]
    page = f"{metrics['subjects']} subjects, {metrics['volumes']} volumes; page: {folder / PAGE}"
    return f"{measured(metrics)} on {metrics['split']}\n{table(standings(metrics), columns)}\n{page}"
