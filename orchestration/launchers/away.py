"""A training away from home: described, checked, launched or found again, collected, and put on the record.

Belongs here: the order of the work. Backends are files beside this one. The model is recorded by the same local way
that trains at home, which finds it finished: it proves its digests, puts it into its zone and records who was exposed.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from assets.failures import OURS
from assets.resources import LakeResource
from assets.training import STOPPED, here
from lake.settings import LauncherName, Settings
from lake.stores.storage import Location
from lake.zones import Lake
from orchestration.launchers.backend import Backend, LaunchError, Phase, Unreachable
from orchestration.launchers.compose import Asked, checked, described
from orchestration.launchers.pipes import PipesLauncherClient, Unfinished
from schemas.checkpoint import MANIFEST
from schemas.job import TrainingJob
from schemas.launching import KubernetesLaunching, Launching, SageMakerLaunching, SlurmLaunching
from stages.clearance import Clearance, files_of

_DOCUMENTS: dict[LauncherName, type[Launching]] = {
    LauncherName.SAGEMAKER: SageMakerLaunching,
    LauncherName.SLURM: SlurmLaunching,
    LauncherName.KUBERNETES: KubernetesLaunching,
}

_LAUNCHED = ("scratch", "launched")
"""Below the root: which job trains a model, so that the next run finds it again."""


def document_of(settings: Settings) -> Launching:
    """What the installation says of the place where trainings run.

    Raises:
        LaunchError: if it says nothing.
        schemas.document.DocumentError: if the document does not say what it must.
    """
    if settings.launching is None:
        raise LaunchError(
            f"found LARMOR_LAUNCHER={settings.launcher} without a document, needed LARMOR_LAUNCHING: the path of one; "
            f"see docs/how-to/train-on-{settings.launcher}.md"
        )
    return _DOCUMENTS[settings.launcher].read(settings.launching)


def backend_of(document: Launching, settings: Settings) -> Backend:
    """The backend that a document is about."""
    if isinstance(document, SageMakerLaunching):
        from orchestration.launchers.sagemaker_jobs import SageMakerBackend

        return SageMakerBackend(document, settings.access("models"))
    if isinstance(document, SlurmLaunching):
        from orchestration.launchers.slurm import SlurmBackend

        return SlurmBackend(document)
    assert isinstance(document, KubernetesLaunching), "there are three"
    from orchestration.launchers.kubernetes import KubernetesBackend

    return KubernetesBackend(document)


def train(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    job: Mapping[str, Any],
    ranks: int,
    clearance: Clearance,
    poll_s: float,
) -> Mapping[str, Any]:
    """Train away from home, and have the model here, in its zone and on the record.

    Args:
        context: the asset's context.
        lake: the lake.
        job: what to do (`training.run`).
        ranks: processes.
        clearance: that the terms allow it.
        poll_s: seconds between questions to the backend.

    Returns:
        What the finished model's materialization shows.

    Raises:
        LaunchError: if the backend cannot run it so, or the job says what is wrong with it.
        dagster.Failure: if it was stopped, or did not finish; what was lost may be retried.
    """
    opened = lake.open()
    if _made_before(opened, job):
        return here(context, lake, job, ranks=1)
    asked = _asked(context, opened, job, ranks, clearance)
    try:
        told = _launched(context, opened, asked, poll_s)
    except Unreachable as error:
        raise _lost(f"{error}; the job may go on, and the next run finds it again") from None
    except Unfinished as error:
        # what the job itself says is wrong is wrong at the second try too; a lost one resumes
        if error.told or error.state.phase is not Phase.FAILED:
            raise
        raise _lost(str(error)) from None
    except dg.DagsterExecutionInterruptedError:
        raise dg.Failure(STOPPED, allow_retries=False) from None
    return {**here(context, lake, job, ranks=1), **told}


def _made_before(lake: Lake, job: Mapping[str, Any]) -> bool:
    """Whether there is a finished model of that name: the local way then trains nothing, and says if it is another."""
    from training.shelf import fetched

    return not job.get("replace") and (fetched(lake, str(job["name"])) / MANIFEST).is_file()


def _lost(words: str) -> dg.Failure:
    return dg.Failure(words, metadata={OURS: True})


def _launched(context: dg.AssetExecutionContext, lake: Lake, asked: Asked, poll_s: float) -> Mapping[str, Any]:
    from training.shelf import desk, fetched, reserved

    document, folder = document_of(lake.settings), desk(lake, asked.model)
    if parent := asked.work.get("parent"):
        fetched(lake, parent)
    job = described(asked, document, lake.settings, folder)
    bound = checked(asked, job, document)
    if bound is not None and document.price is not None:
        context.log.info(f"costs {bound:.2f} {document.price.currency} at most, by the price of {document.price.date}")
    backend = backend_of(document, lake.settings)
    memory = Memory(lake, asked)
    job, attach = memory.found(backend) or (job, None)
    client = PipesLauncherClient(backend, poll_s=poll_s)
    with reserved(lake, folder):
        try:
            done = client.run(context=context, job=job, attach=attach, launched=lambda handle: memory.keep(job, handle))
        except (Unfinished, dg.DagsterExecutionInterruptedError):
            memory.forget()
            raise
        _brought(backend, job, asked.model, folder)
    backend.clear(job)
    memory.forget()
    cost = {} if bound is None else {"cost_at_most": bound}
    launched = {"launcher": str(lake.settings.launcher), "decision": asked.labels["decision"], **cost}
    return {**done.metadata, **launched}


def _asked(
    context: dg.AssetExecutionContext, lake: Lake, job: Mapping[str, Any], ranks: int, clearance: Clearance
) -> Asked:
    labels = {
        "run": context.run_id,
        "asset": ".".join(context.asset_key.path),
        "model": str(job["name"]),
        "release": clearance.release,
        "decision": clearance.decision,
    }
    turn = f"{context.run_id[:8]}-{context.retry_number}"
    return Asked(job, ranks, labels, turn, files_of(lake, clearance.release))


def _brought(backend: Backend, job: TrainingJob, name: str, folder: Path) -> None:
    """The finished model on the desk, whole or not at all."""
    building = folder.with_name(f".{name}.collected")
    shutil.rmtree(building, ignore_errors=True)
    if job.checkpoint == str(folder.parent):
        backend.collect(job, name, folder)
        return
    backend.collect(job, name, building)
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)


class Memory:
    """Which job trains a model: kept on disk, so that a run whose process was lost finds its job again."""

    def __init__(self, lake: Lake, asked: Asked) -> None:
        """Set what the job is known by: the same work, by as many processes, at the same kind of place."""
        self._place = Location(lake.settings.root.joinpath(*_LAUNCHED), private=True)
        self._name = f"{asked.model}.{lake.settings.launcher}.json"
        same = [dict(asked.work), asked.ranks]
        self._digest = hashlib.sha256(json.dumps(same, sort_keys=True, default=str).encode()).hexdigest()

    def keep(self, job: TrainingJob, handle: str) -> None:
        """Remember a job; without the documents that the backend has."""
        said = {"same": self._digest, "handle": handle, "job": job.model_dump(mode="json", exclude={"files"})}
        self._place.write_bytes(self._name, json.dumps(said).encode())

    def found(self, backend: Backend) -> tuple[TrainingJob, str] | None:
        """The job that trains the model now, or has just done so; None: there is none.

        Raises:
            LaunchError: if another training of that name is running there.
        """
        try:
            said = json.loads(self._place.read_bytes(self._name))
        except FileNotFoundError:
            return None
        handle = str(said["handle"])
        try:
            phase = backend.poll(handle).phase
        except LaunchError:  # nobody there knows it any more
            return None
        if phase in (Phase.FAILED, Phase.STOPPED):
            return None
        if said["same"] == self._digest:
            return TrainingJob.model_validate(said["job"]), handle
        if phase is Phase.DONE:
            return None
        raise LaunchError(
            f"found job {handle.partition(':')[0]} training another model of this name, needed none; wait for it, stop "
            "it, or choose another name"
        )

    def forget(self) -> None:
        """The job is over."""
        self._place.delete(self._name)
