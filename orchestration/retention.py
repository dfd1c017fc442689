"""What has to go because of its terms, planned by the clock and carried out by a person.

Belongs here: the job; its hour is in `orchestration.schedules`. What is due is `lineage.withdrawal.due`; `larmor
withdraw` carries a plan out.
"""

import dagster as dg


@dg.op(required_resource_keys={"lake"})
def plan_what_is_due(context: dg.OpExecutionContext) -> None:
    """Plan the withdrawal of what may no longer be kept; nothing is deleted."""
    import datetime as dt

    from lineage.withdrawal.due import plan_due

    planned = plan_due(context.resources.lake.open(), dt.datetime.now(dt.UTC).date())
    context.add_output_metadata({"due": len(planned), "by": _counted([due.why for due, _ in planned])})
    if planned:
        context.log.warning(f"{len(planned)} withdrawals wait for a person; larmor withdraw --due lists them")


def _counted(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}


@dg.job(name="retention", executor_def=dg.in_process_executor)
def RETENTION_JOB() -> None:  # noqa: N802  # a job is a constant
    """Plan what retention, ended licences and consents taken back ask for; a person confirms each."""
    plan_what_is_due()
