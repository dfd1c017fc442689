"""SageMaker on moto: jobs, their lines in CloudWatch, their checkpoints in S3, and what is said when AWS says no."""

import json
import time

import pytest

from orchestration.launchers.backend import LaunchError, Phase, Unreachable
from orchestration.launchers.sagemaker_jobs import LOG_GROUP, SageMakerBackend
from schemas.job import Access, Input

pytestmark = pytest.mark.s3


@pytest.fixture
def account(monkeypatch):
    """An account of AWS that is not there, with the bucket `lake` and the log group of training jobs."""
    moto = pytest.importorskip("moto", reason="found no moto, needed it for an AWS that is not there")
    import boto3

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        boto3.client("s3").create_bucket(Bucket="lake")
        boto3.client("logs").create_log_group(logGroupName=LOG_GROUP)
        yield boto3


@pytest.fixture
def backend(account, sagemaker_document):
    """Training jobs of that account."""
    return SageMakerBackend(sagemaker_document())


def set_state(handle, status, detail, **more):
    """What SageMaker says of a job from now on: moto's jobs are done as soon as they begin."""
    from moto.sagemaker.models import sagemaker_backends

    (kept,) = [b["us-east-1"] for b in sagemaker_backends.values() if handle in b["us-east-1"].training_jobs]
    found = kept.training_jobs[handle]
    found.training_job_status, found.secondary_status = status, detail
    for name, value in more.items():
        setattr(found, name, value)


def wrote(account, stream, *lines):
    """Have an instance write lines."""
    logs = account.client("logs")
    if not logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=stream)["logStreams"]:
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)


def keys(account):
    """What is in the bucket."""
    return sorted(each["Key"] for each in account.client("s3").list_objects_v2(Bucket="lake").get("Contents", []))


def test_a_job_is_created_with_its_documents_in_s3(backend, account, job):
    staged = Input(name="volumes", place="s3://lake/curated/volumes", access=Access.STAGE, files=["a/part-0.parquet"])
    handle = backend.submit(job(inputs=[staged]))
    asked = account.client("sagemaker").describe_training_job(TrainingJobName=handle)
    assert asked["CheckpointConfig"] == {"S3Uri": "s3://lake/training/brain/saved", "LocalPath": "/opt/ml/checkpoints"}
    assert keys(account) == ["training/brain/job/job.yaml", "training/brain/lists/volumes-files.json"]
    body = account.client("s3").get_object(Bucket="lake", Key="training/brain/lists/volumes-files.json")["Body"].read()
    assert json.loads(body) == [{"prefix": "s3://lake/curated/volumes/"}, "a/part-0.parquet"]
    tags = account.client("sagemaker").list_tags(ResourceArn=asked["TrainingJobArn"])["Tags"]
    assert {"Key": "larmor:release", "Value": "r"} in tags


def test_states_of_sagemaker_are_those_of_a_job(backend, job):
    handle = backend.submit(job())
    for status, detail, phase in (
        ("InProgress", "Starting", Phase.WAITING),
        ("InProgress", "Interrupted", Phase.WAITING),
        ("InProgress", "Training", Phase.RUNNING),
        ("Stopping", "Stopping", Phase.RUNNING),
        ("Stopped", "MaxWaitTimeExceeded", Phase.STOPPED),
        ("Failed", "Failed", Phase.FAILED),
    ):
        set_state(handle, status, detail)
        assert backend.poll(handle).phase is phase
    set_state(handle, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1", billable_time_in_seconds=90)
    state = backend.poll(handle)
    assert (state.reason, state.seconds) == ("AlgorithmError: exit code 1", 90)
    set_state(handle, "Completed", "Completed")
    assert backend.poll(handle).numbers == {"train:progress": 100.0}


def test_lines_of_the_first_instance_come_once_and_go_on_after_an_interruption(backend, account, job):
    handle = backend.submit(job())
    assert backend.logs(handle, None).lines == ()
    wrote(account, f"{handle}/algo-1-100", "one", "two\nthree")
    wrote(account, f"{handle}/algo-2-100", "of another instance")
    first = backend.logs(handle, None)
    assert first.lines == ("one", "two", "three")
    assert backend.logs(handle, first.cursor).lines == ()
    wrote(account, f"{handle}/algo-1-200", "four")
    assert backend.logs(handle, first.cursor).lines == ("four",)


def test_a_model_is_collected_whole_and_its_copies_in_s3_are_removed(backend, account, job, tmp_path):
    s3 = account.client("s3")
    asked = job()
    backend.submit(asked)
    with pytest.raises(LaunchError, match="found no finished model brain"):
        backend.collect(asked, "brain", tmp_path / "brain")
    for name in ("weights.safetensors", "manifest.json", "plots/loss.png"):
        s3.put_object(Bucket="lake", Key=f"training/brain/saved/brain/{name}", Body=name.encode())
    s3.put_object(Bucket="lake", Key="training/brain/saved/.runs/brain/resume/step-4.json", Body=b"{}")
    s3.put_object(Bucket="lake", Key="training/brainstem/saved/x", Body=b"of another model")
    backend.collect(asked, "brain", tmp_path / "brain")
    assert (tmp_path / "brain" / "plots" / "loss.png").read_bytes() == b"plots/loss.png"
    assert sorted(p.name for p in (tmp_path / "brain").iterdir()) == ["manifest.json", "plots", "weights.safetensors"]
    backend.clear(asked)
    assert keys(account) == ["training/brainstem/saved/x"]


@pytest.mark.parametrize("name", ["../../escaped", "a/../../../escaped"])
def test_an_object_whose_name_leads_out_of_the_model_is_not_written(backend, account, job, tmp_path, name):
    s3 = account.client("s3")
    for each in ("manifest.json", name):
        s3.put_object(Bucket="lake", Key=f"training/brain/saved/brain/{each}", Body=b"x")
    target = tmp_path / "below" / "models" / "brain"
    with pytest.raises(LaunchError, match="would lie outside of its model"):
        backend.collect(job(), "brain", target)
    assert not list(tmp_path.rglob("escaped"))


def test_a_job_is_stopped_and_one_that_has_ended_is_left(backend, job, monkeypatch):
    asked = []

    class Client:
        def stop_training_job(self, **arguments):
            asked.append(arguments)
            raise refused("ValidationException", "it has ended")

    stopping = SageMakerBackend(backend.document, clients=lambda _service: Client())
    stopping.cancel("larmor-x")
    assert asked == [{"TrainingJobName": "larmor-x"}]


def refused(code, message):
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": message}}, "any")


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (refused("ThrottlingException", "slow"), Unreachable, "AWS answered ThrottlingException"),
        (refused("ResourceLimitExceeded", "0 of ml.p5"), LaunchError, r"\(0 of ml.p5\), needed a quota"),
        (refused("AccessDeniedException", "user Jane Doe"), LaunchError, "needed the rights in docs"),
    ],
)
def test_what_aws_says_becomes_what_to_do_and_names_nobody(backend, error, kind, told):
    class Client:
        def describe_training_job(self, **_arguments):
            raise error

    with pytest.raises(kind, match=told) as raised:
        SageMakerBackend(backend.document, clients=lambda _service: Client()).poll("larmor-x")
    assert "Jane" not in str(raised.value)
