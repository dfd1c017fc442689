"""One proof speaks for all events of a period: it holds for them, and for nothing else."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.evidence.period import PeriodProof, prove
from lineage.ledger import merkle
from lineage.ledger.merkle import ProofError


def sealed(size):
    events = [f"event {n}".encode() for n in range(size)]
    leaves = [merkle.leaf_hash(event) for event in events]
    return events, leaves, SimpleNamespace(size=size, root=merkle.root(leaves).hex(), name="00000001.json")


@st.composite
def periods(draw):
    size = draw(st.integers(1, 70))
    first = draw(st.integers(0, size))
    return size, first, draw(st.integers(first, size)), draw(st.integers(0, size))


@settings(max_examples=150, deadline=None)
@given(periods(), st.data())
def test_the_events_of_a_period_hold_and_any_other_events_do_not(period, data):
    size, first, until, moment = period
    events, leaves, seal = sealed(size)
    proof = PeriodProof.parse(prove(leaves, first, until, moment, seal).data)
    wanted = events[first:until]
    proof.check(wanted, seal)
    assert proof.moment_root == merkle.root(leaves[:moment]).hex()
    if not wanted:
        return
    place = data.draw(st.integers(0, len(wanted) - 1))
    changed = [*wanted[:place], wanted[place] + b"!", *wanted[place + 1 :]]
    for other in (changed, wanted[:-1], [*wanted, b"more"], wanted[::-1] if len(wanted) > 1 else changed):
        with pytest.raises(ProofError):
            proof.check(other, seal)


@settings(max_examples=100, deadline=None)
@given(periods(), st.data())
def test_a_proof_with_another_byte_is_no_proof_or_does_not_hold(period, data):
    size, first, until, moment = period
    events, leaves, seal = sealed(size)
    raw = bytearray(prove(leaves, first, until, moment, seal).data)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 127))
    with pytest.raises(ProofError):
        PeriodProof.parse(bytes(raw)).check(events[first:until], seal)


def test_a_seal_that_covers_too_little_proves_nothing():
    _, leaves, seal = sealed(5)
    with pytest.raises(ProofError):
        prove(leaves, 0, 6, 5, seal)
