"""How often files will be used in ways that nobody announces, judged by the record of those that are used together.

Belongs here: from what a morning knows to rates. What is announced is not estimated, and what follows from rates is
`lake.tiering.expectation`.
"""

import numpy as np
from numpy.typing import NDArray

from lake.tiering.fleet import Fleet, Floats
from lake.tiering.state import Record, State
from schemas.tiering import TieringPolicy

_COMMON_USES, _COMMON_DAYS = 0.5, 365.0
"""What is assumed of a table's files before any use was seen: one in two years for each."""


def rates(fleet: Fleet, state: State, policy: TieringPolicy) -> tuple[Floats, Floats]:
    """Single reads, and trainings, a day that are expected of each group beyond those that are announced.

    Each is the mean of a gamma distribution: the common rate of the group's table, times how much more or less than
    others its batch was used. What only older versions need is not read.
    """
    return (
        _rate(state.reads, fleet, state, policy.prior_days),
        _rate(state.trainings, fleet, state, policy.training_prior_days),
    )


def _rate(seen: Record, fleet: Fleet, state: State, prior_days: int) -> Floats:
    live = state.there & (fleet.spare > state.day)
    one = _witness(fleet, live, state.watched)
    usual = _common(seen.shared, state.watched * one, fleet) * one
    prior, expected, found = (
        np.bincount(fleet.batch, each)
        for each in (prior_days * usual * live, state.watched * usual, seen.shared)
    )  # fmt: skip
    more = (prior + found) / np.maximum(prior + expected, np.finfo(float).tiny)
    return np.where(live, _common(seen.each, state.watched, fleet) * more[fleet.batch], 0.0)


def _common(seen: Floats, watched: Floats, fleet: Fleet) -> Floats:
    """Uses a day of the table of each group, in all batches."""
    uses, days = (np.bincount(fleet.table, each, len(fleet.tables)) for each in (seen, watched))
    found: Floats = (uses + _COMMON_USES) / (days + _COMMON_DAYS)
    return found[fleet.table]


def _witness(fleet: Fleet, live: NDArray[np.bool_], watched: Floats) -> Floats:
    """What each group counts for, so that files of one table and batch, read together, bear witness once."""
    _, lot = np.unique(fleet.batch * len(fleet.tables) + fleet.table, return_inverse=True)
    there = np.bincount(lot, live)
    found: Floats = 1 / np.maximum(np.where(there > 0, there, np.bincount(lot, watched > 0)), 1)[lot]
    return found
