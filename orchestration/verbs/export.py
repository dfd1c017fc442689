"""`larmor export`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.verbs._amounts import many, size
from orchestration.verbs._names import releases
from orchestration.verbs._shared import acting, answer, as_json, opened, say
from schemas.roles import reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake


@click.command("export", epilog="Example: larmor export demo --to demo-nifti --split train")
@click.argument("release", required=False, shell_complete=releases)
@click.option("--model", metavar="NAME", help="A model of the lake in place of a release.")
@click.option("--to", required=True, help="New folder to write, or an empty prefix of S3, s3://bucket/prefix.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation"]),
    help="One split; default: both. The test set is sealed and never exported.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["nifti", "dicom"]),
    help="NIfTI in a BIDS folder, the default, or the de-identified DICOM files with a DICOMDIR; both with labels.",
)
@click.option("--purpose", help="What for, as the licences name it; default: what the release is for.")
@click.option(
    "--recipient", help="Who receives it, as a name; recorded for disclosures and withdrawals. A model needs it."
)
@click.option("--country", help="With --model: where the recipient is, for example DE; default: LARMOR_COUNTRY.")
@as_json
@acting(lambda given: reading(Zone.MODELS if given["model"] else Zone.CURATED))
@click.pass_context
def command(
    context: click.Context,
    release: str | None,
    model: str | None,
    to: str,
    split: str | None,
    form: str | None,
    purpose: str | None,
    recipient: str | None,
    country: str | None,
    json_: bool,
) -> None:
    """Write RELEASE as NIfTI or DICOM files, or a model with its card and manifest, with the terms.

    Every licence is asked, of a model for the right to share it, and the export is recorded. Of a model the list of
    volumes that it was trained on stays here.
    """
    if (release is None) == (model is None):
        raise click.UsageError("found both or neither of RELEASE and --model, needed one", context)
    if model:
        if split or form:
            raise click.UsageError("found --split or --format with --model, needed neither", context)
        if not recipient:
            raise click.UsageError("found --model without --recipient, needed who receives it", context)
        _model(opened(context), model, to, recipient, purpose, country, json_)
        return
    if country:
        raise click.UsageError("found --country of a release, needed it with --model alone", context)
    _release(opened(context), str(release), to, split, form or "nifti", purpose, recipient, json_)


def _model(
    lake: "Lake", name: str, to: str, recipient: str, purpose: str | None, country: str | None, json_: bool
) -> None:
    from stages.export.model import share

    made = share(lake, name, to, recipient=recipient, purpose=purpose, country=country)
    text = (
        f"Model {made.model} for {made.recipient}: {many(made.files, 'file')}, {size(made.bytes)}\n{made.folder}\n"
        f"SHA-256 of its list of checksums: {made.sha256}"
    )
    following = f"{_there(made.folder)} && sha256sum --check SHA256SUMS; training.open(FOLDER) opens it"
    answer(json_, asdict(made), text, following)


def _release(
    lake: "Lake", release: str, to: str, split: str | None, form: str, purpose: str | None, recipient: str | None,
    json_: bool,
) -> None:  # fmt: skip
    from stages.export.export import SPLITS, export
    from stages.export.target import CHECKSUMS

    say(f"Exporting {release}")
    made = export(
        lake,
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
    following = f"{_there(made.folder)} && sha256sum --check {CHECKSUMS}; read card.html and licences/"
    answer(json_, asdict(made), text, following)


def _there(folder: Path | str) -> str:
    """How to get to what was written."""
    return f"aws s3 sync {folder} COPY && cd COPY" if str(folder).startswith("s3://") else f"cd {folder}"
