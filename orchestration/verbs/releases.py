"""`larmor releases`."""

import shutil
from pathlib import Path

import click

from orchestration.verbs._shared import answer, as_json, opened, table


@click.group(
    "releases", invoke_without_command=True, epilog="Example: larmor releases freeze docs/examples/release.yaml"
)
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """List releases, or freeze one."""
    if context.invoked_subcommand:
        return
    from lake.releases import SPLITS, Release, names

    lake = opened(context)
    rows = []
    for name in names(lake):
        manifest = Release.open(lake, name).manifest
        volumes = {split: manifest.counts[split]["volumes"] for split in SPLITS}
        rows.append({"release": name, "created": manifest.created, **volumes, "licences": ", ".join(manifest.licences)})
    text = table(rows, ["release", "created", *SPLITS, "licences"]) if rows else "No release yet."
    answer(json_, rows, text, "" if rows else "larmor releases freeze SPEC.yaml (docs/examples/release.yaml)")


@command.command("freeze", epilog="Example: larmor releases freeze docs/examples/release.yaml")
@click.argument("spec", type=click.Path(path_type=Path))
@as_json
@click.pass_context
def freeze(context: click.Context, spec: Path, json_: bool) -> None:
    """Freeze the release that the YAML document SPEC describes."""
    from orchestration.headless import run_release
    from schemas.release import ReleaseSpec
    from stages.release import spec_path

    lake = opened(context)
    wanted = ReleaseSpec.read(spec)
    target = spec_path(lake, wanted.name)
    if not (target.exists() and target.samefile(spec)):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(spec, target)
    made = run_release(lake.settings, wanted.name, "release")[-1]
    lines = "\n".join(f"  {name}: {value}" for name, value in made.metadata.items())
    answer(json_, dict(made.metadata), f"Release {wanted.name}\n{lines}", f"larmor train {wanted.name}")
