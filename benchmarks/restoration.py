"""Restoration of noisy scans: the task's network against BM4D and non-local means.

T1 crops around the hippocampus; cases as in `benchmarks.hippocampus`. Rician noise of three levels is added to images
that are scaled by their 99th percentile. The network is trained on the training images alone, with the task's own
settings, and is not told the noise; the filters are told its deviation, and their results are freed of the bias of
magnitude images. The strength of non-local means is the best on training images, level by level.

`LARMOR_BENCH_CASES` (12) test cases are judged, evenly spread, since BM4D takes long; `LARMOR_BENCH_STEPS` (4000) are
trained; `LARMOR_BENCH_FOLDER` keeps models and filtered images.
"""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.hippocampus import DATA, Release, release

LEVELS = (0.05, 0.1, 0.15)
"""Deviation of the noise against the 99th percentile of the image."""
STRENGTHS = (0.1, 0.2, 0.3, 0.45, 0.6)
"""Of non-local means, against the deviation of the noise."""
TUNED_ON = 3
"""Training images that the strength is chosen on."""
SEED = 1000

CONFIG: dict[str, Any] = {
    "task": "restoration", "network": "restorer", "scratch": True, "labels": 0, "crop_mm": (32.0, 32.0, 32.0),
    "window_mm": (64.0, 64.0, 64.0), "batch_size": 2, "learning_rate": 1.5e-3, "warmup_steps": 50, "weight_decay": 0.0,
    "ema": 0.995, "precision": "bf16", "save_every": 250, "report_every": 50, "tensorboard": False,
}  # fmt: skip

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Noisy:
    """A noisy image.

    Attributes:
        name: of the case and level.
        level: deviation of the noise.
        clean: (x, y, z) image, scaled by its 99th percentile.
        image: the same with noise.
    """

    name: str
    level: float
    clean: Image
    image: Image


def noisy(cases: Release, split: str, count: int) -> list[Noisy]:
    """So many images of a split, evenly spread, at every level; the noise is a function of case and level."""
    from training.data.degradation import rician

    members = cases.members(split)
    chosen = [members[i] for i in np.linspace(0, len(members) - 1, min(count, len(members))).round().astype(int)]
    made = []
    for member in chosen:
        row, stored = cases.volumes().row(member.volume), cases.volumes().array(member.volume)
        values = (stored.astype(np.float32) * row["slope"] + row["intercept"]).astype(np.float32)
        clean = values / np.float32(np.percentile(values, 99))
        for place, level in enumerate(LEVELS):
            draw = np.random.default_rng([SEED, int(member.subject.rsplit("_", 1)[1]), place])
            made.append(Noisy(f"{member.subject}-{level}", level, clean, rician(clean, level, draw)))
    return made


