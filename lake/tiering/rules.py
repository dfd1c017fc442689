"""Rules of a policy document, applied to file groups: which tier, and by which rule.

Belongs here: a document's conditions as arithmetic on arrays. The document is `schemas.tiering`.
"""

from collections.abc import Sequence
from importlib.resources import files as resources
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from lake.tiering.charges import Charge
from lake.tiering.fleet import Fleet, Ints, Uses
from lake.tiering.state import Decide, State, next_use
from schemas.document import DocumentError
from schemas.prices import PriceBook
from schemas.tiering import Need, Rule, TieringPolicy, When, fits

SHIPPED = ("foresight", "by_use", "by_age")
"""Policies that ship, the one that is proposed first."""

OTHERWISE = -1
"""Number of the rule where none fitted."""


def policy(name_or_file: str | Path, book: PriceBook) -> TieringPolicy:
    """The policy document of this name, or at this path, that names classes of the book alone.

    Raises:
        schemas.document.DocumentError: if there is none, it does not say what it must, or it names a class that the
            book has not.
    """
    if str(name_or_file) in SHIPPED:
        text = resources("lake.tiering").joinpath(f"{name_or_file}.yaml").read_text(encoding="utf-8")
        found = TieringPolicy.parse(yaml.safe_load(text), f"{name_or_file}.yaml")
    else:
        if not Path(name_or_file).is_file():
            raise DocumentError(
                f"found no tiering policy {Path(name_or_file).name}, needed the path of a document or one of: "
                + ", ".join(SHIPPED)
            )
        found = TieringPolicy.read(Path(name_or_file))
    if strangers := found.mentioned() - {kind.name for kind in book.classes}:
        raise DocumentError(
            f"policy {found.name}: found {len(strangers)} tiers that the price book of {book.date} has not, needed "
            "some of: " + ", ".join(kind.name for kind in book.classes)
        )
    return found


def chosen(
    policy: TieringPolicy, fleet: Fleet, uses: Uses, charges: Sequence[Charge], state: State
) -> tuple[Ints, Ints]:
    """The tier of each group on a morning, and the number of the rule that gave it (`OTHERWISE`: none).

    Groups for which a tier is not allowed (an archive while a live version needs them, or by their licence) get the
    class that files are written to.
    """
    place = {charge.kind.name: number for number, charge in enumerate(charges)}
    tier = np.full(len(fleet), place.get(policy.otherwise or "", 0), np.int64)
    by = np.full(len(fleet), OTHERWISE, np.int64)
    if any(rule.when.expected_within_days is not None or rule.when.unexpected_within_days is not None
           for rule in policy.rules):  # fmt: skip
        wait = next_use(state, len(fleet), uses) - state.day
    else:
        wait = np.zeros(len(fleet), np.int64)
    for number, rule in reversed(list(enumerate(policy.rules))):
        hit = _fits(rule, fleet, state, wait)
        tier[hit], by[hit] = place[rule.tier], number
    for number, charge in enumerate(charges):
        bad = (tier == number) & ~allowed(policy, fleet, charge, state.day)
        tier[bad] = 0
    return tier, by


def allowed(policy: TieringPolicy, fleet: Fleet, charge: Charge, day: int) -> NDArray[np.bool_]:
    """Which groups may be in a class on a day: what is needed stays readable, and licences are kept."""
    lets = np.array([(policy.storage_of(name) is None) or charge.kind.name in (policy.storage_of(name) or [])
                     for name in fleet.licences])  # fmt: skip
    may = lets[fleet.licence] & charge.open
    return may & (fleet.spare <= day) if charge.archive else may


def by_rules(policy: TieringPolicy, fleet: Fleet, uses: Uses, charges: Sequence[Charge]) -> Decide:
    """The policy that applies the rules each morning."""
    minimum = np.array([charge.minimum for charge in charges])

    def decide(state: State) -> Ints:
        tier, by = chosen(policy, fleet, uses, charges, state)
        if not policy.hold_minimum:
            return tier
        announced = np.array([*(rule.when.expected_within_days is not None for rule in policy.rules), False], np.bool_)[
            by
        ]
        return np.where((state.held < minimum[state.now]) & ~announced, state.now, tier)

    return decide


def _fits(rule: Rule, fleet: Fleet, state: State, wait: Ints) -> NDArray[np.bool_]:
    when, day = rule.when, state.day
    size = fleet.bytes / fleet.files
    spare = fleet.spare <= day
    hit = _named(when, fleet)
    if when.need is not Need.ANY:
        hit &= spare if when.need is Need.SPARE else ~spare
    bounds = (
        (when.age_days, day - fleet.born),
        (when.at_least_bytes, size),
        (when.idle_days, day - state.last_read),
        (None if when.unexpected_within_days is None else when.unexpected_within_days + 1, wait),
    )
    for least, value in bounds:
        if least is not None:
            hit &= value >= least
    if when.below_bytes is not None:
        hit &= size < when.below_bytes
    if when.expected_within_days is not None:
        hit &= wait <= when.expected_within_days
    if when.licence_ends_within_days is not None:
        hit &= fleet.licence_end - day <= when.licence_ends_within_days
    return hit


def _named(when: When, fleet: Fleet) -> NDArray[np.bool_]:
    tables = np.array([fits(when.tables, name) for name in fleet.tables], np.bool_)
    licences = np.array([fits(when.licences, name) for name in fleet.licences], np.bool_)
    return tables[fleet.table] & licences[fleet.licence]
