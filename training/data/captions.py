"""What is said of a volume in words: its study's report, or a caption composed of how it was acquired.

Belongs here: texts of samples, worded and cut by the sample's place in the training, so that each is the same whenever
it is asked for. What a network makes of them is `training.networks.text`.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from training.config.pretrain import ContrastiveConfig
from training.data.order import random
from training.data.raw import Raw
from training.data.regions import Order
from training.data.source import Source
from training.data.tokens import Key

SAID = "said"
"""Target of a batch that numbers what is said, whatever the words: (N,) int64, equal where texts say the same, 0 where
nothing is said."""

CAPTION = 20
"""Stream of random numbers that words and cuts texts; apart from those of `training.data.order`."""

SENTENCE = re.compile(r"(?<=[.!?\u061f\u0964])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
"""Where a sentence ends: after a mark and white space, after an ideographic mark, at a new line."""

THICK = 1.5
"""Slices are spoken of where they are so many times as thick as voxels are wide."""

Saying = tuple[str, ...]
"""One thing that is said, in all its wordings."""

_Row = Mapping[str, Any]
Item = TypeVar("Item")


def sayings(volume: _Row, series: _Row | None = None) -> list[Saying]:
    """What can be said of a volume; nothing is said of what is not known.

    Args:
        volume: row of `curated/volumes`; counts before the series' row, since echoes have times of their own.
        series: row of `curated/series`.
    """
    facts = {**(series or {}), **{name: value for name, value in volume.items() if value is not None}}
    known = {name: value for name, value in facts.items() if value not in (None, "", "unknown")}
    told = _image(known)
    if "plane" in known:
        plane = known["plane"]
        told.append((f"{plane} slices", f"acquired in the {plane} plane", f"{plane} orientation"))
    told += [_AGENT[agent] for agent in [known.get("contrast_agent", "")] if agent in _AGENT]
    if known.get("fat_suppression") == "suppressed":
        told.append(("fat-suppressed", "with fat suppression", "fat signal suppressed"))
    for name, short, long, unit in _TIMINGS:
        if amount := _amount(known.get(name), unit):
            told.append((f"{short} {amount}", f"{long} of {amount}", f"{short} = {amount}"))
    if field := _amount(known.get("field_strength"), "T"):
        told.append((f"at {field}", f"field strength {field}", f"{field} scanner"))
    return [*told, *_extent(known)]


_AGENT: Mapping[str, Saying] = {
    "given": ("after contrast agent", "contrast-enhanced", "post-contrast"),
    "none": ("without contrast agent", "not enhanced", "pre-contrast"),
}

_TIMINGS = (
    ("echo_time", "TE", "echo time", "ms"),
    ("repetition_time", "TR", "repetition time", "ms"),
    ("inversion_time", "TI", "inversion time", "ms"),
    ("flip_angle", "FA", "flip angle", "degrees"),
)


def _image(known: _Row) -> list[Saying]:
    part = str(known.get("body_part", "")).replace("_", " ").lower()
    contrast = str(known.get("contrast", ""))
    if contrast and part:
        return [(f"{contrast} MRI of the {part}", f"{part}, {contrast}", f"{contrast} image, {part}")]
    if contrast:
        return [(f"{contrast} MRI", f"{contrast} image", f"magnetic resonance image, {contrast}")]
    return [(f"MRI of the {part}", f"{part} MRI", f"magnetic resonance image of the {part}")] if part else []


def _extent(known: _Row) -> list[Saying]:
    told: list[Saying] = []
    if spacing := [value for value in known.get("spacing") or () if _amount(value, "mm")]:
        if max(spacing) > THICK * min(spacing):
            thick = _amount(max(spacing), "mm")
            told.append((f"{thick} slices", f"slice thickness {thick}", f"slices every {thick}"))
        fine = _amount(min(spacing), "mm")
        told.append((f"{fine} voxels", f"resolution {fine}", f"voxel size {fine}"))
    if (kind := known.get("kind")) in ("diffusion", "dynamic"):
        told.append((f"{kind} series", f"one step of a {kind} series", f"4D, {kind}"))
    return told


def _amount(value: Any, unit: str) -> str:
    """A positive number with its unit; nothing where there is none, as scanners write 0 for what does not apply."""
    if not isinstance(value, int | float) or not np.isfinite(value) or value <= 0:
        return ""
    return f"{round(value, 2):g} {unit}"


def compose(told: Sequence[Saying], draw: np.random.Generator) -> str:
    """A caption: each saying in one of its wordings, what the image is first, the rest in an order that is drawn."""
    worded = [saying[draw.integers(len(saying))] for saying in told]
    rest = [worded[1 + i] for i in draw.permutation(len(worded) - 1)] if worded else []
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in [*worded[:1], *rest])


def cut(text: str, whole: float, dropout: float, draw: np.random.Generator) -> str:
    """A text with some of its sentences left out, in their order; at least one stays.

    Args:
        text: in any script.
        whole: chance that nothing is left out.
        dropout: share of sentences that are left out otherwise.
        draw: random numbers.
    """
    sentences = [part.strip() for part in SENTENCE.split(text) if part and part.strip()]
    if len(sentences) < 2 or draw.random() < whole:
        return text.strip()
    stays = draw.random(len(sentences)) >= dropout
    stays[draw.integers(len(sentences))] = True
    return " ".join(sentence for sentence, here in zip(sentences, stays, strict=True) if here)


def numbered(content: str) -> int:
    """A number for what is said, 1 to 2^63 - 1, the same in every process; 0 for nothing."""
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8]) >> 1 | 1 if content else 0


@dataclass(frozen=True)
class Caption:
    """What is said of a sample.

    Attributes:
        text: the words.
        said: number of what they say, the same for other words that say it; 0: nothing.
    """

    text: str
    said: int


@dataclass(frozen=True)
class Captions:
    """The texts of a release's volumes.

    Attributes:
        reports: volume to report.
        composed: volume to what can be said of it, where there is no report.
        seed: seed of the training.
        whole: chance that a text is given whole.
        dropout: share of sentences left out otherwise.
    """

    reports: Mapping[str, str]
    composed: Mapping[str, Sequence[Saying]]
    seed: int
    whole: float
    dropout: float

    @classmethod
    def of(cls, release: Source, volumes: Sequence[str], config: ContrastiveConfig, seed: int) -> "Captions":
        """Those of some volumes of a release."""
        reports = {v: text for v, text in (release.texts(volumes) if config.reports else {}).items() if text.strip()}
        series = release.described(volumes)
        rest = [volume for volume in volumes if volume not in reports]
        rows = release.volumes().rows(rest)
        composed = {volume: sayings(row, series.get(volume)) for volume, row in zip(rest, rows, strict=True)}
        return cls(reports, composed, seed, config.whole_share, config.sentence_dropout)

    def at(self, volume: str, key: Key) -> Caption:
        """The text of a volume at a place of the training."""
        draw = random(self.seed, CAPTION, key.step, key.slot)
        if report := self.reports.get(volume):
            return Caption(cut(report, self.whole, self.dropout, draw), numbered(report))
        told = self.composed.get(volume, ())
        text = cut(compose(told, draw), self.whole, self.dropout, draw)
        return Caption(text, numbered("\n".join(first for first, *_ in told)))


class CaptionedDataset(Dataset[tuple[Item, tuple[Caption, ...]]]):
    """Samples of another data set with what is said of each of their volumes."""

    def __init__(
        self,
        samples: Dataset[Item],
        volumes: Callable[[Item], Sequence[str]],
        captions: Captions,
        order: Order | None = None,
    ) -> None:
        """Set a data set.

        Args:
            samples: gives samples by key.
            volumes: the volumes of one of its samples, in the order in which a batch numbers them; picklable.
            captions: texts of the volumes.
            order: in which order they are served; None: in their own.
        """
        self._samples, self._volumes, self._captions, self._order = samples, volumes, captions, order

    def __getitem__(self, key: Key) -> tuple[Item, tuple[Caption, ...]]:
        """The sample at a place of the training, with its texts."""
        place = self._order.key(key) if self._order else key
        sample = self._samples[place]
        return sample, tuple(self._captions.at(volume, place) for volume in self._volumes(sample))


@dataclass(frozen=True)
class GatherCaptioned:
    """Samples of a step to one batch; every window has the text of its volume. Can be sent to loader processes."""

    gather: Callable[[Sequence[Any]], Raw]

    def __call__(self, samples: Sequence[tuple[Any, tuple[Caption, ...]]]) -> Raw:
        """The batch, whose windows a device is still to make."""
        batch = self.gather([sample for sample, _ in samples])
        each = [caption for _, captions in samples for caption in captions]
        captions = [each[place] for place in batch.frame.samples]
        said = torch.tensor([caption.said for caption in captions], dtype=torch.int64)
        texts, targets = tuple(caption.text for caption in captions), {**batch.frame.targets, SAID: said}
        return replace(batch, frame=replace(batch.frame, captions=texts, targets=targets))
