"""A study before an encoder: its series at once, as pre-training on studies shows them, but each of them whole.

Belongs here: from the volumes of a study to batches. Where tokens lie in the patient and which of them attend to one
another is `training.data.study`; what an encoder makes of a batch is `training.evaluation.features`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.config.model import ModelConfig
from training.data.augment import Acquired, Change
from training.data.batch import Windows
from training.data.conditions import COLUMNS
from training.data.plan import layout, refined
from training.data.raw import Crop, Cut
from training.data.study import Gather, Shown
from training.data.tokens import Key
from training.data.views import WHOLE
from training.data.volume import Facts, Window, facts_of, measured, occupied, patch_of
from training.data.windows import Sample
from training.tasks.sliding import windows

Volume = tuple[NDArray[Any], Mapping[str, Any]]
"""(x, y, z[, t]) stored voxels and their row of `curated/volumes`; of a 4D volume the first step is shown."""


def rounds(volumes: Sequence[Volume], window_mm: Sequence[float], model: ModelConfig, attend: str) -> Iterator[Windows]:
    """Batches that show the volumes of a study, one window of each in a batch, in their order.

    There are as many as the volume with the most windows has; the windows of another come again from its first.

    Args:
        volumes: those of the study that are there.
        window_mm: largest window.
        model: says the patches.
        attend: as `training.config.pretrain.StudyConfig.attend`.
    """
    known = [facts_of(row["volume"], row) for _, row in volumes]
    places = [_places(facts, window_mm) for facts in known]
    gather = Gather(attend)
    for number in range(max(len(found) for found in places)):
        shown = (
            _shown(stored, row, facts, found[number % len(found)], model)
            for (stored, row), facts, found in zip(volumes, known, places, strict=True)
        )
        yield gather.collate([tuple(shown)])


def _places(facts: Facts, window_mm: Sequence[float]) -> list[Window]:
    """Windows that cover a volume: those that hold tissue, or all where none does."""
    places = windows(facts, window_mm, 0.0)
    return [p for p in places if (occupied(facts, p) & measured(facts, p)).any()] or places


def _shown(stored: NDArray[Any], row: Mapping[str, Any], facts: Facts, place: Window, model: ModelConfig) -> Shown:
    """One window as a sample of pre-training, with nothing varied."""
    box = tuple(slice(s, s + n) for s, n in zip(place.start, place.shape, strict=True))
    first = stored[..., 0] if stored.ndim > 3 else stored
    voxels = np.require(first[box], requirements=("C", "W"))  # as torch wants it
    lay = layout(facts, place, patch_of(facts, model.patch_mm, model.patch_menu))
    cut = Cut(WHOLE[0].kind, (0, 0, 0), place.shape, lay.slices, refined(facts, lay, voxels), Change(), {})
    acquired = Acquired(facts.spacing, facts.normalized(0), facts.part == "magnitude")
    crop = Crop(torch.from_numpy(voxels), facts.scaling, acquired, facts.normalized(facts.background))
    return Shown(
        Sample(Key(0, 0), facts.volume, crop, (cut,), place.start),
        np.array(row["affine"], dtype=np.float64).reshape(4, 4),
        # the encoder is not told how the volume was acquired, which would answer for what it sees
        np.full(len(COLUMNS), np.nan, np.float32),
    )
