"""What model assets share: a training started as a process of its own, heard through Dagster Pipes.

Belongs here: from a job to a materialization, here or wherever the resource `launcher` trains. The training itself is
`training`, its process `assets.training_process`, places away from home are `orchestration.launchers`.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import yaml

from assets.metadata import page, pictures
from assets.resources import LakeResource
from assets.training_process import REASON

if TYPE_CHECKING:
    from stages.clearance import Clearance

CARD = "card.html"
"""Page of a model, in its folder."""

STOPPED = "stopped; the next run goes on from the last saved step"
"""What a step says that was stopped: whoever stops it means it, so it is not retried."""


class Launcher(dg.ConfigurableResource):
    """Where trainings run: on this machine. `LARMOR_LAUNCHER` names another place."""

    def train(
        self,
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        job: Mapping[str, Any],
        ranks: int,
        clearance: "Clearance",
    ) -> Mapping[str, Any]:
        """Train, and give what is to be shown of it; the model is then in its zone and on the record.

        Args:
            context: the asset's context, whose log gets the progress.
            lake: the lake.
            job: what to do (`training.run`).
            ranks: processes.
            clearance: that the terms allow it.

        Raises:
            dagster.Failure: if the job cannot be done, with the reason.
        """
        return {**here(context, lake, job, ranks), "decision": clearance.decision}


def overrides(texts: Mapping[str, str]) -> dict[str, Any]:
    """Configuration values written as text, read as YAML would: `"50"` is a number, `"true"` a truth value."""
    return {name: yaml.safe_load(text) for name, text in texts.items()}


def trained(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    job: Mapping[str, Any],
    ranks: int,
    launcher: Launcher | None = None,
) -> Mapping[str, Any]:
    """Run a training or evaluation job in processes of its own and give what it reported as metadata.

    Before anything starts, what the job says is checked, the release's terms are asked, and its files brought to where
    a training reads them.

    Args:
        context: the asset's context, whose log gets the progress.
        lake: the lake, whose root the job is given.
        job: what to do (`training.run`).
        ranks: processes.
        launcher: where; None: on this machine, as evaluations are, which open a sealed test set.

    Raises:
        DocumentError: if the preset or a value of the configuration is wrong.
        Refusal: if the terms do not allow it.
        dagster.Failure: if the job cannot be done, with the reason; it is not to be retried.
    """
    from lineage.terms.questions import Action
    from stages.clearance import cleared
    from training.config.presets import configured

    release = str(job["release"])
    configured(job["preset"], job["kind"], job["config"])
    action = Action.EVALUATE if job["kind"] == "evaluate" else Action.TRAIN
    models = [*job.get("checkpoints", ()), *filter(None, [job.get("parent")])]
    clearance = cleared(lake.open(), release, action, models)
    _readied(context, lake, release)
    return (launcher or Launcher()).train(context, lake, job, ranks, clearance)


def here(
    context: dg.AssetExecutionContext, lake: LakeResource, job: Mapping[str, Any], ranks: int
) -> Mapping[str, Any]:
    """Run a job in processes of this machine and give what it reported as metadata.

    Raises:
        dagster.Failure: if the job cannot be done, with the reason; it is not to be retried.
    """
    from training.launch import GRACE_S, command, environment

    root = lake.open().settings.root
    with tempfile.TemporaryDirectory(prefix="larmor-job-") as folder:
        path = Path(folder) / "job.yaml"
        path.write_text(yaml.safe_dump({"root": str(root), **job}), encoding="utf-8")
        client = dg.PipesSubprocessClient(
            env=environment(ranks, len(os.sched_getaffinity(0))) | lake.environment(),
            termination_timeout_seconds=GRACE_S,
        )
        arguments = command(path, ranks, module="assets.training_process")
        try:
            run = client.run(command=arguments, context=context)
        except dg.DagsterExecutionInterruptedError:
            # Dagster retries an interrupted step that has a retry policy
            raise dg.Failure(STOPPED, allow_retries=False) from None
        if (told := path.with_suffix(REASON)).is_file():
            # what is wrong with a job is wrong at the second try too; only a lost process is tried again
            raise dg.Failure(told.read_text(encoding="utf-8"), allow_retries=False)
    metadata: Mapping[str, Any] = run.get_materialize_result().metadata or {}
    return {**_shown(metadata), **metadata}


def _shown(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """What people look at of a model: its curves as a picture, and its card; an evaluation has neither."""
    from training.running.curves import PICTURE

    folder = Path(metadata["folder"].value)
    curves, card = folder / PICTURE, folder / CARD
    return {
        **({"curves": pictures([("curves", curves.read_bytes())])} if curves.is_file() else {}),
        **({"model_card": page(str(card))} if card.is_file() else {}),
    }


def unalarmed(metadata: Mapping[str, Any], check: str) -> dg.AssetCheckResult:
    """The outcome of the check that a training raised no alarm, which warns and holds nothing back."""
    reasons = str(metadata["alarms"].value) if "alarms" in metadata else ""
    remedy = "look at the curves; lower learning_rate, or raise batch_size, and train under another name"
    return dg.AssetCheckResult(
        check_name=check,
        passed=not reasons,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"alarms": reasons, "remedy": remedy} if reasons else {},
    )


def _readied(context: dg.AssetExecutionContext, lake: LakeResource, release: str) -> None:
    """Get the files of a release back from archives, and to a tier that epochs read cheaply."""
    from stages.upkeep.tiers import make_ready

    found = make_ready(lake.open(), release)
    if moved := sum(len(result.moved) for result in found.values()):
        context.log.info(f"{moved} files were moved to where a training reads them cheapest")
    if waiting := sum(len(result.waiting) for result in found.values()):
        raise dg.Failure(f"{waiting} files of the release are being restored; run again later (larmor tiers ready)")
