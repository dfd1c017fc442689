"""What will be read unannounced is judged by what was, of the whole batch, and nothing is counted that nobody needs."""

import numpy as np
import pytest

from lake.tiering.fleet import Fleet, Uses
from lake.tiering.rates import rates
from lake.tiering.rules import policy
from lake.tiering.state import morning, walk


def lake(**facts):
    """Five batches of four files, a year old."""
    return Fleet.of(np.full(20, 1e9), born=-365, held=365, batch=np.repeat(np.arange(5), 4), **facts)


def reads(groups, days, known=1):
    group, day = np.repeat(groups, len(days)), np.tile(days, len(groups))
    return Uses(group, day, np.ones(len(group)), np.full(len(group), 1e9), day + known)


def judged(book, fleet, uses):
    return rates(fleet, morning(fleet, uses), policy("foresight", book))


def test_a_file_is_expected_to_be_read_as_its_batch_was(book):
    found, _ = judged(book, lake(), reads([0], [-30, -90, -150]))
    assert found[:4] == pytest.approx(np.full(4, found[0]))
    assert found[0] > 5 * found[4]
    assert found[4] > 0


def test_files_that_are_read_together_bear_witness_once(book):
    alone = judged(book, lake(), reads([0], [-30, -90]))[0]
    together = judged(book, lake(), reads(np.arange(4), [-30, -90]))[0]
    assert alone[0] / alone[4] == pytest.approx(together[0] / together[4])
    assert together[0] > alone[0]


def test_announced_trainings_are_not_single_reads_and_old_plans_are_no_news(book):
    single, trainings = judged(book, lake(), reads(np.arange(4), [-30, -29, -28], known=-2))
    assert single[0] == single[4]
    assert trainings[0] > trainings[4] > 0
    _, planned = judged(book, lake(), reads(np.arange(4), [-30, -29, -28], known=-300))
    assert planned[0] == planned[4]


def test_what_only_older_versions_need_is_not_read(book):
    spare = np.full(20, 1 << 30)
    spare[:4] = -5
    found, trainings = judged(book, lake(spare=spare), reads(np.arange(8), [-30, -90]))
    assert (found[:4] == 0).all()
    assert (trainings[:4] == 0).all()
    assert (found[4:] > 0).all()


def test_the_record_of_a_walk_is_that_of_a_morning_after_it(book):
    fleet, uses = lake(), reads([0, 1, 9], [2, 20, 35])
    seen = []

    def look(state):
        seen.append(rates(fleet, state, policy("foresight", book))[0])
        return state.now

    walk(fleet, uses, 41, look)
    later = Fleet.of(np.full(20, 1e9), born=-405, held=405, batch=np.repeat(np.arange(5), 4))
    found, _ = judged(book, later, reads([0, 1, 9], [-38, -20, -5]))
    assert seen[40] == pytest.approx(found, rel=0.3)
    assert (np.argsort(seen[40]) == np.argsort(found)).all()
