"""Compressed sets say exactly what was served, however it was counted, in whatever order, by however many processes."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.exposures.sets import counted, epoch, epochs, members, packed, passes, passes_of, seen, unpacked

NUMBERS = st.integers(0, 200_000)
COUNTS = st.dictionaries(NUMBERS, st.integers(0, 6), max_size=60)


def _told(of):
    return dict(zip(*(values.tolist() for values in counted(of)), strict=True))


@given(COUNTS)
def test_counts_come_back_as_they_went_in(counts):
    served = {number: count for number, count in counts.items() if count}
    assert _told(passes(counts)) == served
    assert set(members(seen(passes(counts))).tolist()) == set(served)


@given(st.lists(NUMBERS, max_size=80), st.integers(1, 5), st.randoms(use_true_random=False))
def test_neither_ranks_nor_order_nor_interruptions_change_the_sets(stream, ranks, random):
    whole = [packed(each.volumes) for each in passes(Counter(stream))]
    shuffled = list(stream)
    random.shuffle(shuffled)
    merged = Counter()
    for rank in range(ranks):
        merged.update(Counter(shuffled[rank::ranks]))
    assert [packed(each.volumes) for each in passes(merged)] == whole
    assert [each.times for each in passes(merged)] == [each.times for each in passes(Counter(stream))]


@given(st.sets(NUMBERS, min_size=1, max_size=40), st.integers(0, 4), st.data())
def test_an_order_without_end_has_the_epochs_that_it_served(items, full, data):
    last = data.draw(st.sets(st.sampled_from(sorted(items))))
    served = [items] * full + ([last] if last else [])
    of = passes(Counter(number for each in served for number in each))
    assert epochs(of) == len(served)
    assert [set(epoch(of, number + 1)) for number in range(len(served))] == served
    assert not epoch(of, len(served) + 1)


@given(st.lists(st.sets(NUMBERS, min_size=1, max_size=20), max_size=6))
def test_known_epochs_are_kept_one_by_one(served):
    of = passes_of(served)
    assert [set(epoch(of, number + 1)) for number in range(len(served))] == served
    assert _told(of) == dict(Counter(number for each in served for number in each))


@given(st.sets(NUMBERS, max_size=300))
def test_a_set_has_one_text_and_comes_back(numbers):
    (one,) = passes(dict.fromkeys(numbers, 1)) or [None]
    if one is None:
        return
    digest, data = packed(one.volumes)
    assert unpacked(data) == one.volumes
    assert (digest, data) == packed(seen([one]))


def test_many_epochs_of_many_volumes_are_small():
    numbers = np.arange(200_000)
    counts = dict(zip(numbers.tolist(), (100 + numbers % 2).tolist(), strict=True))
    assert sum(len(packed(each.volumes)[1]) for each in passes(counts)) < 60_000
