"""When an asset is out of date, and what Dagster may then do by itself.

Belongs here: conditions and policies as named functions, each with the reason for it. New deliveries are not a matter
of conditions: the sensor `landing` brings them in batches (docs/decisions/0009-deliveries-in-batches.md).
"""

import datetime as dt

import dagster as dg

_DAY = dt.timedelta(days=1)


def follows_inputs() -> dg.AutomationCondition:
    """What was made once is made again when something that it rests on was made again.

    Somebody who materializes a station by itself, after a change of rules or a file that was put right, has the
    stations behind it follow for that delivery. Four things keep this quiet:

    - A partition that was never made is not asked for: 10,000 arriving deliveries are none of its business.
    - An input that was made in the same run as the asset counts as used, so runs of whole deliveries ask for nothing.
    - An asset is asked for once for each change of its inputs. One that fails is not asked for again.
    - Nothing goes on behind a blocking check that failed, such as that for identifiers in the output.
    """
    made_anew = dg.AutomationCondition.any_deps_updated()
    handled = (
        dg.AutomationCondition.newly_requested()
        | dg.AutomationCondition.newly_updated()
        | dg.AutomationCondition.initial_evaluation()
    )
    return (
        ~dg.AutomationCondition.missing()
        & made_anew.since(handled)
        & ~dg.AutomationCondition.in_progress()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("follows_inputs")


def nightly() -> dg.FreshnessPolicy:
    """What a schedule does every night: a warning when a night was left out, a failure after three."""
    return dg.FreshnessPolicy.time_window(fail_window=3 * _DAY, warn_window=1.25 * _DAY)
