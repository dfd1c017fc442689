"""What the features know while they are being learned: asked on the validation split, told to whoever watches.

Belongs here: a glance that costs seconds. The evaluation of a finished model is `training.evaluation`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.config.schedule import Schedule
from training.data.source import Source, usable
from training.errors import TrainingError
from training.evaluation.features import Frozen, labels
from training.evaluation.people import people
from training.networks.encoder import Encoder
from training.running import process

ASKED = ("body_part", "contrast")
"""Columns of the volumes that their features should tell apart."""

LIMIT = 256
"""Most volumes to look at."""

FEWEST = 8
"""Volumes below which their effective rank says nothing: n of them differ in n - 1 directions at most."""

NEIGHBOURS = 5


class FeatureProbe:
    """Nearest neighbours and effective rank of the features of validation volumes."""

    def __init__(self, release: Source, config: Schedule) -> None:
        """Choose the volumes.

        Args:
            release: whose validation split is looked at.
            config: of the training.

        Raises:
            TrainingError: if the model is sharded, or no validation volume can be looked at.
        """
        if config.strategy == "fsdp":
            raise TrainingError(
                "probe_every: found it with strategy: fsdp, needed whole weights in every process; use strategy: ddp, "
                "or probe_every: 0"
            )
        self._arrays, self._config = release.volumes(), config
        members = people(release, "validation")
        if not members:
            raise TrainingError(
                "probe_every: found no volume in the validation split, needed some to look at; freeze a release with "
                "more subjects, or use probe_every: 0"
            )
        facts, _ = usable(self._arrays, sorted({member.volume for member in members}))
        there = {f.volume for f in facts}
        chosen = [member for member in members if member.volume in there]
        # spread over all subjects, who are in order
        chosen = [chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, LIMIT).astype(int))]
        self._volumes = [member.volume for member in chosen]
        self._subjects = [member.subject for member in chosen]
        self._labels = labels(ASKED, release, chosen)

    def __call__(self, module: nn.Module) -> Mapping[str, float]:
        """What is seen.

        Returns:
            `effective_rank` where there are not too few volumes, and for each column with several values
            `knn_<column>`, the share that neighbours tell.
        """
        encoder = getattr(module, "kept", None)
        assert isinstance(encoder, Encoder), "an objective's"
        was = encoder.training
        encoder.eval()
        try:
            frozen = Frozen(encoder, self._config.crop_mm, self._config.precision == "bf16")
            own = {
                volume: frozen.of(self._arrays.array(volume), self._arrays.row(volume))
                for volume in self._volumes[process.rank() :: process.world_size()]
            }
        finally:
            encoder.train(was)
        every = {volume: vector for part in process.told(own) for volume, vector in part.items()}
        features = np.stack([every[volume] for volume in self._volumes]).astype(np.float64)
        found = {"effective_rank": effective_rank(features)} if len(features) >= FEWEST else {}
        for name, known in self._labels.items():
            places = [i for i, volume in enumerate(self._volumes) if volume in known]
            values = [str(known[self._volumes[i]]) for i in places]
            subjects = [self._subjects[i] for i in places]
            if len(set(values)) > 1 and len(set(subjects)) > 1:
                found[f"knn_{name}"] = told_by_neighbours(features[places], values, subjects)
        return found


def effective_rank(features: NDArray[np.float64]) -> float:
    """How many directions features differ in: the exponential of the entropy of their singular values' shares.

    Args:
        features: (n, width); their mean is taken off, so that features which are all alike have rank 1.

    Source: Garrido et al., RankMe, ICML 2023, section 3.
    """
    values = np.linalg.svd(features - features.mean(0), compute_uv=False)
    if values.sum() <= 1e-6 * np.abs(features).sum() / max(1, features.shape[0]):
        return 1.0
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares + 1e-12)).sum()))


def told_by_neighbours(features: NDArray[np.float64], values: Sequence[str], subjects: Sequence[str]) -> float:
    """Share of volumes whose value is the commonest among their nearest neighbours in other subjects, by cosine.

    Args:
        features: (n, width).
        values: what is known of each.
        subjects: whose each is; there are at least two.
    """
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    likeness = unit @ unit.T
    likeness[np.equal.outer(np.asarray(subjects), np.asarray(subjects))] = -np.inf
    right = 0
    for place, value in enumerate(values):
        order = [i for i in np.argsort(-likeness[place], kind="stable") if np.isfinite(likeness[place, i])]
        votes = [values[i] for i in order[:NEIGHBOURS]]
        # of equally common values the one of the nearest neighbour
        right += max(votes, key=lambda vote: (votes.count(vote), -votes.index(vote))) == value
    return right / len(values)
