"""Canaries stay in the cage under every shipped policy, and a cage with a hole is noticed."""

from dataclasses import replace

import pytest

from deid.headers.elements import parse
from deid.proof import canary
from deid.proof.residual import Scanner

KEY = b"k" * 32


@pytest.mark.parametrize("policy", ["safe_harbor", "expert_determination", "limited_data_set"])
def test_no_canary_gets_out_of_a_shipped_policy(deidentifiers, policy):
    recall = canary.released(deidentifiers[policy], KEY)
    assert recall.complete, recall.missed
    assert recall.planted == canary.planted(deidentifiers[policy].policy.dates, KEY) > 90


def test_the_same_key_makes_the_same_people_and_another_key_others():
    assert canary.people(KEY) == canary.people(KEY)
    assert not {p.family for p in canary.people(KEY)} & {p.family for p in canary.people(b"l" * 32)}


def test_every_value_is_there_before_it_is_taken_out():
    for person in canary.people(KEY):
        for pair in person.pairs():
            places = [where for where, data in canary.planted_files(person) if Scanner([pair]).scan(data, where)]
            assert places, pair[0]
            assert parse(canary.planted_files(person)[0][1]).dataset.elements


class Leaking:
    """A de-identifier that forgets one kind of thing."""

    def __init__(self, real, leak):
        self._real, self._leak, self.policy = real, leak, real.policy

    def clean(self, data, subject, identifiers):
        cleaned = self._real.clean(data, subject, identifiers)
        person = next(p for p in canary.people(KEY) if p.mrn.encode() in data)
        value = getattr(person, self._leak)
        return replace_data(cleaned, cleaned.data + f" {value} ".encode())


def replace_data(cleaned, data):
    class Output:
        pass

    output = Output()
    output.data = data
    return output


@pytest.mark.parametrize(
    ("leak", "kind"),
    [("mrn", "id"), ("family", "name"), ("phone", "phone"), ("street", "address"), ("hospital", "institution")],
)
def test_one_value_that_gets_out_is_noticed_and_never_quoted(deidentifiers, leak, kind):
    recall = canary.released(Leaking(deidentifiers["safe_harbor"], leak), KEY)
    assert not recall.complete
    assert recall.removed < recall.planted
    assert {missed.split(" in ")[0] for missed in recall.missed} == {kind}
    values = {getattr(person, leak).lower() for person in canary.people(KEY)}
    assert not [value for value in values if value in repr(recall).lower()]


def test_a_recall_is_complete_only_if_all_was_removed():
    recall = canary.Recall(3, 3)
    assert recall.complete
    assert not replace(recall, removed=2).complete
