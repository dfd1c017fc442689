"""`larmor withdraw`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._amounts import many, size
from orchestration.verbs._names import deliveries
from orchestration.verbs._shared import acting, answer, as_json, opened, say, table
from schemas.roles import changing, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lake.zones import Lake
    from lineage.withdrawal.belonging import Scope
    from lineage.withdrawal.plan import Plan

_ONLY_PLANNED = "This is a plan. Nothing was changed or deleted."


@click.command("withdraw", epilog="Example: larmor withdraw --subject SABCDEFGHIJKL")
@click.option("--subject", help="Pseudonym of a person, as in the tables; never a patient's id or name.")
@click.option("--delivery", shell_complete=deliveries, help="Name of a delivery.")
@click.option("--licence", help="Id of a licence.")
@click.option("--due", is_flag=True, help="List what may no longer be kept by its terms, each with a fresh plan.")
@click.option("--confirm", metavar="DIGITS", help="What the plan printed: carry it out.")
@as_json
@acting(lambda given: reading(*Zone) if given["due"] else changing(*Zone))
@click.pass_context
def command(
    context: click.Context,
    subject: str | None,
    delivery: str | None,
    licence: str | None,
    due: bool,
    confirm: str | None,
    json_: bool,
) -> int:
    """Plan the withdrawal of a subject, a delivery or a licence, and carry it out once it is confirmed.

    Without --confirm it only plans: what holds it, the steps, and the digits that confirm this very plan. With them it
    deletes for good, proves that nothing is left, and writes a certificate; exit code 1 where something is left. The
    same command goes on where it was interrupted. No run or training may be going on meanwhile.
    """
    from lineage.withdrawal.belonging import Kind, Scope
    from lineage.withdrawal.plan import plan
    from lineage.withdrawal.withdrawals import begun, confirmation

    given = {Kind.SUBJECT: subject, Kind.DELIVERY: delivery, Kind.LICENCE: licence}
    chosen = [Scope(kind, value) for kind, value in given.items() if value]
    if due and not chosen and not confirm:
        _due(opened(context), json_)
        return 0
    if len(chosen) != 1 or due:
        raise click.UsageError(
            f"found {len(chosen)} of --subject, --delivery and --licence, needed exactly one, or --due alone", context
        )
    lake = opened(context)
    if confirm or begun(lake, chosen[0]):
        return 0 if _carried_out(lake, chosen[0], confirm, json_) else 1
    made = plan(lake, chosen[0], lambda subjects: _secrets(lake, subjects))
    result = {"carried_out": False, "confirm": confirmation(made), **asdict(made)}
    if made.empty:
        text = _nothing(made)
        answer(json_, result, text, "check the spelling; after a withdrawal, keep this answer as evidence")
        return 0
    next_step = f"read it, end runs and trainings, then: larmor withdraw --{made.scope.kind} ... --confirm "
    answer(json_, result, "\n\n".join(_parts(made)), next_step + confirmation(made))
    return 0


def _due(lake: "Lake", json_: bool) -> None:
    import datetime as dt

    from lineage.withdrawal.due import plan_due
    from lineage.withdrawal.withdrawals import confirmation

    planned = plan_due(lake, dt.datetime.now(dt.UTC).date())
    rows = [
        {
            "what": f"--{due.scope.kind} {due.scope.value}",
            "why": due.why,
            "term": due.term,
            "since": due.since or "",
            "at end": str(due.at_end),
            "rows": sum(holding.rows for holding in made.holdings if not holding.evidence),
            "releases": len(made.releases),
            "models": len(made.models),
            "confirm": confirmation(made),
        }
        for due, made in planned
    ]
    text = table(rows, list(rows[0])) if rows else "Nothing that is held has to go."
    answer(json_, rows, text, "larmor withdraw with what the first column says, and read its plan" if rows else "")


def _carried_out(lake: "Lake", scope: "Scope", confirm: str | None, json_: bool) -> bool:
    """Carry a withdrawal out, and say whether nothing is left."""
    from lineage.withdrawal.withdrawals import complete, page_of
    from stages.withdrawal.withdrawing import carry_out

    done = carry_out(lake, scope, confirm, say)
    whole, page = complete(done), page_of(lake, done)
    result = {"carried_out": True, "complete": whole, "certificate": page, **asdict(done)}
    text = f"Withdrawn. Certificate: {page}" if whole else f"Not complete. What is left: {page}"
    next_step = "larmor verify" if whole else "remove what the page names, then plan again"
    answer(json_, result, text, next_step)
    return whole


def _nothing(plan: "Plan") -> str:
    held_by = "tables, releases, models in use, or files that restricted/received names"
    lines = [f"Nothing of this {plan.scope.kind} is held by {held_by}."]
    if plan.evidence_rows:
        lines.append(f"Rows of the audit zone that stay as evidence: {plan.evidence_rows}.")
    return "\n".join([*lines, _ONLY_PLANNED])


def _secrets(lake: "Lake", subjects: frozenset[str]) -> int | None:
    """How many of these subjects have a secret in the vault; None where its key is not here."""
    from deid.vault import VaultError
    from schemas.zone import Zone
    from stages.identity import open_vault

    # opening a vault that is not there would make one
    if not subjects or not lake.location(Zone.RESTRICTED).exists("vault"):
        return 0
    try:
        return sum(subject.code in subjects for subject in open_vault(lake).subjects())
    except VaultError:
        return None


def _parts(plan: "Plan") -> Iterator[str]:
    yield f"Withdrawal of {plan.scope.kind} {plan.scope.value}\n{_ONLY_PLANNED}"
    yield f"What tables hold\n{_tables(plan)}"
    if plan.releases:
        rows = [{"release": r.release, "subjects": r.subjects, **r.splits} for r in plan.releases]
        yield "Releases, with volumes of each split\n" + table(
            rows, ["release", "subjects", "train", "validation", "test"]
        )
    if plan.models:
        yield "Models that were trained on it\n" + _models(plan)
    vault = "not asked, its key is not here" if plan.secrets is None else many(plan.secrets, "secret")
    landing = f"{many(plan.landing.files, 'file')}, {size(plan.landing.bytes)}"
    yield "\n".join(
        [
            "Elsewhere",
            f"  landing: {landing}, and {plan.landing.unattributed} that name no person",
            f"  persons: {plan.subjects}, of whom {plan.subjects_only_here} have nothing outside it",
            f"  vault: {vault} of these",
            f"  exports recorded: {plan.copies.exports}; evaluations recorded: {plan.copies.evaluations}",
            f"  backups recorded: {plan.copies.backups}; staged files: {plan.copies.staged_files}",
            f"  change feed: {_feed(plan)}",
            f"  to tell: {'; '.join(plan.copies.notify) or 'nobody on record'}",
            f"  models without recorded exposures: {len(plan.unrecorded_models)}",
            f"  unfinished trainings that saw it: {plan.unfinished}",
        ]
    )
    yield f"What it takes, about\n{_takes(plan)}"
    lines = [
        f"{number:>3}. {step.do}{'  [a person]' if step.by_person else ''}\n     {step.why}"
        for number, step in enumerate(plan.steps, 1)
    ]
    yield "Steps, in this order; [a person] marks what no command does\n" + "\n".join(lines)


def _feed(plan: "Plan") -> str:
    return ", ".join(f"{table} in {many(of, 'version')}" for table, of in plan.change_feed.items()) or "nothing of it"


def _takes(plan: "Plan") -> str:
    takes = plan.estimate
    bytes_ = f"{size(takes.rewritten_bytes)} written again, {size(takes.searched_bytes)} searched"
    lines = [
        f"  {takes.minutes:g} minutes: {bytes_}",
        f"  requests to object stores: {takes.requests_cost:.2f}",
    ]
    if takes.device_hours:
        lines.append(
            f"  models trained again: {takes.device_hours:g} device-hours, {takes.training_usd:.2f} US dollars"
        )
    return "\n".join(lines)


def _tables(plan: "Plan") -> str:
    sums: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for holding in plan.holdings:
        row = sums[holding.table]
        row |= {"table": holding.table, "as": "evidence, stays" if holding.evidence else "data"}
        row["partitions"] += 1
        for name in ("rows", "files", "bytes", "older_files", "older_bytes", "orphan_files"):
            row[name] += getattr(holding, name)
        row["versions"] = {*(row["versions"] or ()), *holding.versions}
    rows = [
        row
        | {"size": size(row["bytes"]), "older": row["older_files"], "older size": size(row["older_bytes"])}
        | {"uncommitted": row["orphan_files"], "versions": len(row["versions"])}
        for row in sums.values()
    ]
    columns = ["table", "partitions", "rows", "files", "size", "older", "older size", "uncommitted", "versions", "as"]
    return table(rows, columns)


def _models(plan: "Plan") -> str:
    rows = [
        {
            "model": model.model,
            "checkpoint": model.checkpoint[:16],
            "how": "directly" if model.direct else "through an ancestor",
            "via": ", ".join(model.via),
            "volumes": model.volumes,
            "samples": model.samples,
            "last clean ancestor": model.clean_ancestor or "none",
            "weights": "in place" if model.in_place else "not in place",
        }
        for model in plan.models
    ]
    return table(rows, list(rows[0]))
