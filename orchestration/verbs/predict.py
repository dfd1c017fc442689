"""`larmor predict`."""

from dataclasses import asdict
from pathlib import Path

import click

from orchestration.verbs._shared import answer, as_json, opened, say, table


@click.command("predict", epilog="Example: larmor predict demo-tiny-segmentation image.nii.gz --out labels.nii.gz")
@click.argument("model")
@click.argument("image", metavar="INPUT")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Label map to write: .nii, .nii.gz or, as a DICOM segmentation, .dcm.",
)
@click.option("--number", type=click.IntRange(min=1), help="Which volume of a DICOM series that gives several.")
@click.option("--purpose", default="research", show_default=True, help="What for; it is recorded.")
@as_json
@click.pass_context
def command(
    context: click.Context, model: str, image: str, out: Path, number: int | None, purpose: str, json_: bool
) -> None:
    """Segment INPUT with MODEL, a name among the lake's models or a folder.

    INPUT is a NIfTI file, a folder with a DICOM series, a multi-frame DICOM file, or the id of a volume of the lake.
    The label map has the voxel grid of INPUT; a segmentation in DICOM refers to its slices. Of a 4D image the first
    step is used.
    """
    lake = opened(context)
    say("Loading the model")
    from orchestration.predictions import predict

    made = predict(lake, model, image, out, number=number, purpose=purpose)
    rows = [asdict(found) for found in made.classes]
    first = f" (first of {made.steps} steps)" if made.steps > 1 else ""
    head = f"Label map of {' x '.join(str(n) for n in made.shape)} voxels by {made.model}{first}\n{made.out}"
    text = f"{head}\n\n{table(rows, ['value', 'name', 'voxels', 'millilitres'])}"
    answer(json_, asdict(made), text, "open it over the image in a viewer; a model's output is no diagnosis")
