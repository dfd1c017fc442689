"""Trainings that are not finished, where models lie in a zone on S3: another machine goes on where this one was killed.

Belongs here: the way of what was saved from the desk into the zone, after every save, and back before a training
begins. Below `<models>/.runs/<name>/` lie the same files as in the training's workspace; the record of a resumable
checkpoint comes last and goes first, so that one on S3 is whole or not there. Finished models are `training.shelf`'s.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lake.stores.storage import Location
from lake.zones import Lake
from schemas.checkpoint import RESUMABLE, RUNS
from schemas.contract import Zone
from training.errors import CheckpointError
from training.running.files import write_atomically
from training.running.resumable import remove, step_of
from training.running.workspace import MARKER, PROGRESS, Workspace
from training.shelf import desk, fetched, put_up

Report = Callable[[Mapping[str, Any]], None]


@contextlib.contextmanager
def making(lake: Lake, folder: Path, report: Report) -> Iterator[Report]:
    """Make a model: begin where any machine was, keep what is saved, put what is made into the zone.

    Nothing of it where the zone is a local folder, or the model is made elsewhere. A copy that fails is told (event
    `not_copied`) and stops no training: this machine can resume it, and the next save is copied again.

    Args:
        lake: the lake.
        folder: of the model; nobody else may be making it (`training.shelf.reserved`).
        report: whom to tell every event.

    Yields:
        Whom the training is to tell.

    Raises:
        CheckpointError: if the zone has resumable checkpoints of it and none is whole.
        OSError: if the store does not give them, or does not take the model.
    """
    if lake.location(Zone.MODELS).local or folder != desk(lake, folder.name):
        yield report
        return
    workspace, there = Workspace.beside(folder), lake.location(Zone.MODELS, RUNS, folder.name)
    fetched(lake, folder.name)  # another machine may have finished it
    _take_up(workspace, there)

    def told(event: Mapping[str, Any]) -> None:
        if event["event"] == "saved":
            try:
                _copy(workspace, there, int(event["step"]))
            except OSError as error:  # whatever the store answered, after all tries
                report({"event": "not_copied", "step": event["step"], "reason": str(error)})
        report(event)

    yield told
    put_up(lake, folder)
    _clear(there)


def _take_up(workspace: Workspace, there: Location) -> None:
    """Have what the zone knows of an unfinished training on the desk, unless the desk is as far.

    Whose training it is, and whether this one may go on with it, is for the workspace to judge.
    """
    try:
        marker = there.read_bytes(MARKER)
    except FileNotFoundError:
        return
    own = workspace.folder / MARKER
    if not own.is_file() or own.read_bytes() != marker:
        workspace.resumable.clear()
        write_atomically(own, marker)
    steps = _steps(there)
    here = [step for step in workspace.resumable.steps() if workspace.resumable.whole(step)]
    newer = [step for step in steps if step > max(here, default=0)]
    if not newer or any(_fetched(workspace, there, step) for step in reversed(newer)) or here:
        return
    raise CheckpointError(
        f"found {len(steps)} resumable checkpoints at {there.uri} and none of them whole, needed one; delete that "
        "prefix to start at the beginning"
    )


def _steps(there: Location) -> list[int]:
    """Steps with a record, which is what makes them whole."""
    return sorted(step_of(Path(name)) for name in there.join(RESUMABLE).list() if name.endswith(".json"))


def _copy(workspace: Workspace, there: Location, step: int) -> None:
    marker = (workspace.folder / MARKER).read_bytes()
    with contextlib.suppress(FileNotFoundError):
        if there.read_bytes(MARKER) != marker:  # an unfinished training that this one took the place of
            _clear(there)
    there.write_bytes(MARKER, marker)
    place, record = workspace.resumable.place(step), workspace.resumable.record_at(step)
    _drop(there, record.name)
    for file in [place] if place.is_file() else sorted(below for below in place.rglob("*") if below.is_file()):
        there.upload(f"{RESUMABLE}/{file.relative_to(workspace.resumable.folder).as_posix()}", file)
    there.upload(PROGRESS, workspace.progress)
    there.upload(f"{RESUMABLE}/{record.name}", record)
    for old in set(_steps(there)) - set(workspace.resumable.steps()):
        _drop(there, workspace.resumable.record_at(old).name)


def _drop(there: Location, record: str) -> None:
    """Delete a resumable checkpoint, its record first."""
    there.delete(f"{RESUMABLE}/{record}")
    stem = record.removesuffix(".json")
    for name in there.join(RESUMABLE).walk():
        if name.startswith(f"{stem}."):
            there.delete(f"{RESUMABLE}/{name}")


def _clear(there: Location) -> None:
    """Delete all: records before what they are of, and whose it was last, so that a kill in between is made good."""
    for name in sorted(there.walk(), key=lambda name: (name == MARKER, not name.endswith(".json"))):
        there.delete(name)


def _fetched(workspace: Workspace, there: Location, step: int) -> bool:
    """Fetch a resumable checkpoint; False where it is not what its record says."""
    resumable = workspace.resumable
    place, building = resumable.place(step), resumable.building(step)
    remove(building)
    for name in there.join(RESUMABLE).walk():
        if name == place.name or name.startswith(f"{place.name}/"):
            target = building / name.removeprefix(place.name).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            there.download(f"{RESUMABLE}/{name}", target)
    resumable.take(step, there.read_bytes(f"{RESUMABLE}/{resumable.record_at(step).name}"))
    if resumable.whole(step):
        write_atomically(workspace.progress, there.read_bytes(PROGRESS))
        return True
    resumable.drop(step)
    return False
