"""Slices come in the order that scanners state for volumes, wherever they state it."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imaging.headers.header import Header
from imaging.headers.philips import PhilipsNumbers
from imaging.volumes.numbering import stated_order
from imaging.volumes.steps import steps_of

DEPTH = 4


def slices(steps, number, **fixed):
    """Headers of `steps` volumes of four slices, and their places; `number` gives what a slice has of its own."""
    made = [Header(**fixed | number(step, k)) for step in range(steps) for k in range(DEPTH)]
    return made, np.tile(np.arange(DEPTH), steps)


def in_steps(headers, places):
    labels = steps_of(headers, places)
    assert labels is not None
    return labels.reshape(-1, DEPTH)


@given(st.permutations(range(48)))
def test_labelled_images_of_philips_come_by_repeat_label_and_phase(numbers):
    kinds = [(repeat, label, phase) for repeat in (1, 2) for label in ("CONTROL", "LABEL") for phase in (1, 2, 3)]

    def number(step, k):
        repeat, label, phase = kinds[step]
        return {
            "temporal_position": repeat,
            "philips": PhilipsNumbers(release=5, label=label, phase=phase),
            "instance_number": numbers[step * DEPTH + k] + 1,
        }

    headers, places = slices(len(kinds), number)
    assume(stated_order(headers, places) is not None)
    labels = in_steps(headers, places)
    assert labels.tolist() == [[step] * DEPTH for step in range(len(kinds))]


@pytest.mark.parametrize(("release", "expected"), [(5, [0, 2, 1, 3]), (11, [0, 1, 2, 3])])
def test_the_order_of_acquisition_of_weightings_counts_up_to_release_10(release, expected):
    order, numbers = [1, 3, 2, 4], [(1, 1), (2, 2), (2, 3), (3, 1)]
    scrambled = np.random.default_rng(0).permutation(len(order) * DEPTH).tolist()

    def number(step, k):
        b_value, direction = numbers[step]
        stated = PhilipsNumbers(release=release, order=order[step], b_value=b_value, direction=direction)
        return {"philips": stated, "instance_number": scrambled[step * DEPTH + k] + 1}

    assert in_steps(*slices(len(order), number))[:, 0].tolist() == expected


def test_instance_numbers_that_go_through_the_stack_count_more_than_philips_own():
    def number(step, k):
        return {"philips": PhilipsNumbers(release=5, order=3 - step), "instance_number": step * DEPTH + k + 1}

    headers, places = slices(3, number)
    assert stated_order(headers, places) is None
    assert in_steps(headers, places)[:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [
        (lambda label, time, k: (1, k + 1, time, label), [0, 1, 2, 3]),
        (lambda label, time, k: (label, time, 1, k + 1), [0, 1, 2, 3]),
        (lambda label, time, k: (1, k + 1, label, time), [0, 2, 1, 3]),
    ],
    ids=["the last counts most", "the position is last", "the time counts most"],
)
def test_dimensions_of_frames_count_from_the_position_outwards(dimensions, expected):
    kinds = [(1, 1), (1, 2), (2, 1), (2, 2)]

    def number(step, k):
        return {"dimension_index": tuple(map(float, dimensions(*kinds[step], k)))}

    headers, places = slices(len(kinds), number, instance_number=1, sop_uid="1.2")
    assert in_steps(headers, places)[:, 0].tolist() == expected


def test_frames_without_differing_dimensions_come_as_they_lie():
    headers, places = slices(3, lambda step, k: {"dimension_index": (1.0, k + 1.0)}, instance_number=1, sop_uid="1.2")
    assert in_steps(headers, places)[:, 0].tolist() == [0, 1, 2]
