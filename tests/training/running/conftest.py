"""The small training of `toy`, in this process."""

import pytest
import torch

from tests.training.running import toy
from training.running.fit import fit
from training.running.workspace import Workspace


@pytest.fixture
def config():
    """Makes the configuration of a small training."""
    return toy.configuration


@pytest.fixture
def train(tmp_path):
    """Trains the small module, from a resumable checkpoint where one is given."""

    def run(config, *, name="m", module=None, resume=None, report=lambda _event: None, dataset=None, **more):
        workspace = Workspace.beside(tmp_path / name)
        workspace.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        module = module or toy.Averager()
        fit(module, dataset or toy.Numbers(), toy.together, config, workspace, report, resume, **more)
        return module, workspace

    return run
