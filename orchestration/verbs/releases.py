"""`larmor releases`."""

import shutil
from pathlib import Path

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, say, table
from schemas.roles import changing, reading
from schemas.zone import Zone


@click.group(
    "releases", invoke_without_command=True, epilog="Example: larmor releases freeze docs/examples/release.yaml"
)
@as_json
@acting(reading(Zone.CURATED))
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
@click.argument("spec", type=LocalPath())
@as_json
@acting(changing(Zone.CURATED))
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


@command.command("stage", epilog="Example: LARMOR_STAGING=/mnt/nvme/larmor larmor releases stage cohort")
@click.argument("name")
@as_json
@acting(reading(Zone.CURATED))
@click.pass_context
def stage(context: click.Context, name: str, json_: bool) -> None:
    """Copy the files of release NAME to the staging folder, or check them on the mount, for training."""
    from dataclasses import asdict

    from lake.releases import Release
    from lake.staging.stage import stage as staged

    done = staged(Release.open(opened(context), name), say)
    where = "checked on the mount" if done.mounted else f"staged, {done.copied} bytes copied now"
    text = f"Release {name}: {done.files} files of {done.bytes} bytes {where}."
    answer(json_, {"release": name, **asdict(done)}, text, f"larmor train {name}")


@command.command("unstage", epilog="Example: larmor releases unstage cohort")
@click.argument("name")
@as_json
@acting(reading(Zone.CURATED))
@click.pass_context
def unstage(context: click.Context, name: str, json_: bool) -> None:
    """Remove the staged copy of release NAME from the staging folder; the release itself stays."""
    from lake.releases import Release
    from lake.staging.stage import drop

    release = Release.open(opened(context), name)
    files = drop(release.lake.settings, release.sha256)
    answer(json_, {"release": name, "files": files}, f"Release {name}: {files} staged files removed.")
