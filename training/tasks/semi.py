"""Semi-supervised segmentation: a mean teacher says what unlabelled volumes may hold, and how sure it is.

Belongs here: the task's settings, its learner and the loss of what is not labelled. Its samples are
`training.data.unlabelled`.

Source: Tarvainen and Valpola, Mean Teachers Are Better Role Models, NeurIPS 2017; pseudo-labels weighted by confidence
in place of a threshold.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from schemas.document import Document
from training.config.finetune import FinetuneConfig
from training.data.batch import Windows
from training.data.labelled import LabelledDataset, chosen, classes_of
from training.data.source import Source, usable
from training.data.unlabelled import CLEAN, LABELLED, MixedDataset, collate_mixed
from training.errors import TrainingError
from training.tasks.segmentation import Segmentation, SegmentationLoss, Supervised
from training.tasks.task import Served


class SemiOptions(Document):
    """Settings of semi-supervised segmentation."""

    unlabelled: int = Field(default=2, gt=0)
    """Samples of a step that are not labelled; the rest of `batch_size` is."""
    weight: float = Field(default=1.0, ge=0)
    """Weight of what the teacher says, beside what is labelled."""
    ramp_steps: int = Field(default=100, ge=0)
    """Steps over which that weight grows: an early teacher knows nothing."""
    momentum: float = Field(default=0.98, ge=0, lt=1)
    """Share of itself that the teacher keeps at a step, once training is under way."""


class SemiSupervised(Segmentation[SemiOptions]):
    """Label maps learned from a few label maps and from the other volumes of the training split."""

    Settings = SemiOptions

    def __init__(self, config: FinetuneConfig) -> None:
        """Set the task.

        Raises:
            DocumentError: if the options are not those of the task.
            TrainingError: if no sample of a step would be labelled.
        """
        super().__init__(config)
        if self.options.unlabelled >= config.batch_size:
            raise TrainingError(
                f"options.unlabelled: found {self.options.unlabelled} of {config.batch_size} samples a step, needed "
                "fewer, so that some are labelled; raise batch_size"
            )

    def serve(self, release: Source) -> Served:
        """Labelled windows of as many subjects as are asked for, and windows of all other training volumes."""
        members = chosen(release, self.config)
        classes = classes_of(release.labels(), members)
        labelled = LabelledDataset(release, members, classes, self.config)
        rest = {member.volume for member in release.members("train")} - {member.volume for member in members}
        if not rest:
            raise TrainingError(
                f"found labels of all {len(members)} training volumes in use, needed volumes without; ask for fewer "
                "labels, or use task: segmentation"
            )
        facts, skipped = usable(release.volumes(), sorted(rest))
        dataset = MixedDataset(labelled, release.volumes(), facts, self.config, self.options.unlabelled)
        return Served(
            dataset,
            collate_mixed,
            subjects=sorted({member.subject for member in members}),
            exposure=dataset.exposure,
            skipped=labelled.skipped | skipped,
            about={"classes": dict(classes.names)},
        )

    def learner(self, network: nn.Module, about: Mapping[str, Any]) -> nn.Module:
        """The network with its teacher."""
        return MeanTeacher(network, self.options)


class MeanTeacher(nn.Module):
    """A student that learns from labels and from a teacher, its own running mean.

    The teacher moves at the beginning of a step to where the student has come by then, so that the weights of both,
    which a resumable checkpoint holds, and the step, which the batch says, are all that is needed to go on.
    """

    def __init__(self, network: nn.Module, options: SemiOptions) -> None:
        """Start with a teacher that is the student.

        Args:
            network: the student.
            options: weights and momentum.
        """
        super().__init__()
        self.network, self.teacher = network, copy.deepcopy(network).requires_grad_(requires_grad=False)
        self._options, self._loss, self._step = options, SegmentationLoss(), -1

    def forward(self, windows: Windows) -> Supervised:
        """(S,) losses, one a sample."""
        step = windows.tokens.keys[0].step
        self._follow(step)
        weight = self._options.weight * min(1.0, step / max(1, self._options.ramp_steps))
        seen = windows.take([i for i, kind in enumerate(windows.kinds) if kind != CLEAN])
        clean = windows.of_kind(CLEAN)
        with torch.no_grad():
            told = iter([logits.softmax(0) for logits in self.teacher(clean)] if len(clean) else [])
        losses = [
            self._loss(logits, labels) if kind == LABELLED else weight * agreement(logits, next(told))
            for logits, labels, kind in zip(self.network(seen), seen.labels, seen.kinds, strict=True)
        ]
        return Supervised(torch.stack(losses), sum(seen.tokens.lengths) + sum(clean.tokens.lengths))

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the teacher towards the student, once a step, and faster at the beginning."""
        if step == self._step:
            return
        self._step = step
        kept = min(self._options.momentum, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.teacher.parameters()), list(self.network.parameters()), 1 - kept)


def agreement(logits: Tensor, told: Tensor) -> Tensor:
    """0-dimensional loss of a student's logits against a teacher's probabilities, voxels weighted by confidence.

    Cross entropy plus soft Dice of the foreground, as for labels; a voxel counts from nothing, where the teacher gives
    all classes alike, to one, where it is sure.

    Args:
        logits: (classes, x, y, z).
        told: (classes, x, y, z).
    """
    chance = 1 / len(told)
    sure = (told.amax(0) - chance) / (1 - chance)
    entropy = -(told * logits.log_softmax(0)).sum(0)
    said = logits.softmax(0)
    both = (said * told * sure)[1:].sum((1, 2, 3))
    each = ((said.square() + told.square()) * sure)[1:].sum((1, 2, 3))
    return (entropy * sure).sum() / sure.sum().clamp_min(1) + (1 - (2 * both + 1) / (each + 1)).mean()
