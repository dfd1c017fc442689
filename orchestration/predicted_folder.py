"""Predictions on many images: a release, a folder of NIfTI files or of DICOM series, into a folder.

Belongs here: which images there are, what their files are called, and going on where a stopped one was. One image is
`orchestration.predictions`. A file that is there is finished: it was put on the record before it appeared. Another
person's images may have the same names and numbers, so a list in the folder says which bytes each prediction is of.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from imaging.errors import ImagingError
from lake.releases import Release, names
from lake.voxels.payload import PayloadError
from lake.zones import Lake
from lineage.terms.decisions import Decision
from lineage.terms.questions import Action
from orchestration.overlays import CLASSES, write_classes
from orchestration.predictions import SEGMENTATION, predict_source, refuse_place, refuse_unreferable
from stages.export.export import SPLITS, permitted
from stages.permission import permitted_model, permitted_release
from stages.sources import Pending, each_of_folder, of_row
from training.errors import TrainingError
from training.evaluation.prediction import ENDINGS, FACTS, Predicted, Predictor, predict_image
from training.running.digests import digest_of

FORMS = {"nifti": ".nii.gz", "dicom": SEGMENTATION, "json": FACTS}
"""What each image's prediction is written as, with the file's ending."""

SOURCES = "sources.sha256"
"""Beside the predictions: digest of the image and name of its prediction, a line each."""


class Work(NamedTuple):
    """One image to predict on.

    Attributes:
        name: what its prediction is called.
        make: what makes it.
        sha256: digest of the image; None: its name can be no other's.
    """

    name: str
    make: Callable[[Predictor, Path, Decision], Predicted]
    sha256: Callable[[], str] | None = None


@dataclass
class Many:
    """What came of the images.

    Attributes:
        folder: where the predictions lie.
        model: name of the model.
        made: predictions that were written now.
        there: images whose prediction was there already.
        failed: image to the reason that there is no prediction of it.
    """

    folder: Path
    model: str
    made: list[Predicted] = field(default_factory=list)
    there: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def predict_many(
    lake: Lake,
    model: str,
    source: str,
    folder: Path,
    *,
    form: str = "nifti",
    splits: Sequence[str] = SPLITS,
    purpose: str = "research",
    device: str = "auto",
    report: Callable[[str], None] = lambda _: None,
) -> Many:
    """Write what a model says of each of many images; an image that fails stops none of the others.

    Args:
        lake: the lake.
        model: name of a fine-tuned model, or its folder.
        source: name of a release, or a folder of NIfTI files or of DICOM series.
        folder: where predictions are written: `<volume>` of a release, `<name>` of a NIfTI file, `<number>` of a volume
            that DICOM gives, numbered as by `number` of one image. The same call goes on where a stopped one was.
        form: of `FORMS`.
        splits: of a release; the test set is sealed.
        purpose: what for, for the record; the licences of a release must allow it.
        device: where it is computed: cpu, cuda, or auto, which is the GPU where there is one.
        report: told how far it is.

    Raises:
        CheckpointError: if there is no such model, or it is not a fine-tuned one.
        Refusal: if a licence of the release does not allow it.
        TrainingError: if there is no image, or the folder holds predictions of another model.
    """
    refuse_place(folder / "x")
    works = list(_works(lake, source, splits, purpose, form))
    if not works:
        raise TrainingError("found no image to predict on, needed a release, NIfTI files or DICOM series of MR images")
    predictor = Predictor.load(lake, model, device)
    ending = FORMS[form]
    predictor.check(folder / f"x{ending}", segmentation=SEGMENTATION)
    _claim(folder, predictor, form)
    decision = permitted_model(lake, predictor.manifest, Action.PREDICT, purpose)
    many, known = Many(folder, predictor.manifest.name), _known(folder)
    for number, work in enumerate(works, 1):
        out = folder / f"{work.name}{ending}"
        try:
            if work.sha256 and (digest := work.sha256()) != known.get(work.name):
                _refuse_another(folder, work.name)
                _note(folder, work.name, digest)
            if out.exists():
                many.there += 1
                continue
            many.made.append(work.make(predictor, out, decision))
        except (ImagingError, PayloadError, TrainingError, FileNotFoundError) as error:
            many.failed[work.name] = str(error)
        report(f"{number} of {len(works)} images{f', {len(many.failed)} failed' if many.failed else ''}")
    return many


def _claim(folder: Path, predictor: Predictor, form: str) -> None:
    """Make the folder this model's, or refuse one that is another's."""
    folder.mkdir(parents=True, exist_ok=True)
    told, name = folder / CLASSES, predictor.manifest.name
    if not told.is_file() and any(folder.iterdir()):
        raise TrainingError("found other files in the output's folder, needed a new one; name another one with --out")
    if told.is_file() and json.loads(told.read_bytes()).get("digest") != predictor.digest:
        raise TrainingError(
            "found predictions of another model there, needed a new folder; name another one with --out"
        )
    scheme: Mapping[int, str] = predictor.scheme if form != "json" and predictor.model.task.answer == "labels" else {}
    write_classes(folder, name, predictor.digest, scheme)


def _known(folder: Path) -> dict[str, str]:
    """Name of each prediction to the digest of the image that it is of."""
    place = folder / SOURCES
    lines = place.read_text(encoding="utf-8").splitlines() if place.is_file() else []
    told = (line.partition("  ") for line in lines)
    return {name: digest for digest, _, name in told}


def _note(folder: Path, name: str, digest: str) -> None:
    """Say which image a prediction will be of, before there is one: none is ever there without it."""
    with (folder / SOURCES).open("a", encoding="utf-8") as file:
        file.write(f"{digest}  {name}\n")


def _refuse_another(folder: Path, name: str) -> None:
    if any((folder / f"{name}{ending}").exists() for ending in FORMS.values()):
        raise TrainingError(
            "found the prediction of another image under this name, needed a new folder; name another one with --out"
        )


def _works(lake: Lake, source: str, splits: Sequence[str], purpose: str, form: str) -> Iterator[Work]:
    place = Path(source)
    if source in names(lake):  # a folder of the same name is ./NAME
        yield from _of_release(lake, Release.open(lake, source), splits, purpose, form)
    elif place.is_dir():
        images = sorted(path for path in place.rglob("*") if path.name.endswith(ENDINGS) and path.is_file())
        yield from _of_files(lake, images, form) if images else _of_dicom(lake, place)
    else:
        raise TrainingError(
            "found neither a release nor a folder of that name, needed one for an output without an ending; "
            "for one image name a file with --out"
        )


def _of_files(lake: Lake, images: Sequence[Path], form: str) -> Iterator[Work]:
    if form == "dicom":
        raise TrainingError("found NIfTI images, needed DICOM to refer to; write --format nifti instead")
    stems = [path.name.removesuffix(".gz").removesuffix(".nii") for path in images]
    if twice := {stem for stem in stems if stems.count(stem) > 1}:
        raise TrainingError(f"found {len(twice)} names of images more than once, needed names that differ; rename them")

    def made(path: Path, predictor: Predictor, out: Path, decision: Decision) -> Predicted:
        return predict_image(lake, predictor, path, out, decision)

    for stem, path in zip(stems, images, strict=True):
        yield Work(stem, partial(made, path), partial(digest_of, path))


def _of_dicom(lake: Lake, place: Path) -> Iterator[Work]:
    def made(pending: Pending, predictor: Predictor, out: Path, decision: Decision) -> Predicted:
        return predict_source(lake, predictor, pending.made(), out, decision)

    for number, pending in enumerate(each_of_folder(place), 1):
        yield Work(f"{number:03}", partial(made, pending), pending.digest)


def _of_release(lake: Lake, release: Release, splits: Sequence[str], purpose: str, form: str) -> Iterator[Work]:
    permitted(lake, release, purpose, splits)
    permitted_release(lake, release, Action.PREDICT, purpose, splits)
    volumes = release.volumes()

    def made(volume: str, predictor: Predictor, out: Path, decision: Decision) -> Predicted:
        row = volumes.row(volume)
        # the files it came from are wanted by a segmentation alone, which refers to them
        found = of_row(lake, volumes, row if form == "dicom" else {**row, "sources": []})
        refuse_unreferable(found, out)
        return predict_source(lake, predictor, found, out, decision)

    for split in splits:
        for member in release.members(split):
            yield Work(member.volume, partial(made, member.volume))
