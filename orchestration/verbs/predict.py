"""`larmor predict`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from orchestration.verbs._shared import answer, as_json, opened, say, table


@click.command("predict", epilog="Example: larmor predict demo-tiny-segmentation image.nii.gz --out labels.nii.gz")
@click.argument("model")
@click.argument("image", metavar="INPUT")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write: .nii, .nii.gz, a DICOM segmentation .dcm, or .json of a model of whole volumes.",
)
@click.option("--number", type=click.IntRange(min=1), help="Which volume of a DICOM series that gives several.")
@click.option("--purpose", default="research", show_default=True, help="What for; it is recorded.")
@as_json
@click.pass_context
def command(
    context: click.Context, model: str, image: str, out: Path, number: int | None, purpose: str, json_: bool
) -> None:
    """Write what MODEL, a name among the lake's models or a folder, says of INPUT.

    INPUT is a NIfTI file, a folder with a DICOM series, a multi-frame DICOM file, or the id of a volume of the lake.
    A label map or a restored image has the voxel grid of INPUT; a segmentation in DICOM refers to its slices. What is
    said of the whole, such as a class or a number, is written as JSON. Of a 4D image the first step is used.
    """
    lake = opened(context)
    say("Loading the model")
    from orchestration.predictions import predict

    made = predict(lake, model, image, out, number=number, purpose=purpose)
    first = f" (first of {made.steps} steps)" if made.steps > 1 else ""
    shape = " x ".join(str(n) for n in made.shape)
    head = f"{'Said' if made.facts else 'Made'} of {shape} voxels by {made.model}{first}"
    rows = [asdict(found) for found in made.classes]
    body = table(rows, ["value", "name", "voxels", "millilitres"]) if rows else _told(made.facts)
    answer(json_, asdict(made), f"{head}\n{made.out}\n\n{body}", _NEXT)


_FEW = 16
_NEXT = "open it over the image in a viewer, or read it; a model's output is no diagnosis"


def _told(facts: Mapping[str, Any]) -> str:
    """Facts as lines; long lists, such as embeddings, are in the file."""
    plain = {name: value for name, value in facts.items() if not isinstance(value, dict)}
    named = {name: value for found in facts.values() if isinstance(found, dict) for name, value in found.items()}
    shown = {n: f"{len(v)} values" if isinstance(v, list) and len(v) > _FEW else v for n, v in (plain | named).items()}
    return table([{"what": name, "value": value} for name, value in shown.items()], ["what", "value"]) if facts else ""
