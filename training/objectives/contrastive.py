"""Images and texts: a window and what is said of it come to lie together, apart from what is said of others.

Belongs here: the two projections and the sigmoid loss. Texts are `training.data.captions`, their encoder is
`training.networks.text`.

Source: Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023, section 3.2.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody reads

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.captions import SAID
from training.data.plan import Plan
from training.data.windows import Prepare
from training.errors import TrainingError
from training.networks.encoder import Encoder
from training.networks.text import make_text
from training.objectives.objective import GLOBAL, Objective, Outcome, places_of
from training.objectives.ranks import gathered

TEXT = "text"
"""What the weights of text encoder and projections are called beside a checkpoint's own."""

SCALE, BIAS = math.log(10), -10.0
"""Where scale (a logarithm) and bias begin: nearly all pairs do not belong together, and the loss begins small."""


class Contrastive(Objective):
    """Image encoder, text encoder, and a space that both are projected to."""

    def __init__(self, config: PretrainConfig, encoder: Encoder) -> None:
        """Make the objective around an encoder; text encoder and projections begin with random weights.

        Raises:
            TrainingError: if the text encoder's folder cannot be read.
        """
        super().__init__()
        own = config.contrastive
        self.encoder = encoder
        self.text = make_text(own)
        self.image_projection = nn.Linear(encoder.width, own.width, bias=False)
        self.text_projection = nn.Linear(self.text.width, own.width, bias=False)
        self.scale = nn.Parameter(torch.tensor([SCALE]))
        self.bias = nn.Parameter(torch.tensor([BIAS]))

    @property
    def beside(self) -> Mapping[str, nn.Module]:
        """Text encoder and projections, so that texts find images after the training too."""
        parts = {"text": self.text, "image_projection": self.image_projection, "text_projection": self.text_projection}
        return {TEXT: nn.ModuleDict(parts)}

    @property
    def captioned(self) -> bool:
        """It is about what is said."""
        return True

    @property
    def prepare(self) -> Prepare:
        """Nothing is drawn."""
        return draw_nothing

    def forward(self, windows: Windows) -> Outcome:
        """For each sample the sigmoid loss of its window with the texts of all samples, those of other processes too.

        Raises:
            TrainingError: if the batch has no texts.
        """
        if not windows.captions or SAID not in windows.targets:
            raise TrainingError("contrastive: found a batch without texts, needed a caption for each window")
        # the encoder is not told how the window was acquired, which is what captions say
        shown = replace(windows.take(first_of_samples(windows)), conditions=None)
        images = self.images(shown)
        texts, first = gathered(self.texts(shown.captions))
        said, _ = gathered(shown.targets[SAID])
        own = said[first : first + len(shown)]
        with torch.autocast(images.device.type, enabled=False):
            logits = images @ texts.T * self.scale.exp() + self.bias
        losses = sigmoid_loss(logits, own, said)
        return Outcome(losses, sum(shown.tokens.lengths), monitors=matches(logits, own, said))

    def images(self, windows: Windows) -> Tensor:
        """(N, width) windows in the common space, of length one."""
        return F.normalize(self.image_projection(self.encoder.pooled(windows)).float(), dim=-1, eps=1e-6)

    def texts(self, texts: tuple[str, ...]) -> Tensor:
        """(N, width) texts in the common space, of length one."""
        return F.normalize(self.text_projection(self.text(texts)).float(), dim=-1, eps=1e-6)


def draw_nothing(plan: Plan, draw: np.random.Generator, kind: str) -> Mapping[str, NDArray[Any]]:
    """No arrays: the objective hides nothing."""
    return {}


def first_of_samples(windows: Windows) -> list[int]:
    """Where the first large window of each sample is."""
    places: dict[int, int] = {}
    for place in places_of(GLOBAL, windows):
        places.setdefault(windows.samples[place] if windows.samples else place, place)
    return list(places.values())


def sigmoid_loss(logits: Tensor, own: Tensor, said: Tensor) -> Tensor:
    """(n,) for each image the sum over all texts of the loss of saying which of them belong to it.

    Texts that say the same belong to all images that it is said of; images and texts of which nothing is known are left
    out.

    Args:
        logits: (n, m) of images and texts.
        own: (n,) numbers of what is said of the images; 0: nothing.
        said: (m,) numbers of what the texts say.
    """
    sign = torch.where(own[:, None] == said, 1.0, -1.0)
    known = (own[:, None] != 0) & (said != 0)
    return -(F.logsigmoid(sign * logits) * known).sum(1)


@torch.no_grad()
def matches(logits: Tensor, own: Tensor, said: Tensor) -> Mapping[str, Tensor]:
    """How often an image's nearest text of the batch belongs to it, and how often a text drawn blindly would.

    Args:
        logits: (n, m) of images and texts.
        own: (n,) numbers of what is said of the images.
        said: (m,) numbers of what the texts say.
    """
    belongs = ((own[:, None] == said) & (said != 0)).float()
    return {
        "found_first": belongs.gather(1, logits.argmax(1, keepdim=True)).mean(),
        "found_by_chance": belongs.mean(),
    }
