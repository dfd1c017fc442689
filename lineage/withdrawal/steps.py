"""The steps of a withdrawal, in their order: what is done by the command, and what only a person can do.

Belongs here: which steps a plan needs, and why in this order: stop new use first, delete rows before the files that
older versions need, shred the secret last, because what is derived from it cannot be found again without it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineage.withdrawal.belonging import Kind

if TYPE_CHECKING:
    from lineage.withdrawal.plan import Plan


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        do: what to do, one sentence.
        why: what it reaches, with counts.
        by_person: whether no command does it.
    """

    do: str
    why: str
    by_person: bool = False


def steps(plan: "Plan") -> list[Step]:
    """The steps that a plan needs; none where nothing holds it."""
    if plan.empty:
        return []
    return [*_stop(plan), *_rows(plan), *_derived(plan), *_files(plan), *_identity(plan), *_close(plan)]


def _stop(plan: "Plan") -> Iterator[Step]:
    ways = {
        Kind.SUBJECT: "Note the request and take up no further delivery, release or training with this subject.",
        Kind.DELIVERY: "Stop runs of this delivery and leave it out of new release specifications.",
        Kind.LICENCE: "Set valid_until of the licence document, so that every run and release under it is refused.",
    }
    why = "a run in between would bring back what the next steps delete"
    yield Step(ways[plan.scope.kind], why, by_person=True)
    landing = plan.landing
    if landing.files:
        yield Step(
            "Delete its files from landing; where they were delivered from is for a person.",
            f"{_many(landing.files, 'file')}; a later run of the delivery would read them again",
        )
    if landing.unattributed:
        yield Step(
            "Delete, of the files that name no person, those that name this subject, and the lines of lists that do.",
            f"{_many(landing.unattributed, 'file')} held back or of nobody known; a person looks at the rest",
        )


def _rows(plan: "Plan") -> Iterator[Step]:
    rows = Counter[str]()
    rewritten = Counter[str]()
    for holding in plan.holdings:
        if holding.rows and not holding.evidence:
            rows[holding.table] += holding.rows
            rewritten[holding.table] += holding.files - holding.whole_files
    for table, number in rows.items():
        how = f"; files that hold other rows too and are rewritten: {rewritten[table]}" if rewritten[table] else ""
        yield Step(f"Delete its rows from {table} in one commit.", f"{_many(number, 'row')}{how}")
    if plan.evidence_rows:
        yield Step(
            "Leave the rows of the audit zone, unless the terms say otherwise.",
            f"{_many(plan.evidence_rows, 'row')} of pseudonyms and no PHI; they prove which model saw what, and name "
            "nobody once the secret is gone",
        )


def _derived(plan: "Plan") -> Iterator[Step]:
    for release in plan.releases:
        volumes = ", ".join(f"{number} of {split}" for split, number in release.splits.items())
        yield Step(
            f"Take release {release.release} out of use; a person freezes one without it under a new name.",
            f"volumes: {volumes}; a frozen release never changes, so it cannot lose a member",
        )
    for model in plan.models:
        saw = "its own training" if model.direct else f"its ancestor {', '.join(model.via)}"
        again = f"from {model.clean_ancestor}" if model.clean_ancestor else "from scratch"
        where = "" if model.in_place else "; these weights no longer stand under that name, look for copies"
        yield Step(
            f"Take model {model.model} out of use; a person trains it again {again}, on a release without it.",
            f"{_many(model.volumes, 'volume')}, served {_many(model.samples, 'time')}, seen by {saw}{where}",
        )
    if plan.unfinished:
        yield Step(
            "Drop trainings that were not finished and saw it; a person begins them again, on a release without it.",
            f"{_many(plan.unfinished, 'training')}, by what the saved steps say",
        )
    if plan.unrecorded_models:
        yield Step(
            "Find out what models without recorded exposures saw, or take them out of use.",
            f"{_many(len(plan.unrecorded_models), 'model')}: {', '.join(plan.unrecorded_models)}",
            by_person=True,
        )
    if plan.copies.exports:
        to = f", received by: {', '.join(plan.copies.recipients)}"
        number = _many(plan.copies.exports, "recorded export")
        yield Step("Tell whoever received an export, and ask for its deletion.", number + to, by_person=True)
    if plan.copies.staged_files:
        yield Step(
            "Drop the staged copies of releases.",
            f"{_many(plan.copies.staged_files, 'file')} in the staging folder, of releases that hold it",
        )
    if plan.copies.evaluations:
        yield Step(
            "Delete the pages of evaluations on it and evaluate again.",
            f"{_many(plan.copies.evaluations, 'recorded evaluation')}; a page shows images of its split",
        )


def _files(plan: "Plan") -> Iterator[Step]:
    older = sum(holding.older_files + holding.files for holding in plan.holdings if not holding.evidence)
    if older:
        told = f"; time travel and change feed tell it in: {', '.join(plan.change_feed)}" if plan.change_feed else ""
        yield Step(
            "Delete the part files that still hold its rows; versions that a release needs get files without them.",
            f"{_many(older, 'file')} after the rows are deleted; deleting rows removes nothing from disk{told}",
        )
    orphans = sum(holding.orphan_files for holding in plan.holdings)
    if orphans or plan.unreadable_files:
        yield Step(
            "Delete part files that no commit names, an hour after they were written.",
            f"{_many(orphans, 'file')} with its rows, {plan.unreadable_files} cut off in writing that nobody can read",
        )
    if plan.log_commits:
        yield Step(
            "Take its pseudonyms out of the file statistics of these tables' Delta logs.",
            f"commits that name the subject's pseudonym there: {sum(plan.log_commits.values())}, of "
            f"{', '.join(plan.log_commits)}",
        )
    if any(holding.table.startswith("curated/") for holding in plan.holdings):
        yield Step("Delete gallery pages that show it.", "they show images and are no part of a table")
        yield Step(
            "Delete the preview pictures that Dagster keeps with its materializations (larmor dev: wipe them).",
            "they show images; Dagster's storage is no part of the lake",
            by_person=True,
        )


def _identity(plan: "Plan") -> Iterator[Step]:
    if plan.subjects_only_here:
        number = "an unknown number of secrets" if plan.secrets is None else _many(plan.secrets, "secret")
        yield Step(
            "Shred the vault's secrets of persons with nothing left, after everything above is done.",
            f"{number} of {_many(plan.subjects_only_here, 'person')}; it cannot be undone, and pseudonyms and "
            "commitments then lead to nobody",
        )


def _close(plan: "Plan") -> Iterator[Step]:
    yield Step(
        "Let backups and snapshots of all zones expire, and note the day.",
        f"{_many(plan.copies.backups, 'backup')} of this lake on record; of snapshots of disks it does not know",
        by_person=True,
    )
    if plan.copies.notify:
        yield Step("Tell those whom it concerns that it was done.", "; ".join(plan.copies.notify), by_person=True)
    yield Step(
        "Search every byte that is left, write the certificate, record it on the ledger and seal it.",
        f"it proves that nothing outside the audit zone names this {plan.scope.kind} any more",
    )


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
