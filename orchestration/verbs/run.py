"""`larmor run`."""

import click

from orchestration.verbs._shared import answer, as_json, opened, say, table


@click.command("run", epilog="Example: larmor run site-a-2026-11 --to series")
@click.argument("name")
@click.option("--to", help="Last asset to materialize, for example series; default: all.")
@as_json
@click.pass_context
def command(context: click.Context, name: str, to: str | None, json_: bool) -> None:
    """Materialize the delivery or the release NAME, step by step, and sum up."""
    from lake.releases import names
    from schemas.delivery import MANIFEST_NAME
    from stages.landed import names as landed
    from stages.release import spec_path

    lake = opened(context)
    is_delivery = lake.landed(name).exists(MANIFEST_NAME)
    if not is_delivery and not spec_path(lake, name).is_file():
        raise ValueError(
            f"found no delivery and no release {name!r}, needed one of: "
            f"{', '.join([*landed(lake), *names(lake)]) or 'none yet'}; make a delivery with larmor ingest"
        )
    from orchestration.headless import run_delivery, run_release

    say(f"{'Delivery' if is_delivery else 'Release'} {name}")
    made = run_delivery(lake.settings, name, to) if is_delivery else run_release(lake.settings, name, to)
    rows = [{"asset": m.asset, **m.counts()} for m in made]
    columns = ["asset", "row_count", "duplicates", "quarantined"]
    answer(json_, [{"asset": m.asset, **m.metadata} for m in made], table(rows, columns), _next(is_delivery, name))


def _next(is_delivery: bool, name: str) -> str:
    if is_delivery:
        return "larmor releases freeze SPEC.yaml (docs/examples/release.yaml), or larmor look --delivery " + name
    return "larmor report"
