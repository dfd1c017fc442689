"""Locks on files: who copies one, and whose files may not be evicted. All of them end with their process.

Belongs here: `flock` and what is built on it. The kernel drops such a lock when the last process that has the file open
is gone, however it ended; a process that was forked keeps its parent's.
"""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path


class Lease:
    """Files that a process reads, or is about to copy: until it is closed or its process is gone, nobody evicts them.

    Nothing is cleaned up when it ends: a process that was forked from the holder may still read. Whoever looks next
    removes what nobody holds.
    """

    def __init__(self, folder: Path, files: Mapping[str, int]) -> None:
        """Take a lease; the caller holds the cache's lock.

        Args:
            folder: where leases lie.
            files: key of each file to its bytes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder / secrets.token_hex(8), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with open(self._descriptor, "wb", closefd=False) as file:
            file.write(json.dumps(dict(files)).encode())

    def close(self) -> None:
        """Let the files go; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        # an instance that could not take its lease has nothing to close
        if hasattr(self, "_descriptor"):
            self.close()


def leased(folder: Path) -> dict[str, int]:
    """Key and bytes of every file under a live lease; leases that nobody holds are removed.

    The caller holds the cache's lock, so no lease is half-written.
    """
    found: dict[str, int] = {}
    for path in folder.iterdir() if folder.is_dir() else []:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found |= json.loads(file.read())
            else:
                path.unlink()
    return found


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[int]:
    """A file, made where it was not there, held against other threads and processes; gives its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # who held it before may have put the file elsewhere while this one waited
            if _is(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
