"""`larmor predict`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._amounts import many
from orchestration.verbs._names import models
from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, say, table
from schemas.roles import reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake


@click.command("predict", epilog="Example: larmor predict demo-tiny-segmentation image.nii.gz --out labels.nii.gz")
@click.argument("model", shell_complete=models)
@click.argument("image", metavar="INPUT")
@click.option(
    "--out",
    type=LocalPath(),
    required=True,
    help="File to write: .nii, .nii.gz, a DICOM segmentation .dcm, or .json of a model of whole volumes; a folder for "
    "many images.",
)
@click.option("--number", type=click.IntRange(min=1), help="Which volume of a DICOM series that gives several.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["nifti", "dicom", "json"]),
    help="What each of many images gives; default: nifti. Of one image the ending of --out says it.",
)
@click.option(
    "--split", type=click.Choice(["train", "validation"]), help="One split of a release; default: both. Test is sealed."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where it is computed; auto is the GPU where there is one.",
)
@click.option("--purpose", default="research", show_default=True, help="What for; it is recorded.")
@as_json
@acting(reading(Zone.MODELS))
@click.pass_context
def command(
    context: click.Context,
    model: str,
    image: str,
    out: Path,
    number: int | None,
    form: str | None,
    split: str | None,
    device: str,
    purpose: str,
    json_: bool,
) -> None:
    """Write what MODEL, a name among the lake's models or a folder, says of INPUT.

    INPUT is a NIfTI file, a folder with a DICOM series, a multi-frame DICOM file, or the id of a volume of the lake; or
    many images: the name of a release, a folder of NIfTI files, or a folder of DICOM series, with a folder as --out.
    A label map or a restored image has the voxel grid of INPUT; a segmentation in DICOM refers to its slices. What is
    said of the whole, such as a class or a number, is written as JSON. Of a 4D image the first step is used.
    """
    lake = opened(context)
    from lake.releases import names

    release = image in names(lake)
    if split and not release:
        raise click.UsageError("found --split without a release, needed the name of one as INPUT", context)
    if not out.name.endswith(_ENDINGS):
        if number:
            raise click.UsageError("found --number and a folder as --out, needed a file for one volume", context)
        say("Loading the model")
        _many(lake, model, image, out, form or "nifti", split, device, purpose, json_)
        return
    if form:
        raise click.UsageError("found --format and one file as --out, needed its ending alone", context)
    if release and not Path(image).exists():
        raise click.UsageError("found a release and one file as --out, needed a folder for its images", context)
    from orchestration.predictions import predict

    say("Loading the model")
    made = predict(lake, model, image, out, number=number, purpose=purpose, device=device)
    first = f" (first of {made.steps} steps)" if made.steps > 1 else ""
    shape = " x ".join(str(n) for n in made.shape)
    head = f"{'Said' if made.facts else 'Made'} of {shape} voxels by {made.model}{first}"
    rows = [asdict(found) for found in made.classes]
    body = table(rows, ["value", "name", "voxels", "millilitres"]) if rows else _told(made.facts)
    answer(json_, asdict(made), f"{head}\n{made.out}\n\n{body}", _NEXT)


def _many(
    lake: "Lake",
    model: str,
    image: str,
    out: Path,
    form: str,
    split: str | None,
    device: str,
    purpose: str,
    json_: bool,
) -> None:
    """Many images; exit code 1 where one of them failed."""
    from orchestration.predicted_folder import predict_many
    from stages.export.export import SPLITS

    done = predict_many(
        lake,
        model,
        image,
        out,
        form=form,
        splits=(split,) if split else SPLITS,
        purpose=purpose,
        device=device,
        report=lambda line: say(f"  {line}"),
    )
    lines = [f"{many(len(done.made), 'prediction')} by {done.model}, {done.there} were there already", str(done.folder)]
    if done.failed:
        lines += [f"{len(done.failed)} failed:", *(f"  {name}: {why}" for name, why in done.failed.items())]
    answer(json_, asdict(done), "\n".join(lines), _next_of(lake, image, out) if form == "nifti" else _NEXT)
    if done.failed:
        raise SystemExit(1)


def _next_of(lake: "Lake", image: str, out: Path) -> str:
    from lake.releases import names

    return f"larmor look --release {image} --predictions {out}" if image in names(lake) else _NEXT


_ENDINGS = (".nii", ".nii.gz", ".dcm", ".json")
_FEW = 16
_NEXT = "open it over the image in a viewer, or read it; a model's output is no diagnosis"


def _told(facts: Mapping[str, Any]) -> str:
    """Facts as lines; long lists, such as embeddings, are in the file."""
    plain = {name: value for name, value in facts.items() if not isinstance(value, dict)}
    named = {name: value for found in facts.values() if isinstance(found, dict) for name, value in found.items()}
    shown = {n: f"{len(v)} values" if isinstance(v, list) and len(v) > _FEW else v for n, v in (plain | named).items()}
    return table([{"what": name, "value": value} for name, value in shown.items()], ["what", "value"]) if facts else ""
