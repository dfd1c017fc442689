"""What pre-training is served: from a release and a configuration to a data set, its steps and its exposures.

Belongs here: putting the parts of this room together. Each part has a module of its own; what is learned of the samples
is `training.objectives`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.captions import CaptionedDataset, Captions, GatherCaptioned
from training.data.order import EqualSteps, Steps, exposed
from training.data.packing import PackedSteps, costs, limits
from training.data.raw import Raw
from training.data.regions import Order
from training.data.source import Source, usable
from training.data.study import ONE_BY_ONE, Gather, Shown, StudyDataset, known
from training.data.views import View
from training.data.volume import Facts
from training.data.windows import Prepare, Sample, WindowDataset, gather


@dataclass(frozen=True)
class Needs:
    """What an objective needs of each sample.

    Attributes:
        views: its windows.
        prepare: what is drawn for each window.
        captioned: whether it is said in words what the windows show.
    """

    views: Sequence[View]
    prepare: Prepare
    captioned: bool


@dataclass(frozen=True)
class Served:
    """What a pre-training is served.

    Attributes:
        dataset: from a key to a sample; the key decides everything about it.
        gather: samples of a step to one batch, whose windows a device is still to make.
        volumes: the volumes that a sample shows.
        steps: how the order is cut into steps.
        exposure: from steps done to how many samples each volume was served in.
        skipped: volume to the reason that it is left out.
    """

    dataset: Dataset[Any]
    gather: Callable[[Sequence[Any]], Raw]
    volumes: Callable[[Any], Sequence[str]]
    steps: Steps
    exposure: Callable[[int], Mapping[str, int]]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def collate(self, samples: Sequence[Any]) -> Windows:
        """Samples of a step to one batch, made where the caller is."""
        return self.gather(samples).on_device()


def serve(config: PretrainConfig, release: Source, needs: Needs) -> Served:
    """Serve the training split of a release.

    Raises:
        TrainingError: if no volume of it can be learned from.
    """
    arrays = release.volumes()
    facts, skipped = usable(arrays, sorted({member.volume for member in release.members("train")}))
    volumes = [f.volume for f in facts]
    if config.study.together or config.study.conditions:
        served = _studies(config, release, needs, facts)
    else:
        served = _volumes(config, release, needs, facts)
    if needs.captioned:
        captions = Captions.of(release, volumes, config.contrastive, config.seed)
        served = _told(served, captions, _order(config, release, volumes), volumes)
    return replace(served, skipped=skipped)


def _volumes(config: PretrainConfig, release: Source, needs: Needs, facts: Sequence[Facts]) -> Served:
    """Single volumes."""
    most = _limits(config, needs, facts)
    steps = _steps(config, needs, most, [[place] for place in range(len(facts))])
    volumes = [f.volume for f in facts]

    def exposure(done: int) -> Mapping[str, int]:
        return exposed(volumes, config.seed, steps.first(done))

    return Served(_windows(config, release, needs, facts, most, steps), gather, volume_of, steps, exposure)


def _studies(config: PretrainConfig, release: Source, needs: Needs, facts: Sequence[Facts]) -> Served:
    """Series of a study together, or single volumes with how they were acquired."""
    volumes = [f.volume for f in facts]
    found = known(release.volumes(), volumes, release.described(volumes), alone=not config.study.together)
    members: dict[str, list[int]] = {}
    for place, volume in enumerate(found):
        members.setdefault(volume.study, []).append(place)
    most = _limits(config, needs, facts)
    steps = _steps(config, needs, most, list(members.values()))
    windows = _windows(config, release, needs, facts, most, ONE_BY_ONE)
    dataset = StudyDataset(windows, found, config.study, config.seed, steps)

    def exposure(done: int) -> Mapping[str, int]:
        return dataset.studies.exposure(volumes, steps.first(done))

    return Served(dataset, Gather(config.study.attend), volumes_of, steps, exposure)


def _told(served: Served, captions: Captions, order: Order | None, volumes: Sequence[str]) -> Served:
    """The same with what is said of each sample."""

    def rearranged(done: int) -> Mapping[str, int]:
        return order.exposure(volumes, done) if order else served.exposure(done)

    dataset = CaptionedDataset(served.dataset, served.volumes, captions, order)
    return replace(served, dataset=dataset, gather=GatherCaptioned(served.gather), exposure=rearranged)


def _order(config: PretrainConfig, release: Source, volumes: Sequence[str]) -> Order | None:
    """Most steps of one body part, where that is asked for."""
    if not config.contrastive.by_region:
        return None
    parts = [str(row["body_part"]) for row in release.volumes().rows(volumes)]
    return Order(parts, config.seed, config.batch_size)


def _limits(config: PretrainConfig, needs: Needs, facts: Sequence[Facts]) -> NDArray[np.int64] | None:
    return limits(facts, config.model, config.crop_mm, needs.views) if config.tokens_per_rank else None


def _steps(
    config: PretrainConfig, needs: Needs, most: NDArray[np.int64] | None, samples: Sequence[Sequence[int]]
) -> Steps:
    """Steps of as many samples each, or of as many tokens; each sample shows some volumes."""
    if most is None:
        return EqualSteps(config.batch_size)
    tokens = costs(most, needs.views)
    each = [int(tokens[list(volumes)].sum()) for volumes in samples]
    return PackedSteps(each, config.seed, config.tokens_per_rank, config.ranks)


def _windows(
    config: PretrainConfig,
    release: Source,
    needs: Needs,
    facts: Sequence[Facts],
    most: NDArray[np.int64] | None,
    steps: Steps,
) -> WindowDataset:
    return WindowDataset(
        release.volumes(),
        facts,
        config.model,
        config.crop_mm,
        config.seed,
        config.batch_size,
        needs.prepare,
        needs.views,
        augment=config.augment,
        steps=steps,
        limits=most,
    )


def volume_of(sample: Sample) -> tuple[str]:
    """The volume of a sample."""
    return (sample.volume,)


def volumes_of(study: Sequence[Shown]) -> tuple[str, ...]:
    """The volumes of a study that are shown."""
    return tuple(shown.sample.volume for shown in study)
