"""A gallery to search: the vectors of many volumes, and which of them are nearest to a query.

Belongs here: making, keeping and asking a gallery. What makes vectors is a model of `training.tasks.retrieval`; how
often it finds what belongs together is `training.evaluation.retrieval`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.data.source import Arrays
from training.errors import TrainingError
from training.evaluation.inference import Model, answer
from training.tasks.retrieval import TextAndImage


@dataclass(frozen=True)
class Near:
    """One answer of a gallery.

    Attributes:
        volume: id of the volume.
        likeness: cosine of the angle between its vector and the query's.
    """

    volume: str
    likeness: float


@dataclass(frozen=True)
class Gallery:
    """Vectors of volumes.

    Attributes:
        volumes: ids.
        vectors: (volumes, width) of length one.
    """

    volumes: tuple[str, ...]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, model: Model, arrays: Arrays, volumes: Sequence[str]) -> "Gallery":
        """The gallery of some volumes.

        Raises:
            TrainingError: if there is none, or the model makes no vectors.
        """
        if not volumes:
            raise TrainingError("found no volume for a gallery, needed at least one")
        rows = arrays.rows(volumes)
        each = zip(volumes, rows, strict=True)
        return cls(tuple(volumes), np.stack([vector_of(model, arrays.array(v), row) for v, row in each]))

    def query(self, vector: NDArray[np.float32], k: int = 10) -> list[Near]:
        """The `k` nearest volumes, the nearest first; of `len(gallery)`, `k / len(gallery)` is found by chance."""
        likeness = self.vectors @ vector
        order = np.argsort(-likeness, kind="stable")[:k]
        return [Near(self.volumes[place], float(likeness[place])) for place in order]

    def __len__(self) -> int:
        """Volumes in it."""
        return len(self.volumes)

    def save(self, path: Path) -> None:
        """Write it as one `.npz` file."""
        with path.open("wb") as file:
            np.savez(file, volumes=np.asarray(self.volumes), vectors=self.vectors)

    @classmethod
    def read(cls, path: Path) -> "Gallery":
        """A gallery that was written; nothing of the file is executed."""
        with np.load(path, allow_pickle=False) as file:
            return cls(tuple(str(name) for name in file["volumes"]), file["vectors"])


def vector_of(model: Model, stored: NDArray[Any], row: Mapping[str, Any]) -> NDArray[np.float32]:
    """(width,) vector of a volume, of length one.

    Raises:
        TrainingError: if the model makes none.
    """
    facts = answer(model, stored, row).facts
    if "embedding" not in facts:
        raise TrainingError(f"found a model of {model.config.task}, needed one of retrieval")
    return np.asarray(facts["embedding"], np.float32)


def vector_of_text(model: Model, text: str) -> NDArray[np.float32]:
    """(width,) vector of a text, of length one.

    Raises:
        TrainingError: if the model did not learn from texts.
    """
    if not isinstance(model.network, TextAndImage):
        raise TrainingError("found a model that knows no texts, needed one of retrieval with alike: text")
    with torch.inference_mode():
        found: NDArray[np.float32] = F.normalize(model.network.texts([text]), dim=1)[0].numpy()
    return found
