"""Examination of a model of restoration: scans made worse, and what it makes of them, against the scans as they are.

Belongs here: levels of noise and what they are compared by. What a fast scan does is `training.data.degradation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config.evaluate import EvaluateConfig
from training.data.degradation import lines, rician, undersampled
from training.data.order import random
from training.data.source import Source
from training.data.volume import facts_of
from training.evaluation.examiner import Picture
from training.evaluation.inference import Model, predict
from training.evaluation.intervals import Measure, Name, Scored, mean, mean_of
from training.evaluation.people import Person
from training.evaluation.pictures import side_by_side
from training.evaluation.robustness import Disturbance, number_of, remeasured
from training.evaluation.scores import restoration

FAST = 43
"""Stream of random numbers of what a fast scan does."""

Row = dict[str, Any]
_MEASURES = {"psnr": "dB", "ssim": ""}


@dataclass(frozen=True)
class Restored:
    """A model of restoration and the volumes that it is scored on."""

    name: str
    model: Model
    release: Source
    members: Sequence[Person]
    config: EvaluateConfig

    def scored(self, disturbance: Disturbance | None = None) -> Scored:
        """PSNR and SSIM at each level of noise, of the input and of what is made of it, and what is gained."""
        levels = self.config.restoration_noise
        found = {kind: np.zeros((len(self.members), len(levels), 2)) for kind in ("input", "restored")}
        for place, member in enumerate(self.members):
            for step, level in enumerate(levels):
                truth, fast, made = self.case(member, level)
                for kind, image in (("input", fast), ("restored", made)):
                    found[kind][place, step] = list(restoration(image, truth).values())
        subjects, volumes = tuple(m.subject for m in self.members), tuple(m.volume for m in self.members)
        return Scored(self.name, subjects, volumes, self._measures(found, subjects), ("mean_psnr",), {})

    def _measures(self, found: dict[str, NDArray[np.float64]], subjects: Sequence[str]) -> dict[Name, Measure]:
        measures: dict[Name, Measure] = {}
        columns = {"": found["restored"], "_input": found["input"], "_gain": found["restored"] - found["input"]}
        for number, (name, unit) in enumerate(_MEASURES.items()):
            for kind, values in columns.items():
                measures[(f"mean_{name}{kind}",)] = mean_of(mean(values[..., number].T), subjects, "higher", unit)
            for step, level in enumerate(self.config.restoration_noise):
                for kind, values in columns.items():
                    key = (f"{name}{kind}", f"noise {level:g}")
                    measures[key] = mean_of(values[:, step, number], subjects, "higher", unit)
        return measures

    def picture(self, scored: Scored, place: int) -> Picture | None:
        """The input, what is made of it, and the scan as it is, at the strongest noise."""
        level = max(self.config.restoration_noise)
        row = self.release.volumes().row(self.members[place].volume)
        truth, fast, made = self.case(self.members[place], level)
        image = side_by_side({"input": fast, "restored": made, "as scanned": truth}, row["spacing"])
        told = restoration(made, truth)
        return Picture(image, f"Noise {level:g}: PSNR {told['psnr']:.1f} dB; {row['contrast']}, {row['body_part']}.")

    def case(
        self, member: Person, level: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(x, y, z) values of a volume as it is, as a fast scan would have shown it, and as the model restores that.

        Lines of k-space are left out as the model was trained for, in the middle of what it was trained on.
        """
        arrays, options = self.release.volumes(), self.model.task.options
        stored, row = arrays.array(member.volume), arrays.row(member.volume)
        first = stored[..., 0] if stored.ndim > 3 else stored
        values = first.astype(np.float32) * np.float32(row["slope"]) + np.float32(row["intercept"])
        values = np.nan_to_num(values)
        draw = random(self.config.seed, FAST, number_of(row))
        fast = rician(values, level * abs(facts_of(member.volume, row).high), draw)
        if options.thins:
            axis = 0 if options.phase_axis == "any" else "xyz".index(options.phase_axis)
            acceleration, partial = float(np.mean(options.acceleration)), float(np.mean(options.partial))
            kept = lines(values.shape[axis], acceleration, options.centre, partial, draw)
            fast = undersampled(fast, axis, kept)
        seen = remeasured(fast, {**row, "shape": list(fast.shape), "slope": 1.0, "intercept": 0.0, "dtype": "float32"})
        made = predict(self.model, fast, seen, overlap=self.config.overlap)
        return values, fast, np.asarray(made, np.float32)
