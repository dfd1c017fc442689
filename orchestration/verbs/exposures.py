"""`larmor exposures`."""

import click

from orchestration.verbs._shared import answer, as_json, opened, table


@click.command("exposures", epilog="Example: larmor exposures demo-tiny")
@click.argument("model")
@as_json
@click.pass_context
def command(context: click.Context, model: str, json_: bool) -> None:
    """List the subjects that MODEL was trained on, those of its ancestors included."""
    from lineage.exposures.exposures import exposures

    rows = exposures(opened(context), model)
    subjects: dict[tuple[str, str], dict[str, object]] = {}
    for row in rows:
        entry = subjects.setdefault(
            (row["subject"], row["via"]),
            {"subject": row["subject"], "via": row["via"], "delivery": row["delivery"], "volumes": 0, "samples": 0},
        )
        entry["volumes"] = int(str(entry["volumes"])) + 1
        entry["samples"] = int(str(entry["samples"])) + row["samples"]
    shown = list(subjects.values())
    text = table(shown, ["subject", "via", "delivery", "volumes", "samples"]) if shown else f"No exposure of {model}."
    answer(json_, rows, text, "larmor who-saw SUBJECT" if rows else "larmor releases, then larmor train RELEASE")