def psnr_and_ssim(found: Image, clean: Image) -> tuple[float, float]:
    """Peak signal to noise ratio in dB and structural similarity, for a range of 1."""
    import torch
    from torchmetrics.functional.image import (
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    a, b = (torch.from_numpy(np.ascontiguousarray(image))[None, None] for image in (found, clean))
    similar = structural_similarity_index_measure(a, b, data_range=1.0, kernel_size=7, gaussian_kernel=False)
    assert isinstance(similar, torch.Tensor), "asked for no map"
    return float(peak_signal_noise_ratio(a, b, data_range=1.0)), float(similar)


class Filters:
    """Classical filters on images, in a process and an environment of their own."""

    def __init__(self, folder: Path) -> None:
        """Keep inputs and outputs in a folder."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, images: list[Noisy], method: str, strengths: Mapping[float, float]) -> list[Image]:
        """Each image through a filter whose strength is that of its level."""
        jobs = []
        for noise in images:
            np.save(self._folder / f"{noise.name}.npy", noise.image)
            strength = strengths[noise.level]
            jobs.append(
                {
                    "input": f"{noise.name}.npy", "output": f"{noise.name}-{method}-{strength}.npy", "method": method,
                    "sigma": noise.level, "strength": strength,
                }
            )  # fmt: skip
        (self._folder / "jobs.json").write_text(json.dumps(jobs))
        runner = Path(__file__).parent / "denoise_runner.py"
        subprocess.run([peers.python(), runner, self._folder], check=True, env={**os.environ, "PYTHONPATH": ""})
        return [np.load(self._folder / str(job["output"])) for job in jobs]

    def tuned(self, images: list[Noisy], method: str) -> dict[float, float]:
        """The strength for each level that gives the highest mean PSNR on images."""
        scores: dict[tuple[float, float], list[float]] = {}
        for strength in STRENGTHS:
            found = self.run(images, method, dict.fromkeys(LEVELS, strength))
            for noise, image in zip(images, found, strict=True):
                scores.setdefault((noise.level, strength), []).append(psnr_and_ssim(image, noise.clean)[0])
        return {
            level: max(STRENGTHS, key=lambda strength: statistics.mean(scores[level, strength])) for level in LEVELS
        }


def trained(cases: Release, folder: Path, steps: int) -> tuple[Path, float]:
    """The model, and the minutes that its training took."""
    from training.config.presets import configured
    from training.finetune import finetune

    config = configured("tiny", "finetune", CONFIG | {"steps": steps})
    made = finetune(config, cases, folder / f"restoration-{config.digest[:16]}", _silent)
    return made.folder, made.metrics["seconds"] / 60


def restored(model: Path, images: list[Noisy]) -> list[Image]:
    """Each image through the network, with the statistics of the noisy image as the lake would keep them."""
    from imaging.volumes.statistics import statistics as numbers_of
    from imaging.volumes.volume import Volume
    from training.evaluation.inference import open_model, predict

    opened, found = open_model(model), []
    for noise in images:
        numbers = numbers_of(Volume(noise.image, np.eye(4)))
        row = {
            "volume": noise.name, "shape": list(noise.image.shape), "spacing": [1.0] * 3, "slope": 1.0,
            "intercept": 0.0, "percentiles": list(numbers.percentiles), "occupancy": numbers.occupancy,
            "missing_slices": [], "missing_axis": 2,
        }  # fmt: skip
        found.append(predict(opened, noise.image, row))
    return found


def _silent(_event: Mapping[str, Any]) -> None:
    pass


def run() -> str:
    """The table as Markdown."""
    if not DATA.is_dir():
        return f"needs {DATA.relative_to(Path(__file__).parent.parent.parent)} beside the project"
    count, steps = (int(os.environ.get(f"LARMOR_BENCH_{name}", n)) for name, n in (("CASES", 12), ("STEPS", 4000)))
    kept = os.environ.get("LARMOR_BENCH_FOLDER")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(kept or made)
        cases = release("test")
        model, minutes = trained(cases, folder, steps)
        images = noisy(cases, "test", count)
        columns = {"input": [noise.image for noise in images], "ours": restored(model, images)}
        filters = Filters(folder / "filters")
        strengths = filters.tuned(noisy(cases, "train", TUNED_ON), "nlm")
        columns["non-local means"] = filters.run(images, "nlm", strengths)
        columns["BM4D"] = filters.run(images, "bm4d", dict.fromkeys(LEVELS, 1.0))
    return "\n".join([f"{count} test cases; {steps} steps in {minutes:.1f} minutes.", *table(images, columns)])


def table(images: list[Noisy], columns: Mapping[str, list[Image]]) -> list[str]:
    """Lines of PSNR and SSIM, and the gain over each filter."""
    filters = [name for name in columns if name not in ("input", "ours")]
    titles = ["noise", *columns, *(f"gain over {name}" for name in filters), "to reach"]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for level in LEVELS:
        places = [place for place, noise in enumerate(images) if noise.level == level]
        scores = {
            name: [psnr_and_ssim(found[place], images[place].clean) for place in places]
            for name, found in columns.items()
        }
        means = {name: tuple(statistics.mean(column) for column in zip(*s, strict=True)) for name, s in scores.items()}
        cells = [f"{psnr:.2f} dB, {ssim:.3f}" for psnr, ssim in means.values()]
        cells += [f"{means['ours'][0] - means[name][0]:+.2f} dB" for name in filters]
        lines.append(f"| {level:.0%} | {' | '.join(cells)} | +1 dB |")
    return lines
