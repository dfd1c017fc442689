"""Several objectives at once: one encoder, the weighted sum of their losses, each one's part told apart.

Belongs here: putting together views, draws, losses and what is watched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.batch import Windows
from training.data.plan import Plan
from training.data.views import View
from training.data.windows import Prepare
from training.networks.encoder import Encoder, VoxelEncoder
from training.objectives.objective import Objective, Outcome


@dataclass(frozen=True)
class DrawAll:
    """Draws what each of several objectives needs; what one draws does not shift what the next one does."""

    each: tuple[Prepare, ...]

    def __call__(self, plan: Plan, draw: np.random.Generator, kind: str) -> Mapping[str, NDArray[Any]]:
        """Arrays of all, with a row a token."""
        drawn: dict[str, NDArray[Any]] = {}
        for prepare, own in zip(self.each, draw.spawn(len(self.each)), strict=True):
            drawn |= prepare(plan, own, kind)
        return drawn


class Combined(Objective):
    """The weighted sum of objectives that share an encoder."""

    def __init__(self, encoder: Encoder, weighted: Mapping[str, tuple[float, Objective]]) -> None:
        """Combine objectives.

        Args:
            encoder: the one that they were made around.
            weighted: name to weight and objective.
        """
        super().__init__()
        self.encoder = encoder
        self.objectives = nn.ModuleDict({name: objective for name, (_, objective) in weighted.items()})
        self._weights = {name: weight for name, (weight, _) in weighted.items()}

    def each(self) -> list[tuple[str, Objective]]:
        """Names and objectives."""
        return [(name, objective) for name, objective in self.objectives.items() if isinstance(objective, Objective)]

    @property
    def kept(self) -> Encoder:
        """That of the first objective which keeps another than the one that is trained."""
        others = (o.kept for _, o in self.each() if o.kept is not self.encoder)
        return next(others, self.encoder)

    @property
    def beside(self) -> Mapping[str, nn.Module]:
        """What each of them keeps."""
        return {name: module for _, objective in self.each() for name, module in objective.beside.items()}

    @property
    def views(self) -> Sequence[View]:
        """Of each kind the windows of the objective that asks for most of them, or for the most varied ones."""
        wanted: dict[str, View] = {}
        for _, objective in self.each():
            for view in objective.views:
                wanted[view.kind] = max(wanted.get(view.kind, view), view, key=lambda v: (v.count, -v.share[0]))
        return tuple(wanted.values())

    @property
    def captioned(self) -> bool:
        """Whether one of them needs captions."""
        return any(objective.captioned for _, objective in self.each())

    @property
    def prepare(self) -> Prepare:
        """What all of them draw."""
        return DrawAll(tuple(objective.prepare for _, objective in self.each()))

    def __call__(self, windows: Windows) -> Outcome:
        """The weighted sum of their losses, after each has followed.

        Here and not in a hook, because the hook that gathers shards (FSDP2) comes before all others.
        """
        if self.training:
            self.follow(windows)
        found: Outcome = super().__call__(windows)
        return found

    def follow(self, windows: Windows) -> None:
        """Each of them follows."""
        for _, objective in self.each():
            objective.follow(windows)

    def forward(self, windows: Windows) -> Outcome:
        """The weighted sum of their losses; parts and monitors are named after their objective."""
        losses: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        monitors: dict[str, Tensor] = {}
        computed = 0
        for name, objective in self.each():
            outcome: Outcome = objective(windows)
            losses.append(self._weights[name] * outcome.losses)
            parts[name] = outcome.losses.detach().mean()
            parts |= {f"{name}.{part}": value for part, value in outcome.parts.items()}
            monitors |= {f"{name}.{monitor}": value for monitor, value in outcome.monitors.items()}
            computed += outcome.computed
        total = torch.stack(losses).sum(0)
        if isinstance(self.encoder, VoxelEncoder):
            # its way back takes part in every step, needed or not: distributed training waits for every gradient
            total = total + 0 * torch.stack([parameter.sum() for parameter in self.encoder.parameters()]).sum()
        return Outcome(total, computed, parts, monitors)

    def alarms(self, monitors: Mapping[str, float]) -> list[str]:
        """What is wrong with any of them."""
        found = []
        for name, objective in self.each():
            own = {key.removeprefix(f"{name}."): value for key, value in monitors.items() if key.startswith(f"{name}.")}
            found += [f"{name}: {alarm}" for alarm in objective.alarms(own)]
        return found
