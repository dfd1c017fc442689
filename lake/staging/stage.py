"""Stage a release: every file that its members need, checked, in the staging folder or on the zone's mount.

Belongs here: which files a release needs, and the order of the work. Copying one is `lake.staging.copying`, readers'
side is `lake.staging.files`.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.settings import Settings
from lake.staging.cache import Cache, Staged
from lake.staging.copying import File, fetch, file_of, matches
from lake.staging.errors import StagingError
from lake.staging.files import mounted
from lake.staging.leases import Lease
from lake.stores.storage import Location
from lake.tables.parts import FILES
from lake.tiering import archived
from lake.voxels import index
from lake.voxels.sources import LocalFiles, Source
from schemas.contract import Table

if TYPE_CHECKING:
    from lake.releases import Release

_CONNECTIONS = 16
"""Byte ranges asked for at once; a connection to S3 gives about 80 MB/s, a fast disk takes about 1.5 GB/s."""
_FILES = 4
"""Files copied at once, so that the check of one overlaps with the copying of others."""
_COMMITS = 64
"""Commits read at once while digests are looked for."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Staging:
    """What staging a release did.

    Attributes:
        files: files that the release needs.
        bytes: of all of them.
        copied: bytes that were copied now; the others were there.
        stated: files whose digest a commit states; that of others is what was found at the first copy.
        mounted: whether nothing was copied because the zone is mounted and no staging folder is set.
    """

    files: int
    bytes: int
    copied: int
    stated: int
    mounted: bool


def stage(release: "Release", report: Report = lambda _: None) -> Staging:
    """Have all files of a release near, whole and checked.

    A process that is killed in the middle leaves what it copied to the next one; of several at once each file is
    copied by one. With a mount and no staging folder the mounted files are read and checked, which also loads them.

    Args:
        release: the release.
        report: called with progress.

    Raises:
        StagingError: if neither a staging folder nor a mount is set, there is no room, or a file has another content
            than was committed.
        lake.tiering.archived.Archived: if files of it must be restored first.
        FileNotFoundError: if a file of the release is gone.
    """
    done, lease = _staged(release, report)
    if lease:
        lease.close()
    return done


@contextlib.contextmanager
def staging(release: "Release", report: Report = lambda _: None) -> Iterator[Staging | None]:
    """Stage a release and keep it until the end of the block; nothing where no staging folder is set.

    Raises:
        As `stage`.
    """
    if not Cache.of(release.lake.settings):
        yield None
        return
    done, lease = _staged(release, report)
    try:
        yield done
    finally:
        if lease:
            lease.close()


def drop(settings: Settings, release: str) -> int:
    """Remove the staged copy of a release, by its digest; what a process reads at the moment stays until it is gone.

    Returns:
        Files removed; those that other staged releases need stay.
    """
    cache = Cache.of(settings)
    return cache.drop(release) if cache and cache.folder.is_dir() else 0


def _staged(release: "Release", report: Report) -> tuple[Staging, Lease | None]:
    settings = release.lake.settings
    cache = Cache.of(settings)
    tables = release.indexes()
    with ThreadPoolExecutor(_FILES) as files, ThreadPoolExecutor(_CONNECTIONS) as ranges:
        work = [
            file
            for table, source, found in tables.values()
            for file in _needed(cache, source, table.path, found, ranges)
        ]
        sources = {path: _sources(settings, table, source) for path, (table, source, _) in tables.items()}
        total, stated = sum(file.size for file in work), sum(file.stated for file in work)
        if cache is None:
            _check_mount(sources, work, ranges)
            return Staging(len(work), total, 0, stated, True), None
        lease = cache.reserve({file.key: file.size for file in work})
        digests: dict[str, dict[str, str]] = {path: {} for path in tables}
        copied = 0
        fetched = files.map(lambda file: fetch(cache, sources[file.table], file, ranges), work)
        for number, (file, (digest, now)) in enumerate(zip(work, fetched, strict=True), start=1):
            digests[file.table][file.path] = digest
            copied += now
            report(f"{number} of {len(work)} files staged")
    for table, _, found in tables.values():
        index.keep(found, (LocalFiles(cache.place(release.sha256)), f"{table.name}.index"))
    # the manifest comes last: without it nothing is staged
    cache.complete(release.sha256, Staged(digests))
    return Staging(len(work), total, copied, stated, False), lease


def _sources(settings: Settings, table: Table, origin: Source) -> list[Source]:
    """Where the files of a table can be copied from: the mount, if there is one, and the zone."""
    mount = mounted(settings, table)
    return [LocalFiles(Location(mount)), origin] if mount else [origin]


def _check_mount(sources: Mapping[str, Sequence[Source]], work: Sequence[File], ranges: Executor) -> None:
    if any(len(places) == 1 for places in sources.values()):
        raise StagingError(
            "found neither a staging folder nor a mount, needed one to stage a release; set LARMOR_STAGING to a folder "
            "on fast local disk, or LARMOR_MOUNT_CURATED to where the curated zone is mounted"
        )
    if wrong := sum(not matches(sources[file.table][0], file, ranges) for file in work):
        raise StagingError(
            f"found {wrong} of {len(work)} files missing or with another content on the mount of the curated zone, "
            "needed them as in the zone; have the file system import them again, or unset LARMOR_MOUNT_CURATED"
        )


def _needed(cache: Cache | None, source: Source, table: str, found: index.Index, many: Executor) -> list[File]:
    """Files that an index names, with their sizes and digests."""
    paths = sorted(set(found.rows["file"].unique().to_pylist()))
    archived.check(source, table, lambda: paths)
    sizes = many.map(lambda path: source.read(path, 0)[1], paths)
    stated = stated_digests(source, set(paths), found.version, many)
    uri = source.uri
    return [file_of(cache, uri, table, path, size, stated.get(path)) for path, size in zip(paths, sizes, strict=True)]


def stated_digests(source: Source, paths: set[str], version: int, many: Executor) -> dict[str, str]:
    """SHA-256 of files by path, as the commits up to a version state them; newest commits are read first.

    Files whose commit states none, or is no longer in the log, are left out.
    """
    found: dict[str, str] = {}
    for last in range(version, -1, -_COMMITS):
        numbers = range(last, max(last - _COMMITS, -1), -1)
        commits = list(many.map(lambda number: _commit(source, number), numbers))
        for stated in filter(None, commits):
            found |= {path: digest for path, digest in stated.items() if path in paths and path not in found}
        # before a commit that is no longer there, none is
        if len(found) == len(paths) or None in commits:
            break
    return found


def _commit(source: Source, number: int) -> dict[str, str] | None:
    """Digests that a commit states; None where the commit is no longer there."""
    try:
        text = source.read(f"_delta_log/{number:020}.json")[0].decode()
    except FileNotFoundError:
        return None
    stated: dict[str, str] = {}
    for line in text.splitlines():
        if FILES in line:
            about = json.loads(line).get("commitInfo", {})
            stated |= json.loads(about.get(FILES, "{}"))
    return stated
