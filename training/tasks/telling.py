"""What the tasks have in common that tell something of a whole volume: where the truth is found, and the network.

Belongs here: their settings and the way from a release to samples. What is told, and its loss, is each task's.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from schemas.document import Document
from training.config.finetune import FinetuneConfig
from training.data.order import exposure
from training.data.source import Source, usable
from training.data.targets import Values, Where, digest_of_table, few, found
from training.data.whole import WholeDataset, collate_whole
from training.errors import TrainingError
from training.networks.encoder import make_encoder
from training.networks.pooling import Pool, PooledHead
from training.tasks.task import Served, Task


class TargetSettings(Document):
    """Where the truth is found, and how a window becomes one vector."""

    target: str = Field(default="", max_length=200)
    """What is to be told: a column or the name of a diagnosis."""
    found_in: Literal["column", "diagnosis", "table"] = "column"
    """Rows of volumes and their series, diagnoses of the release, or a table of one's own."""
    table: str | None = None
    """That table: CSV in UTF-8 with a heading, with the target and one of volume, series, study, subject."""
    table_sha256: str | None = None
    """SHA-256 of the table; filled in when the training is made."""
    pool: Pool = "attentive"
    """How tokens become one vector: a mean with learned weights, or the plain mean."""

    @model_validator(mode="after")
    def _table(self) -> "TargetSettings":
        if (self.found_in == "table") != (self.table is not None):
            raise ValueError("table: found it without found_in: table, or the other way round, needed both or none")
        return self

    @property
    def where(self) -> Where:
        """Where the truth is found."""
        return Where(self.target, self.found_in, Path(self.table) if self.table else None)


Settings = TypeVar("Settings", bound=TargetSettings)


@dataclass(frozen=True)
class Encoded:
    """Truths as numbers.

    Attributes:
        targets: volume to an array, of the same shape for all.
        skipped: volume to the reason that it has none.
        about: what they mean.
        captions: volume to its text, where texts are learned from.
    """

    targets: Mapping[str, NDArray[np.generic]]
    skipped: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """Losses of windows."""

    losses: Tensor
    computed: int


class Telling(Task[Settings]):
    """Something told of a volume as a whole."""

    Settings = TargetSettings
    answer = "facts"
    views = 1
    """Windows of a volume in a sample."""

    def __init__(self, config: FinetuneConfig) -> None:
        """Set the task; a table is known by its digest from here on.

        Raises:
            DocumentError: if the options are not those of the task.
            TrainingError: if there is no such table, or a network that is asked for tells nothing of whole volumes.
        """
        if config.network != "vit":
            raise TrainingError(f"network: found {config.network!r}, needed vit for task {config.task}")
        super().__init__(config)
        if self.options.table and not self.options.table_sha256:
            digest = digest_of_table(Path(self.options.table))
            super().__init__(config.model_copy(update={"options": {**config.options, "table_sha256": digest}}))

    @abstractmethod
    def encode(self, values: Values) -> Encoded:
        """Numbers for what is said of volumes.

        Raises:
            TrainingError: if nothing can be learned from it.
        """

    def describe(self, encoded: Encoded, volumes: list[str]) -> Mapping[str, Any]:
        """What the task must know to make and to read its network, given the volumes that are learned from."""
        return encoded.about

    def values(self, release: Source) -> Values:
        """What is said of the volumes of the training split.

        Raises:
            TrainingError: if no target is named, its place is not there, or the table was changed.
        """
        options = self.options
        if not options.target:
            raise TrainingError(f"options.target: found none, needed the name of what task {self.config.task} tells")
        if options.table and digest_of_table(Path(options.table)) != options.table_sha256:
            raise TrainingError("table: found other bytes than when the training began, needed the same; train anew")
        return found(release, release.members("train"), options.where)

    def serve(self, release: Source) -> Served:
        """Windows of the training split's volumes of which the truth is known, of as many subjects as are asked for."""
        config = self.config
        every = release.members("train")
        encoded = self.encode(self.values(release))
        members = few([member for member in every if member.volume in encoded.targets], config)
        facts, unusable = usable(release.volumes(), sorted({member.volume for member in members}))
        volumes = [f.volume for f in facts]
        unknown = {m.volume: "no target" for m in every if m.volume not in encoded.targets}
        return Served(
            WholeDataset(release.volumes(), facts, encoded.targets, config, self.views, encoded.captions),
            collate_whole,
            subjects=sorted({member.subject for member in members}),
            exposure=partial(exposure, volumes, config.seed, config.batch_size),
            skipped=unknown | dict(encoded.skipped) | unusable,
            about=self.describe(encoded, volumes),
        )

    def pooled(self, outputs: int) -> PooledHead:
        """The encoder with a head of so many outputs."""
        return PooledHead(make_encoder(self.config.model), outputs, self.options.pool)
