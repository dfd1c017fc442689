"""Resumable checkpoints of a running training: whole or not there, kept by a policy, each with what it was trained on.

Belongs here: their places, their records, and which one to start again at. What is in them is Lightning's.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import CheckpointError, TrainingError
from training.running.digests import digest_of
from training.running.files import sync, sync_all, write_atomically

_SUFFIX = ".ckpt"


@dataclass(frozen=True)
class Resumable:
    """The resumable checkpoints in a folder: for each step a file, or a folder of shards, and a record beside it."""

    folder: Path

    def place(self, step: int) -> Path:
        """Where the one after `step` steps lies."""
        return self.folder / f"step-{step:09d}{_SUFFIX}"

    def building(self, step: int) -> Path:
        """Where the one after `step` steps is written before it is put in its place."""
        return self.place(step).with_suffix(".part")

    def steps(self) -> list[int]:
        """Steps that there are checkpoints of, whole or not."""
        return sorted(step_of(path) for path in self.folder.glob(f"step-*{_SUFFIX}"))

    def record(self, step: int) -> dict[str, Any]:
        """What is known of one: `step`, `files` (name to SHA-256) and `exposure` (volume to samples, or None).

        Raises:
            CheckpointError: if there is no record, or it is cut short.
        """
        try:
            found = json.loads(self.record_at(step).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise CheckpointError(
                f"{self.record_at(step)}: found no whole record, needed the one that was written with the checkpoint"
            )
        return found

    def whole(self, step: int) -> bool:
        """Whether one is as it was written."""
        try:
            return bool(self.record(step)["files"] == _digests(self.place(step)))
        except (CheckpointError, FileNotFoundError):
            return False

    def newest(self) -> Path | None:
        """The newest whole one; None where there is none at all.

        Raises:
            CheckpointError: if there are some, and none is whole.
        """
        steps = self.steps()
        for step in reversed(steps):
            if self.whole(step):
                return self.place(step)
        if steps:
            raise CheckpointError(
                f"found {len(steps)} resumable checkpoints in {self.folder} and none of them whole, needed one; copy "
                "them again, or remove the folder to start at the beginning"
            )
        return None

    def save(self, step: int, write: Callable[[Path], None], exposure: Mapping[str, int] | None = None) -> None:
        """Put one in its place at once and whole. One process calls it; others may write shards meanwhile.

        Args:
            step: steps done.
            write: writes a file or a folder at a path.
            exposure: volume to samples served so far, where it is known.

        Raises:
            TrainingError: if there is no room; those that were there stay.
        """
        building = self.building(step)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove(building)
        try:
            write(building)
            sync_all(building)
            record = {"step": step, "files": _digests(building), "exposure": exposure and dict(exposure)}
            write_atomically(self.record_at(step), json.dumps(record).encode())
            remove(self.place(step))  # a broken one: this step is done again
            building.replace(self.place(step))
            sync(self.folder)
        except OSError as error:
            remove(building)
            before = max((s for s in self.steps() if s < step), default=None)
            stays = "none was there before" if before is None else f"that of step {before} stays"
            raise TrainingError(
                f"found no way to save step {step} in {self.folder} ({error.strerror or type(error).__name__}), needed "
                f"room and permission to write; {stays}. Free some space and run the same job again to resume it"
            ) from error

    def prune(self, keep_last: int, keep_every: int = 0) -> None:
        """Drop those that are neither among the newest nor of a multiple of `keep_every` steps (0: no multiples)."""
        for step in self.steps()[:-keep_last]:
            if not keep_every or step % keep_every:
                self.drop(step)

    def take(self, step: int, record: bytes) -> None:
        """Put one that was brought from elsewhere to `building` in its place, with the record it had there."""
        write_atomically(self.record_at(step), record)
        remove(self.place(step))
        if self.building(step).exists():
            self.building(step).replace(self.place(step))

    def drop(self, step: int) -> None:
        """Drop one."""
        remove(self.place(step))
        remove(self.record_at(step))

    def clear(self) -> None:
        """Drop all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def record_at(self, step: int) -> Path:
        """Where the record of the one after `step` steps lies."""
        return self.place(step).with_suffix(".json")


def step_of(path: Path) -> int:
    """Steps done at a resumable checkpoint, from its name."""
    return int(path.stem.removeprefix("step-"))


def _digests(path: Path) -> dict[str, str]:
    """SHA-256 of a file, or of each file of a folder, by its name below it."""
    if path.is_dir():
        files = sorted(below for below in path.rglob("*") if below.is_file())
        return {file.relative_to(path).as_posix(): digest_of(file) for file in files}
    return {"": digest_of(path)}


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
