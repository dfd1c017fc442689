"""What Dagster's storage tells of materialized tables, wherever it keeps it, for the ledger to be compared with.

Belongs here: reading Dagster's events. It keeps a materialization in several places, each of which can be edited on its
own: the log of the asset, the log of the run, and what is shown as the newest. Comparing is `lineage.ledger.reconcile`.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from lineage.ledger.reconcile import Told, Work
from schemas.tables import TABLES

_COUNTS = {"kept": "dagster/row_count", "duplicates": "duplicates", "quarantined": "quarantined"}
_PAGE = 1000


def told(instance: dg.DagsterInstance) -> list[Told]:
    """What Dagster's storage tells of deliveries in tables; one piece of work may be told several times."""
    found: list[Told] = []
    for key in (dg.AssetKey(table.path.split("/")) for table in TABLES):
        records = list(_records(instance, key))
        found += _of((record.event_log_entry for record in records), "Dagster's log of the asset")
        newest = instance.get_latest_materialization_event(key)
        found += _of([newest] if newest else [], "Dagster's newest materialization")
    for run in instance.get_runs():
        entries = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        found += _of(entries, "Dagster's log of the run")
    return found


def _records(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[dg.EventLogRecord]:
    cursor = None
    while True:
        page = instance.fetch_materializations(key, limit=_PAGE, cursor=cursor)
        yield from page.records
        if not page.has_more:
            return
        cursor = page.cursor


def _of(entries: Iterable[dg.EventLogEntry], where: str) -> Iterator[Told]:
    for entry in entries:
        made = entry.asset_materialization
        if made is None or made.partition is None or "table_version" not in made.metadata:
            continue
        counts = {name: int(str(made.metadata[key].value)) for name, key in _COUNTS.items() if key in made.metadata}
        version = int(str(made.metadata["table_version"].value))
        yield Told(Work("/".join(made.asset_key.path), version, made.partition), counts, where=where)
