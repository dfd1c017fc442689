"""From what an asset asks for to a job description: where things are for a job that runs elsewhere.

Belongs here: pure functions of settings, documents and digests. Asking, launching and collecting is
`orchestration.launchers.away`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from lake.settings import Settings
from lake.stores import aws
from lake.zones import Lake
from lineage.principal import principal
from orchestration.launchers import sagemaker
from orchestration.launchers.backend import LaunchError
from schemas.job import Access, Input, TrainingJob
from schemas.launching import KubernetesLaunching, Launching, SageMakerLaunching, SlurmLaunching

JOB = "job.yaml"
"""The document that says what to train, beside the one that opens Pipes."""

_MODULE = "assets.training_process"
_NODE_ROOT = "/tmp/larmor"  # noqa: S108 - of an instance that nobody shares
_POD_FOLDER = "/larmor/job"
_GIB = 2**30


@dataclass(frozen=True)
class Asked:
    """What an asset asks for.

    Attributes:
        work: the job of `training.run`: kind, release, name, preset, parent, config.
        ranks: processes.
        labels: run, asset, model, release, decision.
        turn: tells this try from all others: eight letters or digits of the run, and its number.
        files: table to path to bytes of what the release needs.
    """

    work: Mapping[str, Any]
    ranks: int
    labels: Mapping[str, str]
    turn: str
    files: Mapping[str, Mapping[str, int]]

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.work["name"])

    @property
    def bytes(self) -> int:
        """Of all files of the release."""
        return sum(size for files in self.files.values() for size in files.values())


def described(asked: Asked, document: Launching, settings: Settings, desk: Path) -> TrainingJob:
    """The job description of what an asset asks for.

    Args:
        asked: what it asks for.
        document: what the installation says of the backend.
        settings: of the lake.
        desk: folder of this machine where the model is made, `training.shelf.desk`.

    Raises:
        LaunchError: if the backend cannot run it so; the message says what to change.
    """
    nodes = min(document.nodes, asked.ranks)  # a fine-tuning is one process, whatever there is
    if asked.ranks % nodes:
        raise LaunchError(
            f"found {asked.ranks} ranks for {nodes} nodes, needed a multiple; give --ranks, or change nodes"
        )
    processes = asked.ranks // nodes
    if document.resources.gpus and processes > document.resources.gpus:
        raise LaunchError(
            f"found {processes} processes for {document.resources.gpus} GPUs of a node, needed one each at most; give "
            "fewer --ranks, or more nodes"
        )
    common = {
        "name": job_name(asked.model, asked.turn),
        "nodes": nodes,
        "processes": processes,
        "resources": document.resources,
        "grace_s": document.grace_s,
        "max_run_s": document.max_run_s,
        "max_wait_s": document.max_wait_s,
        "resume": document.resume,
        "labels": dict(asked.labels),
    }
    if isinstance(document, SageMakerLaunching):
        return _on_sagemaker(asked, document, settings, common)
    return _on_shared(asked, document, settings, desk, common)


def job_name(model: str, turn: str) -> str:
    """A name that every backend takes, another one for every model and turn."""
    told = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:16].strip("-")
    return f"larmor-{told}-{hashlib.sha256(model.encode()).hexdigest()[:4]}-{turn}"


def checked(asked: Asked, job: TrainingJob, document: Launching) -> float | None:
    """Whether the release fits the nodes' disks, and the bound of the cost the installation's.

    Returns:
        The most that the job can cost, in the price's currency; None: no price is known.

    Raises:
        LaunchError: if it does not fit, or may cost too much.
    """
    copied = "LARMOR_STAGING" in job.env or any(each.access is Access.STAGE and each.files for each in job.inputs)
    disk = job.resources.disk_gib
    if copied and disk is not None and asked.bytes > disk * _GIB:
        raise LaunchError(
            f"release {asked.work['release']}: found {asked.bytes / _GIB:.1f} GiB for a disk of {disk} GiB, needed "
            "room; raise resources.disk_gib, or have the release read without copying it"
        )
    if document.price is None:
        return None
    bound = job.nodes * job.max_run_s / 3600 * document.price.per_hour
    if document.most is not None and bound > document.most:
        raise LaunchError(
            f"found a training that may cost {bound:.2f} {document.price.currency} ({job.nodes} nodes for "
            f"{job.max_run_s / 3600:.1f} h at the price of {document.price.date}), needed {document.most:.2f} at "
            "most; lower max_run_s or nodes, or raise most in the launching document"
        )
    return bound


def _work(asked: Asked, root: str, out: str, parent: str | None) -> str:
    return yaml.safe_dump({**asked.work, "root": root, "out": out, "parent": parent})


def _on_shared(
    asked: Asked, document: Launching, settings: Settings, desk: Path, common: Mapping[str, Any]
) -> TrainingJob:
    """Slurm and Kubernetes: the nodes see the root, and the model is made on the desk."""
    if isinstance(document, SlurmLaunching):
        folder, code = str(settings.root / "scratch" / "jobs" / common["name"]), {"environment": document.python}
    else:
        assert isinstance(document, KubernetesLaunching), "every other backend has its own"
        folder, code = _POD_FOLDER, {"image": document.image}
    parent = asked.work.get("parent")
    beside = str(desk.parent / parent) if parent and "/" not in parent else parent
    return TrainingJob(
        **common,
        **code,
        command=["--module", _MODULE, f"{folder}/{JOB}"],
        env=_variables(settings, document, str(settings.root), common["processes"]),
        files={JOB: _work(asked, str(settings.root), str(desk), beside)},
        folder=folder,
        inputs=[Input(name=table, place=f"{settings.place('curated')}/{table}", access=Access.MOUNT)
                for table in sorted(asked.files)],
        checkpoint=str(desk.parent),
    )  # fmt: skip


def _on_sagemaker(
    asked: Asked, document: SageMakerLaunching, settings: Settings, common: Mapping[str, Any]
) -> TrainingJob:
    """SageMaker: everything lies in S3, tables are channels, and what is saved is kept there."""
    curated, models = settings.place("curated"), settings.place("models")
    if not isinstance(curated, str) or not isinstance(models, str):
        raise LaunchError("found the curated or the models zone in a folder, needed both on S3, which SageMaker reads")
    _refuse_shards(asked, document)
    inputs = [_table(document, curated, table, list(files)) for table, files in sorted(asked.files.items())]
    parent = asked.work.get("parent")
    if parent:
        inputs.append(Input(name="parent", place=f"{models}/{parent}", access=Access.STAGE))
    folder = f"{sagemaker.DATA}/{sagemaker.JOB}"
    work = _work(asked, _NODE_ROOT, f"{sagemaker.CHECKPOINTS}/{asked.model}", parent and f"{sagemaker.DATA}/parent")
    return TrainingJob(
        **common,
        image=document.image,
        command=["--module", _MODULE, f"{folder}/{JOB}"],
        env={"LARMOR_MOUNT_CURATED": sagemaker.DATA, **_variables(settings, document, _NODE_ROOT, common["processes"])},
        files={JOB: work},
        folder=folder,
        inputs=inputs,
        checkpoint=f"{document.checkpoints.rstrip('/')}/{asked.model}",
        spot=document.spot,
    )


def _table(document: SageMakerLaunching, curated: str, table: str, files: list[str]) -> Input:
    if document.fsx is not None:
        return Input(name=table, place=f"{document.fsx.rstrip('/')}/{table}", access=Access.MOUNT)
    if document.data == "fastfile":
        return Input(name=table, place=f"{curated}/{table}", access=Access.STREAM)
    return Input(name=table, place=f"{curated}/{table}", access=Access.STAGE, files=files)


def _refuse_shards(asked: Asked, document: SageMakerLaunching) -> None:
    """Shards of several instances would each lie on one of them, and nobody would see a whole checkpoint."""
    from training.config.presets import configured

    config = configured(asked.work["preset"], asked.work["kind"], asked.work["config"])
    if min(document.nodes, asked.ranks) > 1 and config.strategy == "fsdp":
        raise LaunchError(
            "strategy: found fsdp on several instances of SageMaker, needed ddp or one instance: its checkpoint folder "
            "is not shared between them"
        )


def _variables(settings: Settings, document: Launching, root: str, processes: int) -> dict[str, str]:
    """What a job must know of the lake: the root, the curated zone, the way there, and whom it acts for, where, why.

    Other zones stay unknown to it. A node's own user and country are not those that the terms were asked for.
    """
    from training.launch import environment

    own = environment(processes, document.resources.cpus or processes)
    del own["GLOO_SOCKET_IFNAME"]  # the loopback interface, which leads to no other node
    curated = settings.place("curated")
    found = {"LARMOR_ROOT": root, "LARMOR_CURATED": str(curated), "LARMOR_PRINCIPAL": principal(Lake(settings))}
    found |= {"LARMOR_COUNTRY": settings.country} if settings.country else {}
    found |= {"LARMOR_PURPOSE": settings.purpose} if settings.purpose else {}
    if isinstance(curated, str):
        # a profile is a matter of this machine's configuration
        access = {k: v for k, v in asdict(settings.access("curated")).items() if v and k != "profile"}
        found |= {"LARMOR_CURATED_ACCESS": json.dumps(access)} if access else {}
        found |= {"AWS_REGION": region} if (region := aws.region()) else {}
        found |= {"AWS_ENDPOINT_URL_S3": address} if (address := aws.endpoint()) else {}
    return own | found | document.env
