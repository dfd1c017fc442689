"""`larmor ingest`."""

from pathlib import Path

import click

from orchestration.verbs._shared import answer, as_json, opened


@click.command(
    "ingest", epilog="Example: larmor ingest ./export --licence docs/examples/licence.yaml --name site-a-2026-11"
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--licence", required=True, help="Licence that covers it: id of a document in the licences folder, or a file."
)
@click.option("--name", required=True, help="Name of the delivery: a-z, 0-9, '.', '-', '_'.")
@click.option("--purpose", help="What it is used for; default: the licence's first purpose.")
@click.option("--contact", help="Mailbox or role to ask about it.")
@click.option("--already-deidentified", is_flag=True, help="The licensor declares it so; needed for NIfTI.")
@click.option("--body-part", help="For NIfTI: what the images show.")
@click.option("--contrast", help="For NIfTI: contrast of the images, for example T1.")
@click.option("--label-task", help="For NIfTI with labels/ beside images/: what the labels show.")
@click.option("--label", "labels", multiple=True, metavar="VALUE=NAME", help="Meaning of a label value; repeat.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    path: Path,
    licence: str,
    name: str,
    purpose: str | None,
    contact: str | None,
    already_deidentified: bool,
    body_part: str | None,
    contrast: str | None,
    label_task: str | None,
    labels: tuple[str, ...],
    json_: bool,
) -> None:
    """Make PATH, a folder or a zip or tar archive, a delivery in landing, under a licence in force."""
    from lineage import terms
    from stages.intake import files, ingest

    lake = opened(context)
    document = terms.install(lake, licence)
    manifest = ingest(
        lake,
        path,
        name,
        document,
        purpose=purpose,
        contact=contact,
        deidentified=already_deidentified or None,
        body_part=body_part,
        contrast=contrast,
        label_task=label_task,
        label_scheme=_scheme(labels) or None,
    )
    count = len(files(lake.landing / name))
    answer(
        json_,
        manifest.model_dump(mode="json") | {"files": count},
        f"Delivery {name}: {count} files in landing, licence {document.id} of {document.licensor}.",
        f"larmor run {name}",
    )


def _scheme(labels: tuple[str, ...]) -> dict[int, str]:
    scheme = {}
    for label in labels:
        value, _, meaning = label.partition("=")
        if not value.isdigit() or not meaning:
            raise click.BadParameter("found no VALUE=NAME, needed for example --label 1=anterior", param_hint="--label")
        scheme[int(value)] = meaning
    return scheme
