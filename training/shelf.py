"""Models that lie in a zone on S3: a local folder to make or read each in, and the way there and back.

Belongs here: nothing else; where the zone is a local folder, models are made and read in place. Files go up with the
manifest last and are fetched with the manifest first, so that a model on S3 is complete or absent.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from lake.zones import Lake
from schemas.checkpoint import MANIFEST, RETIRED, RUNS
from schemas.contract import Zone
from training.running import lease


def desk(lake: Lake, name: str) -> Path:
    """The local folder that a model or an evaluation of this name is made in."""
    return lake.desk / name


def put_up(lake: Lake, folder: Path) -> None:
    """Put what was made on a desk into the zone, in place of what is there; what makes it complete comes last."""
    from training.checkpoint import METRICS  # torch stays out of those who only ask where a model lies

    location = lake.location(Zone.MODELS, folder.name)
    if location.local or folder != desk(lake, folder.name):
        return
    last = MANIFEST if (folder / MANIFEST).is_file() else METRICS
    location.delete(last)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for stranger in set(location.walk()) - names:
        location.delete(stranger)
    for name in [*sorted(names - {last}), last]:
        location.upload(name, folder / name)


def fetched(lake: Lake, name: str) -> Path:
    """The local folder of a model of the zone, fetched where it is not there as it is in the zone.

    A model that is not in the zone gives a folder that holds none, which whoever reads it tells; one that a withdrawal
    took out of use is taken from the desk too.
    """
    location, folder = lake.location(Zone.MODELS, name), desk(lake, name)
    if location.local:
        return folder

    with _locked(folder.parent):
        try:
            manifest = location.read_bytes(MANIFEST)
        except FileNotFoundError:
            if location.exists(RETIRED):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                location.download(RETIRED, folder / RETIRED)  # whoever reads it tells why it is gone
            return folder
        if (folder / MANIFEST).is_file() and (folder / MANIFEST).read_bytes() == manifest:
            return folder
        building = folder.with_name(f".{name}.building")
        shutil.rmtree(building, ignore_errors=True)
        for file in location.walk():
            (building / file).parent.mkdir(parents=True, exist_ok=True)
            location.download(file, building / file)
        # bytes that were replaced meanwhile do not fit this manifest, and the checkpoint's digests tell
        (building / MANIFEST).write_bytes(manifest)
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    return folder


@contextmanager
def reserved(lake: Lake, folder: Path) -> Iterator[None]:
    """Keep other machines from making a model of the same name while it is made on this desk.

    Where the zone is a local folder, the training's own workspace does.

    Raises:
        BusyError: if another living process makes it.
    """
    location = lake.location(Zone.MODELS, RUNS)
    away = not location.local and folder == desk(lake, folder.name)
    with lease.held(location, f"{folder.name}.lease") if away else nullcontext():
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time: those of one training all ask for the same parent."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
