"""`larmor train`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from orchestration.verbs._names import releases
from orchestration.verbs._shared import acting, answer, as_json, opened, say, table
from schemas.roles import changing
from schemas.zone import Zone


def _tasks() -> list[str]:
    from training.tasks import TASKS

    return sorted(TASKS)


def _known(_context: click.Context, _parameter: click.Parameter, task: str | None) -> str | None:
    if task is not None and task not in _tasks():
        raise click.BadParameter(f"found {task!r}, needed one of {', '.join(_tasks())}")
    return task


@click.command("train", epilog="Example: larmor train demo --preset tiny steps=200 model.depth=8")
@click.argument("release", shell_complete=releases)
@click.argument("assignments", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--preset", default="tiny", show_default=True, help="tiny, small, base, large or convnet.")
@click.option(
    "--task",
    metavar="TASK",
    callback=_known,
    shell_complete=lambda _context, _parameter, begun: [name for name in _tasks() if name.startswith(begun)],
    help="Fine-tune for a task, such as segmentation; default: pre-train.",
)
@click.option(
    "--labels",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="Labelled subjects to fine-tune on; 0: all.",
)
@click.option("--scratch/--no-scratch", default=True, show_default=True, help="Fine-tune from scratch too, to compare.")
@click.option("--replace", is_flag=True, help="Put it in the place of another model of its name.")
@click.option("--ranks", default=2, show_default=True, help="Processes of a pre-training.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="The same as NAME=VALUE without it; repeat.")
@as_json
@acting(changing(Zone.MODELS, reads=[Zone.CURATED]))
@click.pass_context
def command(
    context: click.Context,
    release: str,
    assignments: tuple[str, ...],
    preset: str,
    task: str | None,
    labels: int,
    scratch: bool,
    replace: bool,
    ranks: int,
    values: tuple[str, ...],
    json_: bool,
) -> None:
    """Pre-train a model on RELEASE, or fine-tune the pre-trained one for a task; stopped, it goes on where it was.

    NAME=VALUE are fields that differ from the preset; dotted names reach into sections. LARMOR_LAUNCHER says where it
    runs: on this machine, on Slurm, on Amazon SageMaker or on Kubernetes.
    """
    from assets.training import overrides as parsed
    from lake.releases import Release
    from lake.settings import LauncherName
    from training.config.presets import configured

    lake = opened(context)
    Release.open(lake, release)
    given = overrides((*assignments, *values))
    # what is wrong with it is told now, not by a process that has to start first
    configured(preset, "finetune", {"scratch": True, **parsed(given)}) if task else configured(
        preset, "pretrain", parsed(given)
    )
    if lake.settings.launcher is not LauncherName.LOCAL:
        from orchestration.launchers.away import document_of

        document_of(lake.settings)
    common = {"preset": preset, "overrides": given, "replace": replace}
    if task:
        asset, config = "finetuned", common | {"task": task, "labels": labels, "scratch": scratch}
    else:
        asset, config = "pretrained", common | {"ranks": ranks}
    from orchestration.headless import run_release

    say(f"{'Fine-tuning' if task else 'Pre-training'} on {release}")
    made = run_release(lake.settings, release, asset, {f"models__{asset}": config}, only=True)
    rows = [{"what": name, "value": value} for name, value in made[-1].metadata.items()]
    answer(json_, dict(made[-1].metadata), table(rows, ["what", "value"]), _next(release, task, made[-1].metadata))


def _next(release: str, task: str | None, told: Mapping[str, Any]) -> str:
    """What to do with what was made: models of a task are evaluated by their names, whatever the task."""
    if task is None:
        return f"larmor train {release} --task segmentation"
    return f"larmor evaluate {' '.join(Path(told[n]).name for n in ('folder', 'scratch_folder') if n in told)}"


def overrides(values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping."""
    pairs = [value.partition("=") for value in values]
    if any(not name or not mark for name, mark, _ in pairs):
        raise click.BadParameter("found no NAME=VALUE, needed for example steps=200", param_hint="NAME=VALUE")
    return {name: text for name, _, text in pairs}
