"""A task is one file and one entry: what a user writes trains, resumes, is kept and predicts like those that ship."""

import pkgutil
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import checkpoint
from training.data.order import exposure
from training.data.source import usable
from training.data.tokens import Key
from training.data.whole import WholeDataset, collate_whole
from training.errors import TrainingError
from training.evaluation.inference import answer, open_model
from training.finetune import finetune
from training.tasks import TASKS
from training.tasks import task as registry
from training.tasks.sliding import averaged
from training.tasks.task import NoOptions, Prediction, Served, Task, make_task


@dataclass(frozen=True)
class Losses:
    losses: Tensor
    computed: int


class MeanOfImage(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, windows):
        return torch.stack([image.mean() * self.scale for image in windows.images])


class Learner(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, windows):
        return Losses((self.network(windows)[:, 0] - 1).square(), 0)


class Brightness(Task[NoOptions]):
    """How bright a volume is."""

    answer = "facts"

    def serve(self, release):
        config = self.config
        facts, skipped = usable(release.volumes(), sorted(m.volume for m in release.members("train")))
        nothing = {f.volume: np.zeros(1) for f in facts}
        return Served(
            WholeDataset(release.volumes(), facts, nothing, config), collate_whole, ["all"],
            partial(exposure, [f.volume for f in facts], config.seed, config.batch_size), skipped, {"of": "mine"},
        )  # fmt: skip

    def network(self, about):
        assert about["of"] == "mine"
        return MeanOfImage()

    def learner(self, network, about):
        return Learner(network)

    def predict(self, network, about, scan, *, overlap):
        return Prediction(facts={"brightness": float(averaged(network, scan, self.config, overlap)[0])})


def test_a_task_of_one_s_own_trains_is_kept_and_predicts(release, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "TASKS", {"brightness": f"{__name__}:Brightness"})
    config = settings("brightness", network="mine")
    result = finetune(config, release, tmp_path / "mine", lambda _: None)
    assert sum(result.exposure.values()) == config.steps * config.batch_size
    assert checkpoint.load(tmp_path / "mine").config["of"] == "mine"
    (member, *_) = release.members("validation")
    said = answer(
        open_model(tmp_path / "mine"), release.images.arrays[member.volume], release.images.facts[member.volume]
    )
    assert np.isfinite(said.facts["brightness"])


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_is_where_its_name_says(name):
    assert issubclass(pkgutil.resolve_name(TASKS[name]), Task)


def test_a_rare_part_of_many_is_learned_by_its_name_and_a_value_without_one_is_refused(build_release, settings):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    scheme = '{"1": "Leber", "2": "肾脏", "300": "spinal cord, at risk", "4": "lesion"}'
    for name, array in release.maps.arrays.items():
        wide = array.astype(np.uint16)
        release.maps.arrays[name] = np.where(wide == 3, 300, np.where(wide == 5, 4, wide % 3))
        release.maps.facts[name] |= {"scheme": scheme}
    task = make_task(settings("segmentation"))
    served = task.serve(release)
    assert served.about["classes"][300] == "spinal cord, at risk"
    assert next(iter(served.about["classes"].values())) == "background"
    windows = served.collate([served.dataset[Key(0, slot)] for slot in range(4)])
    assert max(int(labels.max()) for labels in windows.labels) == 4, "values are places among the classes"
    name = sorted(release.maps.arrays)[0]
    release.maps.arrays[name] = np.where(release.maps.arrays[name] == 0, 77, release.maps.arrays[name])
    with pytest.raises(TrainingError, match=r"label values \[77\] that the scheme does not name"):
        [served.dataset[Key(step, 0)] for step in range(4)]
