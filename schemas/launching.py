"""What an installation says of the place where its trainings run: `LARMOR_LAUNCHING`, one document.

Belongs here: fields and rules of each backend's document. A single training is `schemas.job`.
"""

import datetime as dt
from typing import Literal

from pydantic import Field, model_validator

from schemas.document import Document
from schemas.job import Image, Resources, Resume, Variables

_S3 = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?$"


class NodePrice(Document):
    """What a node costs, on a day."""

    per_hour: float = Field(ge=0)
    """Price of one node and hour."""
    currency: str = Field(min_length=1)
    """Currency."""
    date: dt.date
    """Day the price was read."""
    source: str = Field(min_length=1)
    """Where it was read."""


class Launching(Document):
    """What is common to all backends."""

    nodes: int = Field(default=1, ge=1)
    """Machines of a training; its processes are shared out evenly."""
    resources: Resources = Resources()
    """What each of them has."""
    env: Variables = Field(default_factory=dict)
    """Environment variables for every training, such as `NCCL_SOCKET_IFNAME` or `LARMOR_STAGING`. No secrets."""
    max_run_s: int = Field(default=24 * 3600, ge=1)
    """Seconds that a training may run."""
    max_wait_s: int | None = Field(default=None, ge=1)
    """Seconds from submitting to the end, waiting for machines included; None: no bound."""
    grace_s: int = Field(default=90, ge=15)
    """Seconds that a training gets to save when it is told to stop; it needs at most a step and a write."""
    resume: Resume = Resume.RESUME
    """What becomes of a training that is interrupted."""
    price: NodePrice | None = None
    """What a node costs; None: not known, and no bound of a training's cost is told."""
    most: float | None = Field(default=None, gt=0)
    """Most that one training may cost, in the price's currency; None: no bound."""

    @model_validator(mode="after")
    def _priced(self) -> "Launching":
        if self.most is not None and self.price is None:
            raise ValueError("price: found none beside most, needed what a node costs; without it nothing is bounded")
        return self


class SageMakerLaunching(Launching):
    """Amazon SageMaker training jobs."""

    image: Image
    """Container image in ECR, by digest, with this project installed."""
    role: str = Field(min_length=20)
    """ARN of the role that a job has: it reads the curated zone, and writes `checkpoints`."""
    instance: str = Field(pattern=r"^ml\.\S+$")
    """Type of instance."""
    checkpoints: str = Field(pattern=_S3)
    """Prefix for what running trainings save; what is there is removed when a model was collected."""
    python: str = "python"
    """Python interpreter in the image."""
    data: Literal["file", "fastfile", "fsx"] = "fastfile"
    """How a job reads the release: copied first, read from S3 when touched, or by FSx for Lustre."""
    fsx: str | None = Field(default=None, pattern=r"^fsx://fs-[0-9a-f]{8,}/\S+$")
    """With `data: fsx`: the file system and its directory that corresponds to the curated zone."""
    subnets: list[str] = Field(default_factory=list)
    """Subnets of a VPC; FSx needs them."""
    security_groups: list[str] = Field(default_factory=list)
    """Security groups in that VPC."""
    kms_key: str | None = None
    """KMS key of volumes and outputs; None: as the account is set."""
    encrypt_traffic: bool = True
    """Whether traffic between nodes is encrypted."""
    spot: bool = False
    """Managed spot training: cheaper, interrupted and resumed."""
    keep_alive_s: int = Field(default=0, ge=0, le=3600)
    """Seconds that instances are kept for the next job (a warm pool, which is billed); 0: not."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of every job, such as a cost centre. Nothing secret, nobody's name."""

    @model_validator(mode="after")
    def _possible(self) -> "SageMakerLaunching":
        if self.spot and self.keep_alive_s:
            raise ValueError(
                "keep_alive_s: found a warm pool with spot, needed one of them; SageMaker has no warm spot"
            )
        if self.spot and (self.max_wait_s is None or self.max_wait_s <= self.max_run_s):
            raise ValueError("max_wait_s: found no more than max_run_s, needed more with spot: it waits for capacity")
        if (self.data == "fsx") != (self.fsx is not None):
            raise ValueError(
                "fsx: found data: fsx without a file system or the other way round, needed both or neither"
            )
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("found one of subnets and security_groups, needed both or neither")
        if self.fsx is not None and not self.subnets:
            raise ValueError("subnets: found none with FSx for Lustre, needed those that reach the file system")
        return self


class SlurmLaunching(Launching):
    """A Slurm cluster whose nodes see the lake's root, and this machine's Python, at the same paths."""

    python: str
    """Path of the Python interpreter on the nodes, of an environment with this project installed."""
    partition: str | None = None
    """Partition; None: the cluster's default."""
    account: str | None = None
    """Account that is charged; None: the submitter's default."""
    qos: str | None = None
    """Quality of service; None: the default."""
    constraint: str | None = None
    """Features that nodes must have; None: any."""


class KubernetesLaunching(Launching):
    """A Kubernetes cluster with Kubeflow Trainer v2 (2.2 or newer), whose pods mount the lake's root."""

    image: Image
    """Container image by digest, with this project installed."""
    python: str = "python"
    """Python interpreter in the image."""
    namespace: str = Field(default="default", pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    """Namespace of the jobs."""
    runtime: str = "torch-distributed"
    """Cluster training runtime."""
    context: str | None = None
    """Context of kubectl's configuration; None: the current one."""
    service_account: str | None = None
    """Service account of the pods; None: the namespace's default."""
    claims: dict[str, str] = Field(min_length=1)
    """Persistent volume claims to the paths where they are mounted; one must hold the lake's root, at its path here."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that nodes must have."""
    image_pull_secrets: list[str] = Field(default_factory=list)
    """Names of the secrets that let the image be pulled."""
