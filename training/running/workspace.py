"""The folder of a running training: its lock and lease, its progress, and the rules of starting again.

Belongs here: what lies beside the models while one is made, `<models>/.runs/<name>/`. Its resumable checkpoints are
`training.running.resumable`'s, the finished model is `training.checkpoint`'s.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lake.stores.storage import Location
from schemas.checkpoint import RESUMABLE, RUNS
from training.errors import BusyError, TrainingError
from training.running import lease
from training.running.files import write_atomically
from training.running.lease import Lease
from training.running.resumable import Resumable

LOCK_PATIENCE_S = 10.0
"""How long to wait for a lock: processes of a killed training need a moment to be gone."""

LEASE = "lease.json"
"""Says to other machines who trains in the folder."""

MARKER, PROGRESS = "run.json", "progress.jsonl"
"""Files that a training resumes from beside its resumable checkpoints: whose it is, and what was reported."""


def identity(kind: str, config: str, release: str, parent: str | None) -> str:
    """SHA-256 that names a training: the same kind, configuration, release and parent give the same one."""
    content = json.dumps([kind, config, release, parent], separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass
class Workspace:
    """The folder of one running training.

    Attributes:
        folder: where it lies.
        leased: held while this process may write in it; None: nobody asked for it.
    """

    folder: Path
    leased: Lease | None = None

    @classmethod
    def beside(cls, out: Path) -> "Workspace":
        """That of the model which will be at `out`."""
        return cls(out.parent / RUNS / out.name)

    @property
    def progress(self) -> Path:
        """What was reported, a JSON object a line."""
        return self.folder / PROGRESS

    @property
    def tensorboard(self) -> Path:
        """Curves as TensorBoard reads them."""
        return self.folder / "tensorboard"

    @property
    def resumable(self) -> Resumable:
        """Where the training can start again."""
        return Resumable(self.folder / RESUMABLE)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other trainings, by a lock and a lease.

        The lock is seen on this machine and ends with the process, however it ends; other machines see the lease.

        Raises:
            BusyError: if another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+", encoding="utf-8") as handle:
            self._acquire(handle.fileno())
            handle.truncate(0)
            handle.write(f"{os.getpid()}\n")
            handle.flush()
            with lease.held(Location(self.folder), LEASE, locked=True) as self.leased:
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
            replace: give up an unfinished training of another identity; one without a checkpoint is given up anyway.

        Raises:
            TrainingError: if an unfinished training of another identity is there and is not to be replaced.
            CheckpointError: if there are resumable checkpoints and none of them is whole.
        """
        marker = self.folder / MARKER
        if marker.exists():
            if json.loads(marker.read_text(encoding="utf-8"))["identity"] == digest:
                return self.resumable.newest()
            # one that was refused before it saved anything has nothing to lose
            if not replace and self.resumable.steps():
                raise TrainingError(
                    f"found an unfinished training of another configuration, release or parent in {self.folder}, "
                    "needed the same to resume it; choose another model name, or replace: true "
                    "(larmor train --replace) to give it up"
                )
        self.resumable.clear()
        shutil.rmtree(self.tensorboard, ignore_errors=True)
        self.progress.unlink(missing_ok=True)
        write_atomically(marker, json.dumps({"identity": digest}).encode())
        return None

    def note(self, event: Mapping[str, Any]) -> None:
        """Append to the progress.

        Raises:
            BusyError: if another training took the folder over.
        """
        self.check()
        with self.progress.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(event) + "\n")

    def check(self) -> None:
        """Go on only while the folder is this training's.

        Raises:
            BusyError: if another training took it over.
        """
        if self.leased is not None:
            self.leased.check()

    def steps(self) -> list[dict[str, Any]]:
        """The step reports so far."""
        return [event for event in self.events() if event.get("event") == "step"]

    def events(self) -> list[dict[str, Any]]:
        """What was noted so far; a line that a kill cut short is left out."""
        if not self.progress.exists():
            return []
        return [found for line in self.progress.read_text(encoding="utf-8").splitlines() if (found := _parsed(line))]

    def rewind(self, step: int) -> None:
        """Forget what was reported after a step: it is about to be done again."""
        kept = [event for event in self.events() if event.get("step", 0) <= step]
        write_atomically(self.progress, "".join(json.dumps(event) + "\n" for event in kept).encode())

    def clear(self) -> None:
        """Remove what only resuming needed; the lock file stays, another process may wait on it."""
        self.resumable.clear()
        (self.folder / MARKER).unlink(missing_ok=True)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
