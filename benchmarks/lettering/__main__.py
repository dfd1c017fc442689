"""`python -m benchmarks.lettering [FILE]`: train the net on made-up images and write it as ONNX.

Belongs here: the training. One thread, one seed: the same torch on the same processor gives the same weights. Takes
about ten minutes of one core. `onnx` must be there for the export; it is no dependency of the project.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.lettering.backgrounds import Image, phantoms
from benchmarks.lettering.network import Net, export
from benchmarks.lettering.scenes import scene

_SEED = 20_26
_STEPS, _BATCH = 7_000, 16
_RATE = 5e-3
_FOCUS = 1.0
"""How much less a square counts that is already told right (focal loss); most of an image is easy."""
_OUT = Path("deid/pixels/lettering.onnx")


def train(images: list[Image], steps: int = _STEPS) -> Net:
    """A net that was shown `steps` batches of new scenes on these images."""
    torch.set_num_threads(1)
    torch.manual_seed(_SEED)
    rng = np.random.default_rng(_SEED)
    net = Net().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, steps, pct_start=0.1)
    start, told = time.monotonic(), 0.0
    for step in range(steps):
        scenes = [scene(rng, images) for _ in range(_BATCH)]
        loss = _loss(
            net(torch.from_numpy(np.stack([s.image for s in scenes]).astype(np.float32))),
            torch.from_numpy(np.stack([s.truth for s in scenes])),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        told = 0.98 * told + 0.02 * loss.item()
        if step % 100 == 99:
            print(f"{step + 1} of {steps} steps, loss {told:.4f}, {time.monotonic() - start:.0f} s", flush=True)
    return net


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    asked, target = truth >= 0, (truth > 0).float()
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    focal = (1 - torch.exp(-each)) ** _FOCUS * each
    return focal[asked].mean()


if __name__ == "__main__":
    export(train(phantoms()), Path(sys.argv[1]) if len(sys.argv) > 1 else _OUT)
