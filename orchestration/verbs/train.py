"""`larmor train`."""

import click

from orchestration.verbs._shared import answer, as_json, opened, say, table


@click.command("train", epilog="Example: larmor train demo --preset tiny --set steps=200")
@click.argument("release")
@click.option("--preset", default="tiny", show_default=True, help="tiny, small, base or large.")
@click.option("--task", type=click.Choice(["segmentation"]), help="Fine-tune for a task; default: pre-train.")
@click.option("--labels", default=4, show_default=True, help="Labelled subjects to fine-tune on; 0: all.")
@click.option("--scratch/--no-scratch", default=True, show_default=True, help="Fine-tune from scratch too, to compare.")
@click.option("--ranks", default=2, show_default=True, help="Processes of a pre-training.")
@click.option(
    "--set", "values", multiple=True, metavar="NAME=VALUE", help="Value that differs from the preset; repeat."
)
@as_json
@click.pass_context
def command(
    context: click.Context,
    release: str,
    preset: str,
    task: str | None,
    labels: int,
    scratch: bool,
    ranks: int,
    values: tuple[str, ...],
    json_: bool,
) -> None:
    """Pre-train a model on RELEASE, or fine-tune the pre-trained one for a task; stopped, it goes on where it was."""
    from lake.releases import Release
    from training.config.presets import load_preset

    lake = opened(context)
    Release.open(lake, release)
    load_preset(preset)
    common = {"preset": preset, "overrides": overrides(values)}
    if task:
        asset, config = "finetuned", common | {"task": task, "labels": labels, "scratch": scratch}
    else:
        asset, config = "pretrained", common | {"ranks": ranks}
    from orchestration.headless import run_release

    say(f"{'Fine-tuning' if task else 'Pre-training'} on {release}")
    made = run_release(lake.settings, release, asset, {f"models__{asset}": config}, only=True)
    rows = [{"what": name, "value": value} for name, value in made[-1].metadata.items()]
    following = f"larmor evaluate {release}" if task else f"larmor train {release} --task segmentation"
    answer(json_, dict(made[-1].metadata), table(rows, ["what", "value"]), following)


def overrides(values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping."""
    pairs = [value.partition("=") for value in values]
    if any(not name or not mark for name, mark, _ in pairs):
        raise click.BadParameter("found no NAME=VALUE, needed for example --set steps=200", param_hint="--set")
    return {name: text for name, _, text in pairs}
