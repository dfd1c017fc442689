"""How a delivery gets into landing: a folder or an archive, its manifest, the licence that covers it.

Belongs here: what `larmor ingest` does. Reading the files is `stages.received`.
"""

import contextlib
import csv
import datetime as dt
import errno
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from lake.stores.aws import SCHEME
from lake.stores.storage import Location
from lake.zones import Lake
from lineage.terms.questions import Action
from schemas.delivery import MANIFEST_NAME, Delivery, Kind
from schemas.licence import Licence
from schemas.naming import checked_name
from stages import beside
from stages.intake.arrival import Arrival, IntakeError, drafted
from stages.intake.landed import files, paths_of
from stages.permission import permitted

_EXPANSION_LIMIT = 200
"""An archive that grows more than this many times is refused: DICOM and text compress 2 to 10 times."""

_ITS_OWN_FAULT = (None, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL)
"""Errors of the operating system that speak of what an archive holds, not of the disk it is unpacked to."""

_NIFTI = (".nii", ".nii.gz")

_LABELS = "labels.csv"
"""List of label maps that is written where they lie as the Decathlon lays them out."""


def ingest(lake: Lake, source: Path | str, name: str, licence: Licence, **facts: object) -> Delivery:
    """Make a folder, an archive or a prefix of S3 a delivery in landing, with a manifest where it brings none.

    Files are linked where the file system allows it, and copied elsewhere; the source is never changed. From or to S3
    a call that was stopped goes on where it was.

    Args:
        lake: the lake.
        source: a folder, a zip or tar archive, or `s3://bucket/prefix`.
        name: name of the delivery.
        licence: licence that covers it.
        facts: further fields of the manifest.

    Returns:
        The delivery's manifest.

    Raises:
        IntakeError: if there is nothing to ingest, the name is taken by other content, or an archive is malicious.
        Refusal: if the licence does not allow it.
    """
    if str(source).startswith(SCHEME) or not lake.landed().local:
        return _carried(lake, str(source), name, licence, facts)
    source = Path(source)
    folder = lake.landing / checked_name(name)
    if not source.exists():
        raise IntakeError("found no such file or folder, needed a folder or a zip or tar archive of a delivery")
    if folder.exists():
        raise IntakeError(
            f"found a delivery {name} in landing already, needed a new name; to run it again use larmor run {name}"
        )
    lake.landing.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = lake.landing / f".{name}.partial"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    try:
        _bring(source, staging)
        _respelt(staging)
        manifest = _manifest(Location(staging, private=True), name, licence, facts)
        permitted(lake, licence, manifest, Action.INTAKE)
        manifest.write(staging / MANIFEST_NAME)
        staging.replace(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _carried(lake: Lake, source: str, name: str, licence: Licence, facts: dict[str, object]) -> Delivery:
    """Copy a delivery from S3, or to it, file by file."""
    arrival = Arrival.open(lake, name, ".carrying")
    with _unpacked(source) as origin:
        found = {file.name: file.bytes for file in origin.files()}
        paths = sorted(found.keys() - {MANIFEST_NAME})
        if not paths:
            raise IntakeError("found an empty folder or prefix, needed one with DICOM or NIfTI files")
        manifest = drafted(name, licence, facts)
        permitted(lake, licence, manifest, Action.INTAKE)
        for path in paths:
            if not arrival.holds(path, found[path]):
                arrival.copy(path, origin)
        if MANIFEST_NAME in found:
            manifest = _restated(Delivery.of(origin.read_bytes(MANIFEST_NAME), MANIFEST_NAME), name, licence, facts)
            return arrival.finish(manifest, count=False)
        return arrival.finish(_manifest(arrival.place, name, licence, facts))


@contextlib.contextmanager
def _unpacked(source: str) -> Iterator[Location]:
    """A source as a location; an archive is unpacked for as long as this lasts."""
    if source.startswith(SCHEME):
        yield Location(source)
    elif not Path(source).exists():
        raise IntakeError("found no such file or folder, needed a folder or a zip or tar archive of a delivery")
    elif Path(source).is_dir():
        yield Location(Path(source))
    else:
        with tempfile.TemporaryDirectory() as folder:
            _bring(Path(source), Path(folder))
            _respelt(Path(folder))
            yield Location(Path(folder))


def _bring(source: Path, target: Path) -> None:
    if source.is_dir():
        if not files(source):
            raise IntakeError("found an empty folder, needed one with DICOM or NIfTI files")
        shutil.copytree(source, target, dirs_exist_ok=True, copy_function=_link, symlinks=True)
        # copied folders keep the mode of theirs, which may be read-only or open to others
        for folder in (target, *(p for p in target.rglob("*") if p.is_dir() and not p.is_symlink())):
            folder.chmod(0o700)
    elif zipfile.is_zipfile(source):
        with _opened_whole(), zipfile.ZipFile(source) as archive:
            _refuse_bomb(sum(i.file_size for i in archive.infolist()), source)
            # zipfile strips absolute paths and '..' by itself
            archive.extractall(target)  # noqa: S202
    elif tarfile.is_tarfile(source):
        with _opened_whole(), tarfile.open(source) as archive:
            _refuse_bomb(sum(member.size for member in archive), source)
            try:
                archive.extractall(target, filter="data")
            except tarfile.FilterError:
                raise IntakeError(
                    "found an archive with links or paths that lead out of it, needed one that stays in its folder"
                ) from None
    else:
        raise IntakeError("found a file that is no zip or tar archive, needed a folder or such an archive")


@contextlib.contextmanager
def _opened_whole() -> Iterator[None]:
    """Say that an archive cannot be unpacked; what the libraries say quotes names of files."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _ITS_OWN_FAULT:
            raise
        raise IntakeError(
            "found an archive that does not unpack (damaged, encrypted, or with names that no folder can hold), needed "
            "a whole one; ask for it again, or unpack it by hand and ingest the folder"
        ) from None


def _respelt(folder: Path) -> None:
    """Give names that are no UTF-8, which no table can hold, one that spells their other bytes out in hexadecimal.

    Raises:
        IntakeError: if there is a file of that name too.
    """
    for parent, folders, names in os.walk(folder, topdown=False):
        for name in (*folders, *names):
            spelt = os.fsencode(name).decode("utf-8", "backslashreplace")
            if spelt == name:
                continue
            if os.path.lexists(f"{parent}/{spelt}"):
                raise IntakeError("found a name that is no UTF-8 beside one that spells it, needed names in UTF-8")
            Path(parent, name).rename(Path(parent, spelt))


def _refuse_bomb(size: int, source: Path) -> None:
    if size > _EXPANSION_LIMIT * source.stat().st_size:
        raise IntakeError(
            f"found an archive that grows more than {_EXPANSION_LIMIT} times, needed one of medical images; "
            "unpack it by hand if it is honest"
        )
    if size > shutil.disk_usage(source.parent).free:
        raise IntakeError("found less free disk than the archive unpacks to, needed more; free some space")


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def _manifest(place: Location, name: str, licence: Licence, facts: dict[str, object]) -> Delivery:
    """The manifest of files that lie together: the one they bring, else what their names say."""
    stated = {key: value for key, value in facts.items() if value is not None}
    if place.exists(MANIFEST_NAME):
        return _restated(Delivery.of(place.read_bytes(MANIFEST_NAME), MANIFEST_NAME), name, licence, facts)
    paths = paths_of(place)
    kind = _kind(paths)
    now = dt.datetime.now(dt.UTC)
    defaults = {
        "name": name,
        "licensor": licence.licensor,
        "licence": licence.id,
        "purpose": licence.purposes[0],
        "received": now.date(),
        "arrived": now,
        "kind": kind,
        "expected_files": len(paths),
    }
    if kind is Kind.NIFTI and stated.get("label_task") and (pairs := _paired(paths)):
        place.write_bytes(_LABELS, _listed(pairs))
        defaults |= {"labels": _LABELS, "expected_files": len({*paths, _LABELS})}
    elif kind is Kind.NIFTI and (told := beside.label_scheme(place, paths)):
        defaults |= {"label_task": told[0], "label_scheme": told[1]}
    return Delivery.parse(defaults | stated, MANIFEST_NAME)


def _listed(pairs: Sequence[tuple[str, str]]) -> bytes:
    """A list of label maps, each with the image it was drawn on, as a manifest names one."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("path", "series"), *pairs])
    return text.getvalue().encode()


def _restated(stated: Delivery, name: str, licence: Licence, facts: dict[str, object]) -> Delivery:
    """The manifest that a delivery brings, under the name and licence it is taken in by."""
    own = {"name": name, "licence": licence.id, "arrived": dt.datetime.now(dt.UTC)}
    given = {key: value for key, value in facts.items() if value is not None}
    return Delivery.parse(stated.model_dump() | own | given, MANIFEST_NAME)


def _kind(paths: Sequence[str]) -> Kind:
    plain = all(path.endswith((*_NIFTI, *beside.SIDECARS, ".csv")) for path in paths)
    return Kind.NIFTI if plain or beside.DESCRIPTION in paths else Kind.DICOM


def _paired(paths: list[str]) -> list[tuple[str, str]]:
    """Label maps in `labels/` with the image of the same name in `images/`, as the Decathlon lays them out."""
    there = set(paths)
    labels = [path for path in paths if "labels" in Path(path).parts]
    images = ["/".join("images" if part == "labels" else part for part in Path(path).parts) for path in labels]
    return [(label, image) for label, image in zip(labels, images, strict=True) if image in there]
