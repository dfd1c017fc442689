"""`larmor run`."""

import click

from orchestration.verbs._names import deliveries
from orchestration.verbs._shared import acting, answer, as_json, configured, opened, say, table
from schemas.roles import changing
from schemas.zone import Zone


@click.command("run", epilog="Example: larmor run site-a-2026-11 --to series")
@click.argument("name", required=False, shell_complete=deliveries)
@click.option("--to", help="Last asset to materialize, for example series; default: all.")
@click.option("--retry-quarantine", is_flag=True, help="Try again what is held: of NAME, or of every delivery.")
@click.option("--reason", help="With --retry-quarantine: only deliveries that hold something for this reason.")
@as_json
@acting(lambda given: changing(Zone.RESTRICTED, Zone.CURATED) if given["retry_quarantine"] else changing(Zone.CURATED))
@click.pass_context
def command(
    context: click.Context, name: str | None, to: str | None, retry_quarantine: bool, reason: str | None, json_: bool
) -> int:
    """Materialize the delivery or the release NAME, step by step, and sum up.

    With --retry-quarantine deliveries that hold something run again, from the first station whose input or outcome can
    have changed. What is still wrong stays held. Exit code 1: a delivery failed.
    """
    if retry_quarantine:
        if to:
            raise click.UsageError("found --to and --retry-quarantine, needed one; what is held decides where to begin")
        return _retry(context, name, reason, json_)
    if name is None or reason:
        raise click.UsageError("found no NAME, or --reason alone, needed NAME, or --retry-quarantine")
    _run(context, name, to, json_)
    return 0


def _run(context: click.Context, name: str, to: str | None, json_: bool) -> None:
    from lake.releases import names
    from schemas.delivery import MANIFEST_NAME
    from stages.intake.landed import names as landed
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
    following = _next(is_delivery, name, {m.asset for m in made})
    answer(json_, [{"asset": m.asset, **m.metadata} for m in made], table(rows, columns), following)


def _next(is_delivery: bool, name: str, made: set[str]) -> str:
    if not is_delivery:
        return "larmor report"
    if "curated/volumes" not in made:
        return f"larmor run {name}, which goes on from here"
    return f"larmor look --delivery {name}, or larmor releases freeze SPEC.yaml (docs/examples/release.yaml)"


def _retry(context: click.Context, name: str | None, reason: str | None, json_: bool) -> int:
    from orchestration.retrying import retry
    from schemas.reasons import Reason
    from stages.intake.landed import names as landed

    if reason and reason not in set(Reason):
        raise click.BadParameter(f"found none of that name, needed one of: {', '.join(Reason)}", param_hint="--reason")
    if name and name not in (there := landed(opened(context))):
        raise ValueError(f"found no delivery {name!r} in landing, needed one of: {', '.join(there) or 'none yet'}")
    done = list(retry(configured(context), name, reason, say))
    rows = [{"delivery": d.delivery, "held_before": d.before, "held_now": d.held, "failed": d.failed} for d in done]
    failed = [f"{d.delivery}: {d.failed}" for d in done if d.failed]
    text = table(rows, ["delivery", "held_before", "held_now"]) if rows else "Nothing is held."
    left = any(d.held for d in done)
    answer(json_, rows, "\n".join([text, *failed]), "larmor quarantine (what is left, and what to do)" if left else "")
    return 1 if failed else 0
