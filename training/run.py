"""A job description becomes a training or an evaluation: the entry of a process, under torchrun or alone.

Belongs here: reading the job and calling what it names. Starting processes is `training.launch`. Who listens is not
known here: events go to a callable, and from the command line to standard output, a JSON object a line.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from schemas.document import Document
from schemas.naming import Name
from training.errors import TrainingError
from training.result import Result
from training.running import process
from training.running.interruption import EXIT_CODE, Stopped


class Job(Document):
    """What one process, or each of several, is asked to do."""

    kind: Literal["pretrain", "finetune", "evaluate"]
    """What to do."""
    release: Name
    """Release to use."""
    name: Name
    """Name of the model, or of the evaluation."""
    root: Path | None = None
    """Root of the lake; None: as configured."""
    out: Path | None = None
    """Folder of what is made; None: `<models>/<name>`."""
    preset: str = "tiny"
    """Preset to start from."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Fields that differ from the preset; dotted names reach into sections."""
    parent: str | None = None
    """Pre-trained model to fine-tune: a name beside `out`, or a folder."""
    checkpoints: list[str] = Field(default_factory=list)
    """Models to evaluate: names beside `out`, or folders. The first is compared with the others."""
    replace: bool = False
    """Put the model in the place of another one of its name."""


def read(job: Mapping[str, Any] | Path) -> Job:
    """The job of a mapping or of a YAML file.

    Raises:
        DocumentError: if a field is missing or wrong.
    """
    return Job.read(job) if isinstance(job, Path) else Job.parse(dict(job), "job")


def run(job: Mapping[str, Any] | Path, report: Any) -> Result:
    """Do a job.

    Under torchrun every process calls this; the first one reports and writes.

    Args:
        job: the job, or the path of its YAML file.
        report: called with every event, a mapping of plain values.

    Raises:
        DocumentError: if the job or its configuration is wrong.
        Refusal: if the terms do not allow it.
        TrainingError: if it cannot be done.
        ReleaseError: if there is no such release.
        StagingError: if a staging folder is set, and the release cannot be staged there.
    """
    from lake.releases import Release
    from lake.staging.stage import staging
    from lake.zones import Lake
    from training.shelf import desk, fetched, reserved

    wanted = read(job)
    opened = Lake.open(wanted.root)
    release = Release.open(opened, wanted.release)
    out = (wanted.out or desk(opened, wanted.name)).absolute()
    for name in (wanted.parent, *wanted.checkpoints):
        if name and "/" not in name and out.parent == desk(opened, name).parent:
            fetched(opened, name)
    decision = _asked(opened, wanted, release, out)
    # of the processes of one machine the first to come copies a file, the others wait for it
    with staging(release) as near:
        if process.rank() != 0:
            return do(wanted, release, out, report)
        if near:
            report({"event": "staged", "files": near.files, "bytes": near.bytes, "copied": near.copied})
        with reserved(opened, out):
            return _recorded(opened, wanted, release, out, report, decision)


def _asked(lake: Any, job: Job, release: Any, out: Path) -> Any:
    """The decision that the terms allow the job, before anything is read."""
    from lineage.terms.questions import Action
    from training import record
    from training.config.presets import configured

    if job.kind == "evaluate":
        split = configured(job.preset, "evaluate", job.config).split
        return record.asked(lake, release, Action.EVALUATE, split, [found(name, out) for name in job.checkpoints])
    return record.asked(lake, release, Action.TRAIN, models=[found(job.parent, out)] if job.parent else ())


def _recorded(lake: Any, job: Job, release: Any, out: Path, report: Any, decision: Any) -> Result:
    """Do a job and put it on the record: the opening of a sealed split before, what was made after."""
    from training import record
    from training.checkpoint import read_manifest
    from training.config.presets import configured
    from training.shelf import put_up
    from training.unfinished import making

    if job.kind != "evaluate":
        with making(lake, out, report) as told:
            result = do(job, release, out, told)
        record.trained(lake, release, result, decision)
        return result
    split = configured(job.preset, "evaluate", job.config).split
    record.opening(lake, release, split, decision)
    result = do(job, release, out, report, _trainer(lake, release, out, report))
    put_up(lake, out)
    given = [found(name, out) for name in job.checkpoints]
    beside = [out.parent / name for name in result.metrics["trained_to_compare"]]
    record.evaluated(lake, release, result, [read_manifest(folder) for folder in (*given, *beside)], split, decision)
    return result


def _trainer(lake: Any, release: Any, out: Path, report: Any) -> Any:
    """What trains the models that an evaluation compares with: beside it, each on the record."""
    from lineage.terms.questions import Action
    from training import record
    from training.finetune import finetune
    from training.shelf import reserved
    from training.unfinished import making

    def train(name: str, config: Any, parent: Path | None) -> Path:
        folder = out.parent / name
        decision = record.asked(lake, release, Action.TRAIN, models=[parent] if parent else ())
        with reserved(lake, folder), making(lake, folder, report) as told:
            result = finetune(config, release, folder, told, parent=parent)
        record.trained(lake, release, result, decision)
        return folder

    return train


def do(job: Job, release: Any, out: Path, report: Any, train: Any = None) -> Result:
    """Do a job on an opened release.

    Args:
        job: the job.
        release: its release.
        out: folder of what is made.
        report: called with every event.
        train: trains what an evaluation compares with (`training.evaluation.baselines`).
    """
    from training.config.presets import configured

    if job.kind == "pretrain":
        from training.pretrain import pretrain

        config = configured(job.preset, "pretrain", job.config)
        return pretrain(config, release, out, report, replace=job.replace)
    if job.kind == "finetune":
        from training.finetune import finetune

        parent = found(job.parent, out) if job.parent else None
        return finetune(
            configured(job.preset, "finetune", job.config), release, out, report, parent=parent, replace=job.replace
        )
    from training.evaluation.evaluate import evaluate
    from training.evaluation.people import of_lake

    if not job.checkpoints:
        raise TrainingError("checkpoints: found none, needed at least one model to evaluate")
    wanted = configured(job.preset, "evaluate", job.config)
    recipe = configured(job.preset, "finetune", wanted.budget) if wanted.few_shot else None
    folders = [found(name, out) for name in job.checkpoints]
    return evaluate(wanted, release, folders, out, report, elsewhere=of_lake(release.lake), train=train, recipe=recipe)


def found(name: str, out: Path) -> Path:
    """The folder of a model that is named as a path, or by its name beside `out`."""
    return Path(name) if "/" in name else out.parent / name


def main(arguments: list[str] | None = None) -> int:
    """Do the job whose YAML file is named; events go to standard output."""
    process.die_with_parent()
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m training.run JOB.yaml\n")
        return 2
    try:
        run(Path(arguments[0]), tell)
    except Stopped as error:  # "stopped" was told when it was
        sys.stderr.write(f"{error}\n")
        return EXIT_CODE
    except (ValueError, PermissionError) as error:
        # terms, documents, releases and trainings that cannot be as asked: the message is the remedy
        if process.rank() == 0:
            tell({"event": "failed", "error": str(error)})
        return 1
    return 0


def tell(event: Mapping[str, Any]) -> None:
    """Write an event to standard output, whole and at once."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
