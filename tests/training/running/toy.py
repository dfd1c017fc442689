"""A small training that needs no release and no lake: tokens of random numbers, and a module that says their mean.

It runs in this process, or as a process of torchrun (`python -m tests.training.running.toy JOB.yaml`) in the frame that
every training has. The environment's TOY_MISHAP asks for a mishap: `rank` or `loader` loses a process at step 5, `stop`
tells rank 1 alone to stop there, `wait` makes steps slow.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from schemas.release import ReleaseManifest, ReleaseSpec
from training.checkpoint import Made
from training.config.pretrain import PretrainConfig
from training.data.batch import Windows
from training.data.order import EqualSteps, exposed
from training.data.tokens import Tokens, pack
from training.run import read, tell
from training.running import process
from training.running.fit import fit
from training.running.interruption import EXIT_CODE, Stopped
from training.running.session import Done, session, summary
from training.running.workspace import identity

WIDTH, VOLUMES, FATAL = 8, 10, 5
MODEL = {"dim": 24, "depth": 1, "heads": 2, "decoder_dim": 24, "decoder_heads": 2}
FEW = {"steps": 8, "batch_size": 6, "learning_rate": 1e-2, "warmup_steps": 2}
OFTEN = {"save_every": 3, "report_every": 1, "tensorboard": False, "timeout_s": 60}


def configuration(**changes):
    return PretrainConfig.parse({"model": MODEL, **FEW, **OFTEN, **changes}, "test")


@dataclass(frozen=True)
class Said:
    losses: Tensor
    computed: int
    monitors: dict


class Averager(nn.Module):
    """Predicts a sample's mean from its squared tokens; its layers are in a module list, as blocks are."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.head = nn.Linear(WIDTH, 1)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.sizes = []
        self.keys = []

    def forward(self, windows):
        mishap(windows.tokens.keys[0].step)
        self.sizes.append(len(windows))
        self.keys += windows.tokens.keys
        self.seen += len(windows)
        values = torch.cat([patch.flatten(1) for patch in windows.tokens.patches])
        for block in self.blocks:
            values = torch.tanh(block(values))
        said = [part.square().sum(0) for part in self.head(values).split(windows.tokens.lengths)]
        wanted = [patch.mean() for patch in windows.tokens.patches]
        losses = (torch.cat(said) - torch.stack(wanted)).square()
        return Said(losses, sum(windows.tokens.lengths), {"size": torch.tensor(float(len(windows)))})


class Numbers(Dataset):
    """A sample is a function of its key; samples differ in their number of tokens."""

    def __getitem__(self, key):
        if os.environ.get("TOY_MISHAP") == "loader" and key.step == FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        draw = np.random.default_rng([3, key.step, key.slot])
        count = int(draw.integers(1, 9))
        patches = draw.normal(size=(count, 2, 2, 2)).astype(np.float32)
        positions, index = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.int64)
        return key, Tokens(patches, np.ones(patches.shape, bool), positions, index, (count, 1, 1))


def together(samples):
    return Windows((), pack([tokens for _, tokens in samples], [key for key, _ in samples]))


def mishap(step):
    kind = os.environ.get("TOY_MISHAP")
    if kind == "wait":
        time.sleep(0.2)
    if step == FATAL and process.rank() == 1:
        if kind == "rank":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "stop":
            os.kill(os.getpid(), signal.SIGTERM)


def manifest():
    content = {
        "name": "toy", "spec": ReleaseSpec(name="toy"), "created": "2026-01-01T00:00:00Z", "tables": {},
        "members_sha256": "0" * 64, "counts": {}, "licences": {"toy": "a" * 64}, "policies": [], "train_models": True,
        "share_models": False, "export": False,
    }  # fmt: skip
    return ReleaseManifest.model_validate(content)


def exposure(config):
    volumes = [f"v{number}" for number in range(VOLUMES)]
    return lambda steps: exposed(volumes, config.seed, EqualSteps(config.batch_size).first(steps))


def main(path):
    process.die_with_parent()
    job = read(path)
    config = configuration(**job.config)

    def work(workspace, resume):
        torch.manual_seed(config.seed)
        module, served = Averager(), exposure(config)
        fitted = fit(module, Numbers(), together, config, workspace, tell, resume, exposure=served)
        about = {"kind": "pretrained", "identity": digest, "config": config.model_dump(mode="json")}
        made = Made(
            kind="pretrained", task="toy", weights=module.state_dict(), config=about, metrics=summary(workspace),
            volumes=served(config.steps), release=manifest(), release_sha256="1" * 64, parent=None, steps=config.steps,
            world_size=process.world_size(),
        )  # fmt: skip
        return Done(made, fitted.resumed_from)

    digest = identity("pretrain", config.recipe, "1" * 64, None)
    try:
        session(digest, job.out, tell, work, replace=job.replace, timeout_s=config.timeout_s)
    except Stopped:
        return EXIT_CODE
    except ValueError as error:
        tell({"event": "failed", "error": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
