"""Steps by tokens: nothing is left out, no process gets more than it can hold, ranks and restarts change nothing."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.document import DocumentError
from training.config.presets import configured
from training.data.order import EndlessSampler, exposed, served
from training.data.packing import PackedSteps, costs, limits, shared_out
from training.data.source import usable
from training.data.views import WHOLE, View
from training.data.windows import WindowDataset
from training.errors import TrainingError
from training.objectives.masked import DrawMask

COSTS = st.lists(st.integers(1, 400), min_size=1, max_size=12)
STEPS = st.builds(PackedSteps, COSTS, st.integers(0, 3), st.integers(1, 900), st.integers(1, 4))


def served_by(steps, number, world=1):
    """Positions that each process serves in a step."""
    return [[steps.first(k.step) + k.slot for k in steps.keys(number, rank, world)] for rank in range(world)]


def cost(steps, position):
    return steps._costs[served(len(steps._costs), steps._seed, position)]


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_steps_follow_one_another_without_a_gap_so_every_item_is_served_once_an_epoch(steps):
    seen = [p for number in range(12) for part in served_by(steps, number) for p in part]
    assert seen == list(range(steps.first(12)))
    count = len(steps._costs)
    first_epoch = [served(count, steps._seed, p) for p in seen[:count]]
    assert len(set(first_epoch)) == len(first_epoch)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_no_process_exceeds_the_budget_but_for_a_sample_that_alone_does(steps):
    for number in range(8):
        for part in served_by(steps, number, steps._ranks):
            assert len(part) == 1 or sum(cost(steps, p) for p in part) <= steps._budget


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_a_step_ends_only_where_the_next_sample_would_not_fit(steps):
    for number in range(6):
        total = sum(cost(steps, p) for p in range(steps.first(number), steps.first(number + 1)))
        room = steps._ranks * steps._budget
        assert total + steps._ranks * max(steps._costs) > room


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 4), st.integers(0, 6))
def test_another_number_of_processes_and_a_restart_change_neither_steps_nor_order(steps, world, start):
    again = pickle.loads(pickle.dumps(steps))
    for number in range(start, start + 3):
        alone = served_by(steps, number)[0]
        if len(alone) >= world:
            assert sorted(itertools.chain(*served_by(again, number, world))) == alone
    resumed = list(itertools.islice(iter(EndlessSampler(again, start)), 3))
    assert resumed == list(itertools.islice(iter(EndlessSampler(steps)), start + 3))[start:]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.integers(1, 8))
def test_parts_differ_by_no_more_than_the_largest_sample(tokens, count):
    parts = shared_out(tokens, count)
    assert sorted(itertools.chain(*parts)) == list(range(len(tokens)))
    loads = [sum(tokens[i] for i in part) for part in parts]
    assert max(loads) - min(loads) <= max(tokens)
    assert all(parts) or len(tokens) < count


def test_a_process_without_a_sample_is_refused_and_not_left_waiting():
    steps = PackedSteps([1000], 0, 100, 1)
    with pytest.raises(TrainingError, match="a step of 1 samples for 2 processes"):
        EndlessSampler(steps, world_size=2)


def test_steps_of_one_body_part_and_steps_by_tokens_are_not_asked_for_at_once():
    both = {"tokens_per_rank": 4000, "objective": "contrastive", "contrastive": {"by_region": True}}
    with pytest.raises(DocumentError, match=r"contrastive\.by_region: found it with tokens_per_rank"):
        configured("tiny", "pretrain", both)
    assert configured("tiny", "pretrain", both | {"contrastive": {"by_region": False}}).tokens_per_rank == 4000


@settings(max_examples=30, deadline=None)
@given(STEPS, st.integers(0, 10))
def test_exposures_are_those_of_what_was_served(steps, number):
    items = [f"v{i}" for i in range(len(steps._costs))]
    seen = [items[served(len(items), steps._seed, p)] for n in range(number) for p in served_by(steps, n)[0]]
    assert exposed(items, steps._seed, steps.first(number)) == {item: seen.count(item) for item in sorted(set(seen))}


@pytest.mark.parametrize("views", [WHOLE, (View("global", 2, (0.5, 1.0)), View("local", 3, (0.2, 0.4)))])
def test_served_tokens_stay_within_the_budget_that_was_planned_without_voxels(build_release, views):
    release = build_release(train=4, validation=0, contrasts=("T1",))
    config = configured("tiny", "pretrain", {"crop_mm": (90, 120, 80)})
    facts, _ = usable(release.images, sorted(release.images.facts))
    most = limits(facts, config.model, config.crop_mm, views)
    taken = costs(most, views)
    steps = PackedSteps(taken, 0, int(1.5 * taken.max()), 2)
    dataset = WindowDataset(
        release.images, facts, config.model, config.crop_mm, 0, 1, DrawMask(0.6), views, steps=steps, limits=most
    )
    fills = []
    for number, rank in itertools.product(range(4), range(2)):
        samples = [dataset[key] for key in steps.keys(number, rank, 2)]
        tokens = sum(len(cut.plan) for sample in samples for cut in sample.cuts)
        assert tokens <= 1.5 * taken.max()
        fills.append(tokens / sum(taken[served(4, 0, steps.first(s.key.step) + s.key.slot)] for s in samples))
    assert 0.2 < np.mean(fills) <= 1, "what is planned is near to what is served"
