"""A data set gives the same sample at the same place, in any process and any order."""

import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lake.voxels.dataset import Crops
from lake.voxels.volumes import Volumes
from schemas.tables import LABELS
from tests import synthetic
from tests.lake.conftest import labelled

SHAPE = (32, 16, 40)


@pytest.fixture
def arrays(lake):
    return labelled(lake, "a", ["l0", "l1", "l2"]) | labelled(lake, "b", ["l3"], seed=1)


@pytest.fixture
def crops(lake, arrays):
    return Crops(Volumes(lake, LABELS), SHAPE, seed=7)


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_a_sample_is_the_crop_that_it_says(crops, arrays):
    assert len(crops) == 4
    for sample in (crops[index] for index in range(4)):
        window = tuple(slice(s, s + n) for s, n in zip(sample["start"], sample["size"], strict=True))
        voxels = arrays[sample["volume"]][window]
        assert sample["voxels"].shape == SHAPE
        np.testing.assert_array_equal(sample["voxels"][tuple(slice(n) for n in voxels.shape)], voxels)
        # the volume has 33 voxels along z: the rest is padding
        assert sample["size"].tolist() == [32, 16, 33]
        assert not sample["voxels"][:, :, 33:].any()


def test_crops_change_with_epoch_seed_and_index_and_with_nothing_else(crops):
    starts = {tuple(c[index]["start"]) for c in (crops, crops.at_epoch(1)) for index in range(4)}
    starts |= {tuple(Crops(crops.volumes, SHAPE, seed=8)[0]["start"])}
    assert len(starts) > 5
    backwards = [crops[index] for index in (3, 2, 1, 0)][::-1]
    for index in range(4):
        same(crops[index], backwards[index])
    same(crops.at_epoch(1).at_epoch(0)[2], crops[2])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_give_the_same_samples(crops, start):
    crops[0]  # files are open before the fork
    with multiprocessing.get_context(start).Pool(3) as pool:
        for index, sample in enumerate(pool.map(crops.__getitem__, range(4), chunksize=1)):
            same(sample, crops[index])


def test_workers_read_the_version_that_was_opened(lake, crops):
    sent = pickle.dumps(crops)
    labelled(lake, "a", ["l0"], seed=9)
    for index in range(4):
        same(pickle.loads(sent)[index], crops[index])


def test_whole_volumes_a_choice_and_a_transform(crops, arrays):
    whole = Crops(crops.volumes, None, ids=["l3", "l0"], transform=lambda sample: sample["voxels"])
    assert len(whole) == 2
    np.testing.assert_array_equal(whole[0], arrays["l3"])
    np.testing.assert_array_equal(whole[-1], arrays["l0"])


def test_a_volume_of_four_axes_gives_a_random_step_or_several(lake):
    synthetic.fill(lake, {"a": ["S1"]}, contrasts=("DWI",))
    volumes = Volumes(lake)
    (name,) = volumes.ids
    array = volumes.array(name)
    seen = set()
    for epoch in range(20):
        sample = Crops(volumes, synthetic.SHAPE, epoch=epoch)[0]
        np.testing.assert_array_equal(sample["voxels"], array[..., sample["start"][3]])
        seen.add(int(sample["start"][3]))
    assert seen == {0, 1, 2}
    assert Crops(volumes, (4, 4, 4, 2))[0]["voxels"].shape == (4, 4, 4, 2)


def test_what_cannot_be_served_is_refused(crops):
    with pytest.raises(IndexError, match="index 4, needed one below 4"):
        crops[4]
    with pytest.raises(ValueError, match="3 or 4 numbers above 0"):
        Crops(crops.volumes, (4, 0, 4))
    with pytest.raises(ValueError, match="3 axes, needed 4"):
        Crops(crops.volumes, (4, 4, 4, 2))[0]


LOADER = """
import sys
import numpy as np
import lake
from lake.zones import Lake
from schemas.tables import LABELS

if __name__ == "__main__":
    from torch.utils.data import DataLoader

    crops = lake.Crops(lake.Volumes(Lake.open(sys.argv[1]), LABELS), (8, 8, 8), seed=3)
    alone = np.stack([crops[index]["voxels"] for index in range(len(crops))])
    for start in ("fork", "spawn"):
        loader = DataLoader(crops, batch_size=2, num_workers=3, multiprocessing_context=start)
        np.testing.assert_array_equal(np.concatenate([batch["voxels"] for batch in loader]), alone)
"""


@pytest.mark.slow
def test_torch_loads_it_with_forked_and_with_spawned_workers(lake, arrays, tmp_path):
    script = tmp_path / "loader.py"
    script.write_text(LOADER)
    project = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, str(script), str(lake.settings.root)],
        env={"PYTHONPATH": str(project)},
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
