"""Files of a folder that were written since a time, found without a look at each file that a lake of any size has.

Belongs here: what of a zone can be passed over and why. Part files and commits are written once under a name of their
own, so a partition whose folder did not change has no newer file, and a log is looked at from its newest commit back.
Nothing else is passed over. What the files are looked at for is somebody else's.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

LOG = "_delta_log"

_PARTITIONS = ("delivery=", "model=")
"""Beginnings of names of partitions, which hold part files alone: outside the restricted zone tables have one partition
column, so there are no folders below."""

_PART = re.compile(r"part-[0-9a-f]{32}\.parquet")
"""Name of a part file, which says nothing of anybody; beside a log there are as many as a table without partitions has
commits."""

_DIGITS = 20
"""Of the number that the name of a file of a log begins with (Delta transaction protocol, "Delta Log Entries")."""

_COMMITS = frozenset({".json", ".crc"})
"""What follows the number in names of files of which each commit has one."""

_LOOKED_AT = 32
"""Commits looked at together; a clock that is set back a little must not end the search."""


def newer(folder: Path, since: float = 0.0, only: str | None = None, but: Path | None = None) -> Iterator[Path]:
    """Files below a folder that were written since a time, sorted by name within each folder.

    Args:
        folder: where to look; one that is not there has no files.
        since: seconds of the epoch; 0: all files.
        only: name of the one partition that is looked into, such as `delivery=d`; None: into all.
        but: a folder below that is left out.
    """
    if folder == but:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        # looked up from the open folder: a lake has some hundred thousand names, and a path is walked for each
        found = sorted(_changed(descriptor, folder.name, since, only))
    finally:
        os.close(descriptor)
    for name, is_folder in found:
        if is_folder:
            yield from newer(folder / name, since, only, but)
        else:
            yield folder / name


def numbered(log: Path, newest: int, since: float) -> Iterator[Path]:
    """Commits of a log of nothing else that were written since a time, the newest first, without listing the log."""
    for last in range(newest, -1, -_LOOKED_AT):
        few = [f"{version:0{_DIGITS}}.json" for version in range(last, max(-1, last - _LOOKED_AT), -1)]
        found = [log / name for name in few if _written_since(log, name, since)]
        if not found:
            return
        yield from found


def _changed(descriptor: int, called: str, since: float, only: str | None) -> list[tuple[str, bool]]:
    """Names in a folder that must be looked at, each with whether it is a folder."""
    names = os.listdir(descriptor)
    if called == LOG:
        names = _uncounted(descriptor, names, since)
    elif not called.startswith(_PARTITIONS):
        names = [name for name in names if name[:5] != "part-" or not _PART.fullmatch(name)]
        if only is not None:
            names = [name for name in names if not name.startswith(_PARTITIONS) or name == only]
    found = []
    for name in names:
        try:
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            continue  # others write and tidy up at the same time
        if status.st_mtime < since and (name.startswith(_PARTITIONS) or not stat.S_ISDIR(status.st_mode)):
            continue
        if (is_folder := stat.S_ISDIR(status.st_mode)) or stat.S_ISREG(status.st_mode):
            found.append((name, is_folder))
    return found


def _uncounted(descriptor: int, names: Sequence[str], since: float) -> list[str]:
    """Names in a log without those of commits before the time; they are numbered in the order of writing."""
    others = [name for name in names if name[_DIGITS:] not in _COMMITS or not name[:_DIGITS].isdecimal()]
    commits = set(names).difference(others)
    end = int(max(commits)[:_DIGITS]) + 1 if commits else 0
    while end > 0:
        first = max(0, end - _LOOKED_AT)
        few = [f"{number:0{_DIGITS}}{kind}" for number in range(first, end) for kind in sorted(_COMMITS)]
        few = [name for name in few if name in commits]
        if not any(_written_since(descriptor, name, since) for name in few):
            break
        others += few
        end = first
    return others


def _written_since(folder: Path | int, name: str, since: float) -> bool:
    """Whether a file of a folder, or of one that is open, was written since a time."""
    with contextlib.suppress(FileNotFoundError):
        about = os.stat(name, dir_fd=folder) if isinstance(folder, int) else (folder / name).stat()
        return about.st_mtime >= since
    return False
