"""What a training that runs away from home is: one description, from which every backend's request is made.

Belongs here: fields and rules that hold whoever runs the job. What an installation says of its backend is
`schemas.launching`; requests are made in `orchestration.launchers`.
"""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from schemas.document import Document

_IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?|PRIVATE|ACCESS_KEY|API_KEY|_KEY)", re.IGNORECASE)
_NAMES_A_PLACE = re.compile(r"(_FILE|_ARN|_ENDPOINT|_URL)$|^LARMOR_[A-Z]+_KEY_SECRET$", re.IGNORECASE)
_KEY_ID = re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN|://[^/\s:@]+:[^/\s@]+@")


def _pinned(image: str) -> str:
    if not _IMAGE.fullmatch(image):
        raise ValueError(
            "found an image without a digest, needed NAME@sha256:DIGEST: a tag may be another one tomorrow"
        )
    return image


def _open_variables(variables: dict[str, str]) -> dict[str, str]:
    """Variables that everybody may read: a job's request is shown, logged and kept by those who run it."""
    for name, value in variables.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError("found a variable with another name, needed letters, digits and '_'")
        if _SECRET.search(name) and not _NAMES_A_PLACE.search(name):
            raise ValueError(
                f"found {name}, whose name is a secret's, needed none in a job; give the job's role the right to read "
                "it, or name a file or a secret of Secrets Manager"
            )
        if _KEY_ID.search(value):
            raise ValueError(f"{name}: found a credential, needed none in a job; give the job's role the right instead")
    return variables


Image = Annotated[str, AfterValidator(_pinned)]
"""A container image by its digest."""

Variables = Annotated[dict[str, str], AfterValidator(_open_variables)]
"""Environment variables without secrets."""


class Access(StrEnum):
    """How a job comes to the files of an input."""

    MOUNT = "mount"
    """A file system that is there."""
    STREAM = "stream"
    """Objects that look like files, and are read when they are touched."""
    STAGE = "stage"
    """Copied to the node's disk before the job starts."""


class Resume(StrEnum):
    """What becomes of a job that is interrupted: by its time, by preemption, or with its node."""

    RESUME = "resume"
    """The backend starts it again, and it goes on from the newest whole checkpoint."""
    NEVER = "never"
    """It ends; whoever starts the next one decides."""


class Input(Document):
    """Files that a job reads."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Name; the files appear in a folder of that name."""
    place: str = Field(min_length=1)
    """Where they lie: a folder, an `s3://` prefix, or `fsx://<file system>/<directory>`."""
    access: Access
    """How the job comes to them."""
    files: list[str] = Field(default_factory=list)
    """Those that are needed, relative to the place; empty: all."""


class Resources(Document):
    """What a job needs of each node."""

    gpus: int = Field(default=0, ge=0)
    """GPUs."""
    cpus: int | None = Field(default=None, ge=1)
    """Cores; None: as the backend gives."""
    memory_gib: int | None = Field(default=None, ge=1)
    """Memory, in GiB; None: as the backend gives."""
    disk_gib: int | None = Field(default=None, ge=1)
    """Local disk, in GiB; None: not known."""


class TrainingJob(Document):
    """A training, as it is handed to a backend."""

    name: str = Field(pattern=r"^[a-z](-*[a-z0-9]){0,39}$")
    """Name of the job there: up to 40 lower-case letters, digits and dashes, the first a letter; backends add to it."""
    image: Image | None = None
    """Container image that holds the code, for backends that run containers."""
    environment: str | None = None
    """Path of the Python interpreter whose environment holds the code, for backends that run processes."""
    command: list[str] = Field(min_length=1)
    """What each process runs, as torchrun takes it: `--module MODULE ARGUMENTS`."""
    nodes: int = Field(default=1, ge=1)
    """Machines."""
    processes: int = Field(default=1, ge=1)
    """Processes on each of them."""
    resources: Resources = Resources()
    """What each node must have."""
    env: Variables = Field(default_factory=dict)
    """Environment variables."""
    files: dict[str, str] = Field(default_factory=dict)
    """Small documents that the job finds in `folder`, by name."""
    folder: str
    """Where `files` appear."""
    inputs: list[Input] = Field(default_factory=list)
    """What the job reads."""
    checkpoint: str = Field(min_length=1)
    """Where what it saves, and the finished model, come to lie: a folder, or an `s3://` prefix."""
    resume: Resume = Resume.RESUME
    """What becomes of it when it is interrupted."""
    grace_s: int = Field(default=90, ge=1)
    """Seconds that it gets to save and end when it is told to stop."""
    max_run_s: int = Field(default=24 * 3600, ge=1)
    """Seconds that it may run."""
    max_wait_s: int | None = Field(default=None, ge=1)
    """Seconds that may pass from submitting to its end, waiting and running; None: no bound."""
    spot: bool = False
    """Whether it may be interrupted for a lower price."""
    labels: dict[str, str] = Field(default_factory=dict)
    """What the backend's own lists show: run, asset, model, release, decision. Nothing secret, nobody's name."""

    @model_validator(mode="after")
    def _sound(self) -> "TrainingJob":
        if (self.image is None) == (self.environment is None):
            raise ValueError("found both or neither of image and environment, needed one of them: it holds the code")
        if self.max_wait_s is not None and self.max_wait_s < self.max_run_s:
            raise ValueError(
                "max_wait_s: found less than max_run_s, needed at least as much: it counts the running too"
            )
        if self.spot and (self.max_wait_s is None or self.max_wait_s <= self.max_run_s):
            raise ValueError("max_wait_s: found no more than max_run_s, needed more with spot: it waits for capacity")
        if self.spot and self.resume is Resume.NEVER:
            raise ValueError("resume: found never with spot, needed resume: an interrupted job would start over")
        for name in self.files:
            if not re.fullmatch(r"[a-z][a-z0-9_-]*\.(yaml|json)", name):
                raise ValueError("files: found another name, needed letters, digits, '-', '_' and .yaml or .json")
        return self

    @property
    def world(self) -> int:
        """Processes of all nodes together."""
        return self.nodes * self.processes
