"""The folder of a running training: its lock, its resumable checkpoints, its progress.

Belongs here: what lies beside the models while one is made, `<models>/.runs/<name>/`, and the rules of starting again.
The finished model is `training.checkpoint`'s.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import BusyError, TrainingError

KEEP = 2
"""Resumable checkpoints that are kept: the newest, and one before it should the newest be unreadable."""

LOCK_PATIENCE_S = 10.0
"""How long to wait for a lock: processes of a killed training need a moment to be gone."""


def identity(kind: str, config: str, release: str, parent: str | None) -> str:
    """SHA-256 that names a training: the same kind, configuration, release and parent give the same one."""
    content = json.dumps([kind, config, release, parent], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Workspace:
    """The folder of one running training."""

    folder: Path

    @classmethod
    def beside(cls, out: Path) -> "Workspace":
        """That of the model which will be at `out`."""
        return cls(out.parent / ".runs" / out.name)

    @property
    def progress(self) -> Path:
        """What was reported, a JSON object a line."""
        return self.folder / "progress.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other trainings; the lock ends with the process, however it ends.

        Raises:
            BusyError: if another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+", encoding="utf-8") as handle:
            self._acquire(handle.fileno())
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n")
            handle.flush()
            yield

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = (self.folder / "lock").read_text(encoding="utf-8").strip() or "unknown"
                    raise BusyError(
                        f"found {self.folder} in use by process {holder}, needed it free; wait for that training, "
                        "stop it, or choose another model name"
                    ) from None
                time.sleep(0.1)
            else:
                return

    def claim(self, digest: str, *, replace: bool) -> Path | None:
        """Make the folder this training's and give its newest resumable checkpoint, None to start at the beginning.

        Args:
            digest: identity of the training.
            replace: give up an unfinished training of another identity.

        Raises:
            TrainingError: if an unfinished training of another identity is there and is not to be replaced.
        """
        marker = self.folder / "run.json"
        if marker.exists():
            if json.loads(marker.read_text(encoding="utf-8"))["identity"] == digest:
                return self.newest()
            if not replace:
                raise TrainingError(
                    f"found an unfinished training of another configuration, release or parent in {self.folder}, "
                    "needed the same to resume it; choose another model name, or replace: true to give it up"
                )
        shutil.rmtree(self.folder / "resume", ignore_errors=True)
        self.progress.unlink(missing_ok=True)
        write_atomically(marker, json.dumps({"identity": digest}).encode())
        return None

    def place(self, step: int) -> Path:
        """Where the resumable checkpoint after `step` steps lies."""
        return self.folder / "resume" / f"step-{step:09d}.ckpt"

    def newest(self) -> Path | None:
        """The newest resumable checkpoint."""
        return max((self.folder / "resume").glob("step-*.ckpt"), default=None)

    def save(self, step: int, save: Callable[[Path], None]) -> None:
        """Put a resumable checkpoint in its place at once and whole, and drop those that are too old.

        Args:
            step: steps done.
            save: writes it to a path.
        """
        target = self.place(step)
        temporary = target.with_suffix(".part")
        save(temporary)
        sync(temporary)
        temporary.replace(target)
        for old in sorted(target.parent.glob("step-*.ckpt"))[:-KEEP]:
            old.unlink()

    def note(self, event: Mapping[str, Any]) -> None:
        """Append to the progress."""
        with self.progress.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(event) + "\n")

    def steps(self) -> list[dict[str, Any]]:
        """The step reports so far; a line that a kill cut short is left out."""
        if not self.progress.exists():
            return []
        events = [_parsed(line) for line in self.progress.read_text(encoding="utf-8").splitlines()]
        return [event for event in events if event and event.get("event") == "step"]

    def rewind(self, step: int) -> None:
        """Forget what was reported after a step: it is about to be done again."""
        kept = [event for event in self.steps() if event["step"] <= step]
        write_atomically(self.progress, "".join(json.dumps(event) + "\n" for event in kept).encode())

    def clear(self) -> None:
        """Remove what only resuming needed; the lock file stays, another process may wait on it."""
        shutil.rmtree(self.folder / "resume", ignore_errors=True)
        (self.folder / "run.json").unlink(missing_ok=True)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    sync(temporary)
    temporary.replace(path)


def sync(path: Path) -> None:
    """Have a file or folder on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
