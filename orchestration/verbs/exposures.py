"""`larmor exposures`."""

import click

from orchestration.verbs._names import models
from orchestration.verbs._shared import acting, answer, as_json, opened, table
from schemas.roles import reading
from schemas.zone import Zone


@click.command("exposures", epilog="Example: larmor exposures demo-tiny")
@click.argument("checkpoint", shell_complete=models)
@click.option("--epoch", type=click.IntRange(min=1), help="Only what its own training served in this epoch.")
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def command(context: click.Context, checkpoint: str, epoch: int | None, json_: bool) -> None:
    """List the subjects that CHECKPOINT was trained on, those of its ancestors included.

    CHECKPOINT is the name of a model, whose newest checkpoint is meant, or the beginning of the digest of its weights.
    """
    from lineage.exposures.exposures import exposed
    from schemas.tables import EXPOSED_CHECKPOINTS

    lake = opened(context)
    rows = exposed(lake, checkpoint, epoch)
    if not rows.num_rows and epoch is None:
        # a name that was mistyped must not read as a model that saw nobody
        there = sorted({row["model"] for row in lake.table(EXPOSED_CHECKPOINTS).rows(["model"])})
        raise ValueError(f"found no exposure of {checkpoint!r}, needed one of: {', '.join(there) or 'none yet'}")
    if json_:
        answer(json_, rows.to_pylist(), "")
        return
    counts = [("delivery", "min"), ("volume", "count"), ("samples", "sum")]
    found = rows.group_by(["subject", "via"], use_threads=False).aggregate(counts)
    names = {"delivery_min": "delivery", "volume_count": "volumes", "samples_sum": "samples"}
    shown = found.rename_columns([names.get(name, name) for name in found.column_names]).to_pylist()
    columns = ["subject", "via", "delivery", "volumes", "samples"]
    text = table(shown, columns) if shown else f"No exposure of {checkpoint} in this epoch."
    answer(json_, shown, text, "larmor who-saw SUBJECT")
