"""Materializing without the UI: the same jobs, the same record, lines on a terminal.

Belongs here: running a job in this process and summing up what it did. What the jobs hold is `orchestration.jobs`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.partitions import DELIVERIES_NAME, RELEASES_NAME
from assets.shortage import lacking
from lake.settings import Settings
from orchestration.definitions import build
from orchestration.instance import instance
from orchestration.jobs import DELIVERY_ASSETS, EVIDENCE_ASSETS, RELEASE_ASSETS
from orchestration.processes import TAG, own_mark
from orchestration.quiet import unannounced

Key = tuple[str, ...]

STOPPED = "stopped; what was finished is kept, the same command goes on from there"
"""What a person is told who stopped a run, or whose machine did."""

_SHOWN = ("dagster/row_count", "duplicates", "quarantined")


class RunFailed(RuntimeError):
    """A run ended before its last asset; the message names the step, what failed and what to do."""


@dataclass(frozen=True)
class Made:
    """What a run made.

    Attributes:
        asset: name of the asset, `<zone>/<noun>`.
        metadata: what its materialization reported.
    """

    asset: str
    metadata: Mapping[str, Any]

    def counts(self) -> dict[str, Any]:
        """Rows, duplicates and quarantined files, where the asset reports them."""
        return {name.removeprefix("dagster/"): self.metadata[name] for name in _SHOWN if name in self.metadata}


def until(assets: Sequence[Key], last: str | None) -> list[Key]:
    """The assets up to the named one, which may be given as `volumes` or `curated/volumes`.

    Raises:
        ValueError: if there is no such asset; the message lists those that there are.
    """
    if last is None:
        return list(assets)
    for place, key in enumerate(assets):
        if last in (key[-1], "/".join(key)):
            return list(assets[: place + 1])
    raise ValueError(f"found no asset {last!r} here, needed one of: {', '.join(key[-1] for key in assets)}")


def together(definitions: dg.Definitions, keys: Sequence[Key]) -> list[dg.AssetKey]:
    """The assets, and what the same steps make beside them: one step makes all that it makes."""
    wanted = dg.AssetSelection.assets(*(dg.AssetKey(list(key)) for key in keys))
    return sorted(wanted.required_multi_asset_neighbors().resolve(definitions.resolve_asset_graph()))


def run_delivery(settings: Settings, name: str, to: str | None = None) -> list[Made]:
    """Materialize a delivery up to an asset."""
    return _run(settings, "delivery", until(DELIVERY_ASSETS, to), (DELIVERIES_NAME, name))


def run_assets(settings: Settings, partition: tuple[str, str], keys: Sequence[Key]) -> list[Made]:
    """Materialize these assets of the job `delivery`, and what the same steps make."""
    return _run(settings, "delivery", keys, partition)


def run_release(
    settings: Settings, name: str, to: str | None = None, config: Mapping[str, Any] | None = None, only: bool = False
) -> list[Made]:
    """Materialize a release and what hangs on it up to an asset, or that asset only.

    Args:
        settings: of the lake.
        name: the release.
        to: last asset; None: all.
        config: configuration of each asset's step, by its name with double underscores.
        only: the last asset alone.
    """
    keys = until(RELEASE_ASSETS, to)
    return _run(settings, "release", keys[-1:] if only else keys, (RELEASES_NAME, name), config)


def run_evidence(settings: Settings) -> list[Made]:
    """Seal and verify the ledger, write the audit report."""
    return _run(settings, "evidence", list(EVIDENCE_ASSETS), None)


def _run(
    settings: Settings,
    job_name: str,
    keys: Sequence[Key],
    partition: tuple[str, str] | None,
    config: Mapping[str, Any] | None = None,
) -> list[Made]:
    steps = {"__".join(key): dict((config or {}).get("__".join(key), {})) for key in keys}
    run_config = {"loggers": {"progress": {}}, "ops": {s: {"config": c} for s, c in steps.items() if c}}
    with instance(settings) as opened, unannounced():
        if partition:
            opened.add_dynamic_partitions(partition[0], [partition[1]])
        definitions = build(str(settings.root))
        job = definitions.resolve_job_def(job_name)
        try:
            result = job.execute_in_process(
                instance=opened,
                partition_key=partition[1] if partition else None,
                asset_selection=together(definitions, keys),
                run_config=run_config,
                tags={TAG: own_mark()},
                raise_on_error=False,
            )
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None
        if not result.success:
            raise RunFailed(failure(result))
        return _made(result, keys)


def _made(result: dg.ExecuteInProcessResult, keys: Sequence[Key]) -> list[Made]:
    found: dict[str, dict[str, Any]] = {}
    for event in result.get_asset_materialization_events():
        materialization = event.materialization
        told = {name: value for name, value in materialization.metadata.items() if not _is_picture(value)}
        metadata = {name: _plain(value) for name, value in told.items()}
        # an asset that reports twice, once through Pipes, has told all the second time
        found["/".join(materialization.asset_key.path)] = metadata
    return [Made(asset, found[asset]) for asset in map("/".join, keys) if asset in found]


def _plain(value: Any) -> Any:
    """What scripts can take: a table as its lines, all else as it is."""
    if isinstance(value, dg.TableMetadataValue):
        return [dict(record.data) for record in value.records]
    return getattr(value, "value", value)


def _is_picture(value: dg.MetadataValue[Any]) -> bool:
    """Whether it is for a page alone: a preview or curves, whose bytes no terminal and no script can use."""
    return isinstance(value, dg.MarkdownMetadataValue) and "](data:image/" in (value.md_str or "")


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What a person should read of a run that failed: the step, what was found and what to do."""
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE" and event.step_failure_data.error:
            step = str(event.step_key).replace("__", "/")
            if told := event.step_failure_data.user_failure_data:
                lines = told.metadata.get("lines")
                return f"{step}: {told.description}" + (f"\n{lines.value}" if lines else "")
            error = event.step_failure_data.error
            # the innermost cause is the sentence that names the remedy; Dagster's own frames stand around it
            while error.cause:
                error = error.cause
            if error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
                return f"{step}: {STOPPED}"
            if error.cls_name == "DagsterPipesExecutionError":
                return (
                    f"{step}: found a training process that ended before its work, needed it to finish; its "
                    "own words stand above, and the same command resumes from the last saved step"
                )
            if lacks := lacking(error.message):
                return f"{step}: {lacks}"
            # the message begins with the path of the error's class
            message = re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message.strip())
            return f"{step}: {message}"
    return (
        "a run ended without success and without an error; larmor doctor says what this machine lacks, and the run is "
        "in the Dagster UI (larmor dev)"
    )
