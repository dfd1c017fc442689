"""Amazon SageMaker: the request of a training job.

Belongs here: from a job description to `CreateTrainingJob`, as a pure function. Calling AWS is
`orchestration.launchers.sagemaker_jobs`; what runs inside an instance is `orchestration.launchers.sagemaker_node`.
Source of fields and bounds: botocore's service model of SageMaker.
"""

from typing import Any
from urllib.parse import urlsplit

from orchestration.launchers.backend import LaunchError
from schemas.job import Access, Input, TrainingJob
from schemas.launching import SageMakerLaunching

DATA = "/opt/ml/input/data"
"""Where channels appear in an instance."""

CHECKPOINTS = "/opt/ml/checkpoints"
"""Folder that SageMaker keeps like the checkpoint's prefix, both ways."""

JOB = "job"
"""Channel of a job's documents."""

ENTRY = "orchestration.launchers.sagemaker_node"

STOP_S = 120
"""Seconds between the signal and the end, which SageMaker does not let anybody change."""

_CHANNELS, _VARIABLES, _VALUE, _ARGUMENT = 20, 100, 512, 256
_DEFAULT_DISK_GIB = 30

METRICS = {
    "loss": r"step \d+ of \d+.*? loss ([0-9.e+-]+)",
    "samples_per_s": r"step \d+ of \d+.*? samples_per_s ([0-9.e+-]+)",
    "mfu": r"step \d+ of \d+.*? mfu ([0-9.e+-]+)",
}
"""Curves that SageMaker draws from the lines of progress."""


def request(job: TrainingJob, document: SageMakerLaunching) -> dict[str, Any]:
    """The request `CreateTrainingJob` of a job.

    Args:
        job: the job; its checkpoint is an `s3://` prefix, below which its documents are put.
        document: what the installation says of SageMaker.

    Raises:
        LaunchError: if SageMaker cannot run it so.
    """
    assert job.image is not None, "jobs of this backend run in an image"
    _check(job)
    key = document.kms_key
    return {
        "TrainingJobName": job.name,
        "RoleArn": document.role,
        "AlgorithmSpecification": {
            "TrainingImage": job.image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": [document.python, "-m", ENTRY],
            "ContainerArguments": arguments(job),
            "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
        },
        "InputDataConfig": [_documents(job), *(_channel(job, each) for each in job.inputs)],
        # what SageMaker would pack from /opt/ml/model: nothing, the model is in the checkpoint
        "OutputDataConfig": {"S3OutputPath": f"{job.checkpoint}/output"} | ({"KmsKeyId": key} if key else {}),
        "ResourceConfig": _resources(job, document),
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_run_s}
        | ({"MaxWaitTimeInSeconds": job.max_wait_s} if job.spot else {}),
        "EnableManagedSpotTraining": job.spot,
        "CheckpointConfig": {"S3Uri": f"{job.checkpoint}/saved", "LocalPath": CHECKPOINTS},
        "Environment": job.env,
        # the job reads the table's log and index from S3 by itself
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": document.encrypt_traffic and job.nodes > 1,
        "Tags": [{"Key": f"larmor:{name}", "Value": value} for name, value in sorted(job.labels.items())]
        + [{"Key": name, "Value": value} for name, value in sorted(document.tags.items())],
    } | _network(document)


def arguments(job: TrainingJob) -> list[str]:
    """What the entry of an instance is told: processes, grace, and what each process runs."""
    return [str(job.processes), str(min(job.grace_s, STOP_S - 15)), job.name, *job.command]


def saved(job: TrainingJob) -> str:
    """The prefix that holds what a job saved, and its finished model."""
    return f"{job.checkpoint}/saved"


def staged_list(place: str, files: list[str]) -> list[Any]:
    """The list of an input's files, as SageMaker reads it (`ManifestFile`)."""
    return [{"prefix": f"{place.rstrip('/')}/"}, *files]


def list_name(each: Input) -> str:
    """Name of the document that lists an input's files."""
    return f"{each.name.lower()}-files.json"


def _check(job: TrainingJob) -> None:
    if not job.checkpoint.startswith("s3://"):
        raise LaunchError("checkpoint: found a folder, needed an s3:// prefix; SageMaker keeps checkpoints in S3 alone")
    if len(job.inputs) >= _CHANNELS:
        raise LaunchError(f"found {len(job.inputs)} inputs, needed fewer than {_CHANNELS}: one channel each")
    if len(job.env) > _VARIABLES or any(len(value) > _VALUE for value in job.env.values()):
        raise LaunchError(
            f"env: found more than {_VARIABLES} variables, or one longer than {_VALUE} characters, needed less; put it "
            "into the image"
        )
    if any(len(text) > _ARGUMENT for text in job.command):
        raise LaunchError(f"command: found a word longer than {_ARGUMENT} characters, needed shorter ones")


def _documents(job: TrainingJob) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{job.checkpoint}/job/", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": JOB, "InputMode": "File", "DataSource": {"S3DataSource": source}}


def _channel(job: TrainingJob, each: Input) -> dict[str, Any]:
    """An input as a channel: a file system, a prefix that is streamed, or files that are copied first."""
    if each.access is Access.MOUNT:
        place = urlsplit(each.place)
        if place.scheme != "fsx":
            raise LaunchError(f"input {each.name}: found another file system, needed fsx://ID/DIRECTORY")
        system = {
            "FileSystemId": place.netloc,
            "FileSystemType": "FSxLustre",
            "FileSystemAccessMode": "ro",
            "DirectoryPath": place.path,
        }
        return {"ChannelName": each.name, "DataSource": {"FileSystemDataSource": system}}
    streamed = each.access is Access.STREAM
    listed = bool(each.files) and not streamed
    source = {
        "S3DataType": "ManifestFile" if listed else "S3Prefix",
        "S3Uri": f"{job.checkpoint}/lists/{list_name(each)}" if listed else f"{each.place.rstrip('/')}/",
        "S3DataDistributionType": "FullyReplicated",
    }
    mode = "FastFile" if streamed else "File"
    return {"ChannelName": each.name, "InputMode": mode, "DataSource": {"S3DataSource": source}}


def _resources(job: TrainingJob, document: SageMakerLaunching) -> dict[str, Any]:
    found: dict[str, Any] = {
        "InstanceType": document.instance,
        "InstanceCount": job.nodes,
        "VolumeSizeInGB": job.resources.disk_gib or _DEFAULT_DISK_GIB,
    }
    if document.kms_key:
        found["VolumeKmsKeyId"] = document.kms_key
    if document.keep_alive_s and not job.spot:
        found["KeepAlivePeriodInSeconds"] = document.keep_alive_s
    return found


def _network(document: SageMakerLaunching) -> dict[str, Any]:
    if not document.subnets:
        return {}
    return {"VpcConfig": {"Subnets": document.subnets, "SecurityGroupIds": document.security_groups}}
