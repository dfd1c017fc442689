"""Policies decide by what a day knows, keep to what is allowed, and foresight earns its name."""

import numpy as np
import pytest

from lake.tiering.charges import charges
from lake.tiering.comparison import OPTIMUM, RENTAL, STANDARD, compare, followed
from lake.tiering.fleet import NEVER, Fleet, Uses
from lake.tiering.plot import plot
from lake.tiering.rules import SHIPPED, policy
from schemas.document import DocumentError
from schemas.tiering import Rule, TieringPolicy, When


def number(book, name):
    return [kind.name for kind in book.classes].index(name)


def training(days, known, groups=4):
    """Every group is read five times on each of these days."""
    group = np.tile(np.arange(groups), len(days))
    day = np.repeat(np.array(days), groups)
    return Uses(group, day, np.full(len(group), 500.0), np.full(len(group), 5e9), np.full(len(group), known)).merged()


def test_foresight_is_warm_before_a_known_training_and_cold_after(book):
    fleet = Fleet.of(np.full(4, 1e9), born=-400, held=400)
    uses = training(range(200, 204), known=100)
    schedule = followed(policy("foresight", book), fleet, uses, charges(book, fleet), 365)
    cold = number(book, "S3 Glacier Instant Retrieval")
    assert (schedule[:, 50] == cold).all()
    assert not (schedule[:, 200:204] == cold).any()
    assert (schedule[:, 260] == cold).all()


def test_no_policy_sees_what_is_not_known_yet(book):
    fleet = Fleet.of(np.full(4, 1e9), born=-400, held=400, end=np.array([NEVER, 300, NEVER, 250]))
    sudden = training([150, 151, 152], known=150)
    for name in SHIPPED:
        calm = followed(policy(name, book), fleet, Uses.none(), charges(book, fleet), 250)
        surprised = followed(policy(name, book), fleet, sudden, charges(book, fleet), 250)
        assert (calm[:, :150] == surprised[:, :150]).all(), name


def test_only_spare_files_are_archived_and_only_while_they_are(book):
    fleet = Fleet.of(np.full(3, 1e9), born=-400, held=400, spare=np.array([NEVER, 0, 120]))
    archives = [n for n, kind in enumerate(book.classes) if not kind.immediate]
    for name in SHIPPED:
        schedule = followed(policy(name, book), fleet, Uses.none(), charges(book, fleet), 365)
        assert not np.isin(schedule[0], archives).any()
        assert not np.isin(schedule[2, :120], archives).any()
        assert np.isin(schedule[1, -1], archives), name


def test_rules_hold_a_minimum_duration_unless_a_use_is_known(book):
    fleet = Fleet.of(np.full(4, 1e9), born=-400, held=400)
    cold = Rule(name="cold", when=When(idle_days=5), tier="S3 Glacier Instant Retrieval")
    rules = TieringPolicy(name="quick", title="t", rules=[cold])
    read = Uses(np.arange(4), np.full(4, 20), np.ones(4), np.full(4, 1e9), np.full(4, 21))
    held = followed(rules, fleet, read, charges(book, fleet), 60)
    assert (held == number(book, cold.tier)).all()
    hasty = followed(rules.model_copy(update={"hold_minimum": False}), fleet, read, charges(book, fleet), 60)
    assert (hasty[:, 21:25] == 0).all()


def test_on_a_simulated_year_foresight_is_near_the_optimum_and_half_of_standard(book):
    from benchmarks.tiers import SCENARIOS, simulate

    hospital = SCENARIOS[0]
    fleet, uses = simulate(hospital, 11)
    rows = np.arange(0, len(fleet), 4)
    found = compare(fleet.take(rows), uses.of(rows, len(fleet)), book, [policy("foresight", book)], 365)
    assert found.ratio("foresight", OPTIMUM) <= 1.1
    assert found.ratio("foresight", STANDARD) <= 0.5
    assert found.ratio("foresight", RENTAL) < 1
    assert plot(found).startswith(b"\x89PNG")
    assert b"<svg" in plot(found, "svg")


def test_a_policy_that_names_an_unknown_class_is_refused(book, tmp_path):
    (tmp_path / "ours.yaml").write_text("name: ours\ntitle: t\nrules: [{name: r, tier: S4}]\n")
    with pytest.raises(DocumentError, match="1 tiers that the price book of"):
        policy(tmp_path / "ours.yaml", book)
    with pytest.raises(DocumentError, match="needed the path of a document or one of: foresight"):
        policy("nothing", book)
    (tmp_path / "ours.yaml").write_text("name: ours\ntitle: t\nmethod: rules\n")
    with pytest.raises(DocumentError, match="found no rule"):
        policy(tmp_path / "ours.yaml", book)
