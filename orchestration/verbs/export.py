"""`larmor export`."""

from dataclasses import asdict
from pathlib import Path

import click

from orchestration.verbs._amounts import many, size
from orchestration.verbs._shared import answer, as_json, opened, say


@click.command("export", epilog="Example: larmor export demo --to demo-nifti --split train")
@click.argument("release")
@click.option("--to", type=click.Path(path_type=Path), required=True, help="New folder to write.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation"]),
    help="One split; default: both. The test set is sealed and never exported.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["nifti", "dicom"]),
    default="nifti",
    show_default=True,
    help="NIfTI in a BIDS folder, or the de-identified DICOM files with a DICOMDIR; both with labels.",
)
@click.option("--purpose", help="What for, as the licences name it; default: what the release is for.")
@click.option("--recipient", help="Who receives it, as a name; it is recorded for the account of disclosures.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    release: str,
    to: Path,
    split: str | None,
    form: str,
    purpose: str | None,
    recipient: str | None,
    json_: bool,
) -> None:
    """Write RELEASE as NIfTI or DICOM files, with data card and licence terms.

    Every licence of the release is asked, and the export is recorded.
    """
    from stages.export.export import CHECKSUMS, SPLITS, export

    say(f"Exporting {release}")
    made = export(
        opened(context),
        release,
        to,
        splits=(split,) if split else SPLITS,
        form=form,
        purpose=purpose,
        recipient=recipient,
        report=lambda s: say(f"  {s}"),
    )
    text = (
        f"{many(made.volumes, 'volume')} of {many(made.subjects, 'subject')} and {many(made.labels, 'label map')}: "
        f"{many(made.files, 'file')}, {size(made.bytes)}\n{made.folder}\nSHA-256 of {CHECKSUMS}: {made.sha256}"
    )
    answer(
        json_, asdict(made), text, f"cd {made.folder} && sha256sum --check {CHECKSUMS}; read card.html and licences/"
    )
