"""Retrieval: volumes become vectors that lie together where the volumes are alike, or near what is said of them.

Belongs here: the task, its settings, networks and losses. A gallery to search is `training.evaluation.gallery`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.pretrain import ContrastiveConfig
from training.data.batch import Windows
from training.data.captions import Captions, numbered
from training.data.source import Source
from training.data.targets import Values
from training.data.tokens import Key
from training.data.whole import TARGET
from training.errors import TrainingError
from training.networks.encoder import Encoder
from training.networks.pooling import PooledHead
from training.networks.text import make_text
from training.objectives.contrastive import BIAS, SCALE, sigmoid_loss
from training.objectives.ranks import gathered
from training.tasks.sliding import Scan, averaged
from training.tasks.task import Prediction
from training.tasks.telling import Encoded, TargetSettings, Telling, Told


class RetrievalSettings(TargetSettings):
    """Settings of retrieval."""

    alike: Literal["target", "text"] = "target"
    """What lies together: volumes of one target, or a volume and what its report or caption says."""
    width: int = Field(default=128, gt=0)
    """Channels of a vector."""
    temperature: float = Field(default=0.1, gt=0)
    """How sharply likeness of volumes is told; lower is sharper."""
    text_encoder: ContrastiveConfig = ContrastiveConfig()
    """Texts and their encoder; its `width` is not used."""


class Retrieval(Telling[RetrievalSettings]):
    """Vectors of volumes."""

    Settings = RetrievalSettings
    views = 2

    def values(self, release: Source) -> Values:
        """The target of each volume, or its whole text in one wording."""
        if self.options.alike == "target":
            return super().values(release)
        volumes = sorted({member.volume for member in release.members("train")})
        whole = self.options.text_encoder.model_copy(update={"whole_share": 1.0})
        captions = Captions.of(release, volumes, whole, self.config.seed)
        said = {volume: captions.at(volume, Key(0, 0)).text for volume in volumes}
        return {volume: (text,) for volume, text in said.items() if text}

    def encode(self, values: Values) -> Encoded:
        """For each volume a number, equal where volumes belong together."""
        unclear = {volume: "several targets" for volume, cells in values.items() if len(cells) > 1}
        said = {volume: cells[0] for volume, cells in values.items() if volume not in unclear}
        if len(set(said.values())) < 2:
            raise TrainingError(
                f"found one target or text for all {len(said)} volumes, needed at least two; what lies together is "
                "learned from what lies apart"
            )
        captions = said if self.options.alike == "text" else {}
        return Encoded({v: np.asarray(numbered(text)) for v, text in said.items()}, unclear, {}, captions)

    def network(self, about: Mapping[str, Any]) -> nn.Module:
        """A network of vectors, of texts too where they are learned from."""
        vectors = self.pooled(self.options.width)
        return TextAndImage(vectors, self.options) if self.options.alike == "text" else vectors

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its loss."""
        if isinstance(network, TextAndImage):
            return TextLearner(network)
        return TargetLearner(network, self.options.temperature)

    def predict(self, network: nn.Module, about: Mapping[str, Any], scan: Scan, *, overlap: float) -> Prediction:
        """The volume's vector, of length one."""
        vector = F.normalize(averaged(network, scan, self.config, overlap), dim=0)
        return Prediction(facts={"embedding": [round(float(value), 6) for value in vector]})


class TextAndImage(nn.Module):
    """Vectors of volumes and of texts in one space."""

    def __init__(self, vectors: PooledHead, options: RetrievalSettings) -> None:
        """Make a network with a random text encoder.

        Args:
            vectors: gives those of windows.
            options: width and text encoder.
        """
        super().__init__()
        self.vectors, self.text = vectors, make_text(options.text_encoder)
        self.projection = nn.Linear(self.text.width, options.width, bias=False)

    @property
    def encoder(self) -> Encoder:
        """What a pre-trained model gives its weights to."""
        return self.vectors.encoder

    def forward(self, windows: Windows) -> Tensor:
        """(N, width) vectors of windows."""
        found: Tensor = self.vectors(windows)
        return found

    def texts(self, texts: Sequence[str]) -> Tensor:
        """(N, width) vectors of texts."""
        found: Tensor = self.projection(self.text(list(texts))).float()
        return found


class TargetLearner(nn.Module):
    """Windows of one target come to lie together, apart from all others; two windows of a volume always do.

    Source: Khosla et al., Supervised Contrastive Learning, 2020, equation 2.
    """

    def __init__(self, network: nn.Module, temperature: float) -> None:
        """Wrap a network."""
        super().__init__()
        self.network, self._temperature = network, temperature

    def forward(self, windows: Windows) -> Told:
        """(S,) losses of samples, against the windows of all processes."""
        own = F.normalize(self.network(windows), dim=1)
        every, first = gathered(own)
        belongs, _ = gathered(windows.targets[TARGET])
        losses = supervised_contrastive(own, every, windows.targets[TARGET], belongs, first, self._temperature)
        return Told(by_sample(losses, windows), sum(windows.tokens.lengths))


class TextLearner(nn.Module):
    """Windows come to lie near what is said of their volumes (Zhai et al., Sigmoid Loss, 2023)."""

    def __init__(self, network: TextAndImage) -> None:
        """Wrap a network; scale and bias of the loss are learned beside it and not kept."""
        super().__init__()
        self.network = network
        self.scale, self.bias = nn.Parameter(torch.tensor([SCALE])), nn.Parameter(torch.tensor([BIAS]))

    def forward(self, windows: Windows) -> Told:
        """(S,) losses of samples, against the texts of all processes."""
        images = F.normalize(self.network(windows), dim=1)
        places = first_places(windows)
        texts, _ = gathered(F.normalize(self.network.texts([windows.captions[i] for i in places]), dim=1))
        said, _ = gathered(windows.targets[TARGET][places])
        logits = images @ texts.T * self.scale.exp() + self.bias
        losses = sigmoid_loss(logits, windows.targets[TARGET], said)
        return Told(by_sample(losses, windows), sum(windows.tokens.lengths))


def supervised_contrastive(
    own: Tensor, every: Tensor, target: Tensor, targets: Tensor, first: int, temperature: float
) -> Tensor:
    """(n,) for each vector how far those of its target are from being the nearest; itself is left out.

    Args:
        own: (n, width) vectors of length one.
        every: (m, width) all vectors, in which `own` stand from `first` on.
        target: (n,) targets of `own`.
        targets: (m,) targets of `every`.
        first: where `own` begin.
        temperature: how sharply likeness is told.
    """
    itself = torch.arange(len(every), device=own.device) == torch.arange(len(own), device=own.device)[:, None] + first
    logits = (own @ every.T / temperature).masked_fill(itself, -math.inf)
    positive = (target[:, None] == targets) & ~itself
    shares = logits.log_softmax(1).masked_fill(~positive, 0.0)
    return -shares.sum(1) / positive.sum(1).clamp_min(1)


def by_sample(losses: Tensor, windows: Windows) -> Tensor:
    """(S,) means over the windows of each sample."""
    return losses.unflatten(0, (len(set(windows.samples)), -1)).mean(1)


def first_places(windows: Windows) -> list[int]:
    """Where the first window of each sample stands."""
    return list(range(0, len(windows), len(windows) // len(set(windows.samples))))
