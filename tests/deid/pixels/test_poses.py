"""A pose is undone without a pixel of difference, and lettering in any pose is found and covered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.pixels import burned_in
from deid.pixels.poses import POSES, Pose
from deid.text.identifiers import Identifiers
from imaging.phantom.glyphs import drawn

SIDE = 160


@given(st.booleans(), st.integers(0, 3), st.sampled_from([1, 2, 3]), st.integers(0, 5), st.integers(0, 6))
def test_a_box_of_a_pose_is_the_same_pixels_of_the_picture(mirrored, turns, step, top, left):
    pose = Pose(mirrored, turns, step)
    picture = np.arange(24 * 36, dtype=np.int16).reshape(1, 24, 36)
    box = (top, left, top + 2, left + 1)
    shown = Pose(mirrored, turns).shown(picture)[0]
    wanted = shown[top * step : (top + 2) * step, left * step : (left + 1) * step]
    first, second, third, fourth = pose.back(box, (24, 36))
    assert sorted(picture[0, first:third, second:fourth].ravel()) == sorted(wanted.ravel())


def test_a_step_keeps_the_mean():
    assert Pose(step=2).shown(np.array([[[0, 4, 9], [4, 8, 9], [9, 9, 9]]], np.int16)).tolist() == [[[4]]]


def series(word):
    """Noise over which a word stands in every frame."""
    noise = np.random.default_rng(4).normal(60, 12, (5, SIDE, SIDE)).clip(0)
    return np.where(word, 900, noise).astype(np.uint16)


def ink(scale=2):
    word = np.zeros((SIDE, SIDE), bool)
    made = drawn("QUENNELBY 7731", scale) > 0
    word[20 : 20 + made.shape[0], 20 : 20 + made.shape[1]] = made[:, : SIDE - 20]
    return word


@pytest.mark.parametrize("pose", [POSES[0], POSES[1], POSES[3]], ids=str)
def test_turned_and_mirrored_words_are_covered(pose):
    word = pose.shown(ink()[None].astype(np.int16))[0] > 0
    found = burned_in.inspect(series(word), frozenset(), Identifiers())
    assert found.verdict == "text"
    left = burned_in.blank(series(word), found, 0)[:, word] == 900
    assert left.mean() < 0.05


def test_no_word_no_box():
    assert burned_in.inspect(series(np.zeros((SIDE, SIDE), bool)), frozenset(), Identifiers()).verdict == "clean"
