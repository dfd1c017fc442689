"""A fast scan is what physics says it is, and a restored volume lies on the voxels of what came."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.document import DocumentError
from training.data.batch import Windows
from training.data.degradation import lines, rician, undersampled
from training.data.tokens import Key
from training.errors import TrainingError
from training.evaluation.inference import open_model, predict
from training.finetune import finetune
from training.tasks.task import make_task


def test_noise_without_signal_is_rayleigh_and_adds_its_variance_to_the_square_of_a_signal():
    draw, sigma = np.random.default_rng(0), 0.3
    nothing = rician(np.zeros((40, 40, 40), np.float32), sigma, draw)
    assert nothing.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)
    signal = rician(np.ones((40, 40, 40), np.float32), sigma, draw)
    assert np.square(signal).mean() == pytest.approx(1 + 2 * sigma**2, rel=0.02)


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 200), st.floats(1, 8), st.floats(0.02, 0.5), st.floats(0.5, 1), st.integers(0, 2**32 - 1))
def test_the_middle_of_k_space_is_always_measured_and_never_more_than_asked_for(count, factor, centre, partial, seed):
    kept = lines(count, factor, centre, partial, np.random.default_rng(seed))
    assert kept[count // 2]
    assert not kept[: int((1 - partial) * count)].any()
    assert kept.sum() <= count / factor + centre * count + 2
    assert kept.sum() >= partial * count / factor - 1


def test_every_line_measured_gives_the_image_back_and_every_second_one_folds_it():
    image = np.random.default_rng(1).random((6, 16, 5)).astype(np.float32)
    whole = lines(16, 1.0, 0.1, 1.0, np.random.default_rng(0))
    assert whole.all()
    np.testing.assert_allclose(undersampled(image, 1, whole), image, atol=1e-5)
    second = np.arange(16) % 2 == 0
    folded = undersampled(image, 1, second)
    np.testing.assert_allclose(folded, (image + np.roll(image, 8, 1)) / 2, atol=1e-5)


@pytest.fixture(scope="module")
def made(tmp_path_factory, release, settings):
    """A model that restores, and what it was told while it learned."""
    events = []
    config = settings(
        "restoration", {"noise": (0.05, 0.2)}, network="restorer", crop_mm=(64, 64, 80), steps=24, learning_rate=2e-3
    )
    out = tmp_path_factory.mktemp("restoring") / "restored"
    finetune(config, release, out, events.append)
    return out, [event["loss"] for event in events if event["event"] == "step"]


def test_it_learns_and_what_it_gives_is_nearer_to_the_truth_than_what_came(made, release):
    out, losses = made
    assert np.mean(losses[-8:]) < np.mean(losses[:8])
    (member, *_) = release.members("validation")
    stored, row = release.images.arrays[member.volume], release.images.facts[member.volume]
    noisy = rician(stored.astype(np.float32), 0.15 * row["percentiles"][7], np.random.default_rng(5))
    found = predict(open_model(out), noisy, row | {"missing_slices": [2], "missing_axis": 2})
    assert found.shape == stored.shape
    assert np.abs(found - stored).mean() < np.abs(noisy - stored).mean()
    np.testing.assert_array_equal(found[:, :, 2], noisy[:, :, 2], "nothing is made up where nothing was measured")


def test_what_is_made_of_a_mirror_image_is_the_mirror_image(settings):
    torch.manual_seed(0)
    network = make_task(settings("restoration", network="restorer")).network({}).eval()
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    image = torch.randn(9, 10, 12)
    plain = make_task(settings("restoration", {"mirror": False}, network="restorer")).network({}).eval()
    plain.load_state_dict(network.state_dict())
    for axis in range(3):
        windows = [Windows((view,), None) for view in (image, image.flip(axis))]
        found, turned = (network(w)[0].flip(axis + 1) if n else network(w)[0] for n, w in enumerate(windows))
        torch.testing.assert_close(found, turned, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(plain(windows[0])[0], plain(windows[1])[0].flip(axis + 1), atol=1e-3)


def test_a_quiet_window_counts_as_much_as_a_noisy_one(settings):
    class Nothing(torch.nn.Module):
        def forward(self, windows):
            return [torch.zeros(1, *image.shape) for image in windows.images]

    task = make_task(settings("restoration", network="restorer"))
    image = torch.randn(8, 8, 8)
    tokens = SimpleNamespace(lengths=(1, 1, 1))
    losses = [
        task.learner(Nothing(), {})(Windows((image,) * 3, tokens, tuple(image + off for off in offs))).losses
        for offs in ((0.1, 0.2, 1.0), (0.05, 0.1, 0.5))
    ]
    # half the distance is worth the same wherever it is had: 6 dB
    torch.testing.assert_close(losses[0] - losses[1], torch.full((3,), 2 * np.log(2)), atol=1e-3, rtol=0)


def test_a_sample_is_a_function_of_its_key_and_shows_one_place(release, settings):
    served = make_task(settings("restoration", {"noise": (0, 0.01)}, network="restorer")).serve(release)
    one, other = (served.collate([served.dataset[Key(2, slot)] for slot in range(2)]) for _ in range(2))
    assert torch.equal(one.images[0], other.images[0])
    assert one.labels[0].shape == one.images[0].shape
    assert (one.images[0] - one.labels[0]).abs().mean() < 0.1
    undersampling = {"noise": (0, 0), "acceleration": (2, 3), "partial": (0.6, 0.9), "phase_axis": "y"}
    fast = make_task(settings("restoration", undersampling, network="restorer")).serve(release)
    folded = fast.collate([fast.dataset[Key(2, 0)]])
    assert folded.images[0].shape == one.images[0].shape
    assert (folded.images[0] - folded.labels[0]).abs().mean() > 0.1


def test_the_encoder_can_restore_too(release, settings):
    task = make_task(settings("restoration"))
    served = task.serve(release)
    windows = served.collate([served.dataset[Key(0, 0)]])
    outcome = task.learner(task.network(served.about), served.about)(windows)
    outcome.losses.sum().backward()
    assert torch.isfinite(outcome.losses).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"noise": (0, 0)}, "nothing that a fast scan does"),
        ({"noise": (0.2, 0.1)}, "noise: found no range"),
        ({"partial": (0.2, 1)}, "partial: found no range"),
        ({"acceleration": (0.5, 2)}, "acceleration: found no range"),
    ],
)
def test_scans_that_cannot_be_are_refused(settings, options, said):
    with pytest.raises(DocumentError, match=said):
        make_task(settings("restoration", options))


def test_images_that_are_no_magnitudes_are_skipped_or_refused(build_release, settings):
    release = build_release(train=2, validation=0, contrasts=("T1",))
    first, second = sorted(release.images.facts)
    release.images.facts[first]["part"] = "phase"
    task = make_task(settings("restoration"))
    assert task.serve(release).skipped == {first: "not a magnitude image"}
    release.images.facts[second]["part"] = "real"
    with pytest.raises(TrainingError, match="no magnitude image among 2"):
        task.serve(release)
