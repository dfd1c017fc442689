"""Windows of prediction cover a volume, are no larger than asked for, and what they say comes back to where it was."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from training.config.presets import configured, load_preset, preset_names
from training.tasks.sliding import Scan, blended

SHAPES = st.tuples(*[st.integers(3, 30)] * 3)


class Double(nn.Module):
    """Says of each voxel twice what it is, and remembers the windows that it was shown."""

    def __init__(self):
        super().__init__()
        self.factor, self.seen = nn.Parameter(torch.tensor(2.0)), []

    def forward(self, windows):
        self.seen += [image.shape for image in windows.images]
        return [self.factor * image[None] for image in windows.images]


def scan_of(values):
    row = {
        "volume": "v", "shape": list(values.shape), "spacing": [1.0, 2.0, 0.5], "slope": 1.0, "intercept": 0.0,
        "percentiles": [-1.0] * 7 + [1.0, 1.0], "occupancy": b"", "missing_slices": [], "missing_axis": 2,
    }  # fmt: skip
    return Scan.of(values.astype(np.float32), row)


@settings(max_examples=20, deadline=None)
@given(SHAPES, st.floats(0, 0.75))
def test_windows_together_say_of_each_voxel_what_one_of_them_says(shape, overlap):
    values = np.random.default_rng(0).uniform(-1, 1, shape)
    network = Double()
    config = configured("tiny", "finetune", {"precision": "32", "window_mm": (12, 20, 6)})
    found = blended(network, scan_of(values), config, overlap)
    np.testing.assert_allclose(found[0], 2 * values, atol=1e-4)
    assert {tuple(seen) for seen in network.seen} == {tuple(np.minimum(shape, (12, 10, 12)))}


def test_a_preset_whose_network_normalizes_over_a_window_predicts_in_windows_as_it_was_trained():
    recipes = [load_preset(name).finetune for name in preset_names()]
    convolutional = [recipe for recipe in recipes if recipe.model.encoder == "resenc"]
    assert convolutional
    assert all(recipe.window_mm == recipe.crop_mm for recipe in convolutional)
