"""Amazon SageMaker: training jobs by their request, their logs in CloudWatch, their checkpoints in S3.

Belongs here: calling AWS, with the ordinary chain of credentials. The request is `orchestration.launchers.sagemaker`.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lake.stores import aws
from lake.stores.storage import Location
from orchestration.launchers.backend import LaunchError, Lines, Phase, State, Unreachable
from orchestration.launchers.sagemaker import list_name, request, saved, staged_list
from schemas.checkpoint import MANIFEST
from schemas.job import Access, TrainingJob
from schemas.launching import SageMakerLaunching

_T = TypeVar("_T")

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_FIRST = "algo-1-"
"""Begin of the stream of the first instance, which alone speaks."""

_PHASES = {
    "Completed": Phase.DONE,
    "Failed": Phase.FAILED,
    "Stopped": Phase.STOPPED,
    "Stopping": Phase.RUNNING,
    "Deleting": Phase.STOPPED,
}
_WAITING = {"Starting", "Pending", "LaunchingMLInstances", "PreparingTrainingStack", "Restarting", "Interrupted"}

_REMEDIES = {
    "AccessDeniedException": "needed the rights in docs/how-to/train-on-sagemaker.md; ask whoever keeps the role",
    "ResourceLimitExceeded": "needed a quota for this instance; ask AWS for it, or choose another instance",
    "ResourceInUse": "needed another name; run again",
    "ExpiredTokenException": "needed valid credentials; renew them and run again",
    "UnrecognizedClientException": "needed credentials that AWS knows; set them and run again",
    "ValidationException": "needed a request that it accepts; compare the launching document with what it says",
}
_PASSING = {"ThrottlingException", "Throttling", "InternalFailure", "ServiceUnavailable", "RequestTimeout"}


def _client(service: str) -> Any:
    import boto3

    # a session of its own: boto3's default one keeps the credentials of its first call
    return boto3.Session(region_name=aws.region()).client(service)


@dataclass(frozen=True)
class SageMakerBackend:
    """Training jobs of one account and region.

    Attributes:
        document: what the installation says of SageMaker.
        access: how the bucket of checkpoints is reached.
        clients: gives a boto3 client by the name of its service.
    """

    document: SageMakerLaunching
    access: aws.Access = aws.ORDINARY
    clients: Callable[[str], Any] = _client

    def submit(self, job: TrainingJob) -> str:
        """Put a job's documents into S3 and create it; the handle is its name."""
        asked = request(job, self.document)
        for name, content in job.files.items():
            self._at(f"{job.checkpoint}/job").write_bytes(name, content.encode())
        for each in job.inputs:
            if each.files and each.access is Access.STAGE:
                listed = json.dumps(staged_list(each.place, each.files))
                self._at(f"{job.checkpoint}/lists").write_bytes(list_name(each), listed.encode())
        _told(lambda: self.clients("sagemaker").create_training_job(**asked))
        return job.name

    def poll(self, handle: str) -> State:
        """What SageMaker says of the job, with the last of its curves."""
        said = _told(lambda: self.clients("sagemaker").describe_training_job(TrainingJobName=handle))
        status, detail = said["TrainingJobStatus"], said.get("SecondaryStatus", "")
        phase = _PHASES.get(status) or (Phase.WAITING if detail in _WAITING else Phase.RUNNING)
        numbers = {each["MetricName"]: float(each["Value"]) for each in said.get("FinalMetricDataList", [])}
        reason = said.get("FailureReason") or (detail if phase is not Phase.DONE else "")
        return State(phase, reason, said.get("BillableTimeInSeconds"), numbers)

    def logs(self, handle: str, cursor: str | None) -> Lines:
        """New events of the first instance's streams, one for each time that the job was started."""
        tokens: dict[str, str] = json.loads(cursor or "{}")
        lines: list[str] = []
        for stream in self._streams(handle):
            while True:
                token = {"nextToken": tokens[stream]} if stream in tokens else {}
                asked = {"logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": True, **token}
                said = _told(lambda asked=asked: self.clients("logs").get_log_events(**asked))  # type: ignore[misc]
                lines += [line for event in said["events"] for line in event["message"].splitlines()]
                before, tokens[stream] = tokens.get(stream), said["nextForwardToken"]
                if before == tokens[stream] or not said["events"]:
                    break
        return Lines(tuple(lines), json.dumps(tokens))

    def cancel(self, handle: str) -> None:
        """Have SageMaker tell the job to save and end."""
        with suppress(LaunchError):  # it has ended meanwhile
            _told(lambda: self.clients("sagemaker").stop_training_job(TrainingJobName=handle))

    def collect(self, job: TrainingJob, name: str, target: Path) -> None:
        """Download the finished model; what makes it complete comes last."""
        made = self._at(saved(job)).join(name)
        names = made.walk()
        if MANIFEST not in names:
            raise LaunchError(
                f"found no finished model {name} at the checkpoint of job {job.name}, needed one; run again, the "
                "training goes on from the last saved step"
            )
        for file in [*sorted(set(names) - {MANIFEST}), MANIFEST]:
            place = target / file
            if not place.resolve().is_relative_to(target.resolve()):
                raise LaunchError("found a file that would lie outside of its model, needed none; look at the bucket")
            place.parent.mkdir(parents=True, exist_ok=True)
            made.download(file, place)

    def clear(self, job: TrainingJob) -> None:
        """Remove what the job left in S3: a copy of the model that no withdrawal knows of."""
        place = self._at(job.checkpoint)
        for name in place.walk():
            place.delete(name)

    def _at(self, uri: str) -> Location:
        return Location(uri, private=True, access=self.access)

    def _streams(self, handle: str) -> list[str]:
        asked = {"logGroupName": LOG_GROUP, "logStreamNamePrefix": f"{handle}/{_FIRST}"}
        try:
            found = _told(lambda: self.clients("logs").describe_log_streams(**asked))
        except LaunchError:  # nothing was written yet
            return []
        return sorted(each["logStreamName"] for each in found["logStreams"])


def _told(ask: Callable[[], _T]) -> _T:
    """What AWS answers.

    Raises:
        LaunchError: if it says no; names of people and roles, which its own words may hold, are left out.
        Unreachable: if it does not answer, or has too much to do.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except ClientError as error:
        said = error.response.get("Error", {})
        code = said.get("Code", "unknown")
        if code in _PASSING:
            raise Unreachable(f"AWS answered {code}") from None
        words = f" ({said.get('Message', '')})" if code in ("ValidationException", "ResourceLimitExceeded") else ""
        raise LaunchError(f"AWS answered {code}{words}, {_REMEDIES.get(code, 'needed yes; look it up')}") from None
    except BotoCoreError as error:
        raise Unreachable(f"AWS was not reached ({type(error).__name__})") from None
