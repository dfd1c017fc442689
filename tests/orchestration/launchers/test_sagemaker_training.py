"""A training through SageMaker, from the asset to the record: jobs, logs and buckets on moto, an instance here."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lake.zones import Lake
from lineage.ledger.ledger import entries
from orchestration.launchers import away, compose, sagemaker
from orchestration.launchers.sagemaker_jobs import LOG_GROUP, SageMakerBackend, _client

pytestmark = [pytest.mark.slow, pytest.mark.s3]


class Instance:
    """A client of SageMaker that runs the jobs it creates, as their only instance would."""

    def __init__(self, bucket, place):
        self.bucket, self.place, self.client = bucket, place, _client("sagemaker")

    def __getattr__(self, name):
        return getattr(self.client, name)

    def create_training_job(self, **request):
        """Create it, and do what SageMaker does: documents in, one process, lines and checkpoints out."""
        answer = self.client.create_training_job(**request)
        documents = self.place / "data" / "job"
        documents.mkdir(parents=True)
        for key, body in self._under("training/synthetic-tiny/job/"):
            (documents / key).write_bytes(body)
        work = request["AlgorithmSpecification"]["ContainerArguments"][3:]
        secrets = {k: v for k, v in os.environ.items() if k.startswith("AWS_")}
        done = subprocess.run(
            [sys.executable, "-m", work[1], work[2]],
            env=secrets | {"PATH": os.environ["PATH"]} | request["Environment"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        self._write(f"{request['TrainingJobName']}/algo-1-1", done.stdout)
        for path in (self.place / "checkpoints").rglob("*"):
            if path.is_file():
                key = path.relative_to(self.place / "checkpoints").as_posix()
                self.bucket.put_object(
                    Bucket="lake", Key=f"training/synthetic-tiny/saved/{key}", Body=path.read_bytes()
                )
        return answer

    def _under(self, prefix):
        for item in self.bucket.list_objects_v2(Bucket="lake", Prefix=prefix)["Contents"]:
            body = self.bucket.get_object(Bucket="lake", Key=item["Key"])["Body"].read()
            yield item["Key"].removeprefix(prefix), body

    def _write(self, stream, text):
        logs = _client("logs")
        logs.create_log_group(logGroupName=LOG_GROUP)
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in text.splitlines() if line]
        logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)


@pytest.fixture
def on_sagemaker(root, bucket, sagemaker_document, tmp_path, monkeypatch):
    """Settings that have trainings run there, on a release in S3; gives where the instance's folders lie."""
    for path in (root / "curated").rglob("*"):
        if path.is_file():
            bucket.put_object(Bucket="lake", Key=str(path.relative_to(root)), Body=path.read_bytes())
    document = tmp_path / "sagemaker.yaml"
    sagemaker_document(spot=True, max_run_s=3600, max_wait_s=7200).write(document)
    told = {
        "LAUNCHER": "sagemaker",
        "LAUNCHING": document,
        "CURATED": "s3://lake/curated",
        "MODELS": "s3://lake/models",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"LARMOR_{name}", str(value))
    place = tmp_path / "instance"
    monkeypatch.setattr(sagemaker, "DATA", str(place / "data"))
    monkeypatch.setattr(sagemaker, "CHECKPOINTS", str(place / "checkpoints"))
    monkeypatch.setattr(compose, "_NODE_ROOT", str(place / "root"))
    return place


def test_a_model_trained_on_sagemaker_is_recorded_and_leaves_no_copy(
    on_sagemaker, root, bucket, materialize, monkeypatch, capfd
):
    instance = Instance(bucket, on_sagemaker)

    def backend(document, settings):
        clients = {"sagemaker": instance}
        return SageMakerBackend(document, settings.access("models"), lambda name: clients.get(name) or _client(name))

    monkeypatch.setattr(away, "backend_of", backend)
    result = materialize()
    assert result.success
    assert "step 4 of 4: loss " in capfd.readouterr().err, "progress comes into the run"
    keys = {item["Key"] for item in bucket.list_objects_v2(Bucket="lake")["Contents"]}
    assert "models/synthetic-tiny/manifest.json" in keys
    assert not [key for key in keys if key.startswith("training/")], "no copy that a withdrawal would not find"
    body = bucket.get_object(Bucket="lake", Key="models/synthetic-tiny/manifest.json")["Body"].read()
    facts = [json.loads(e["event"])["facts"] for e in entries(Lake.open(root)) if e["type"] == "trained"]
    assert [each["weights_sha256"] for each in facts] == [json.loads(body)["weights_sha256"]]
    assert not Path(root / "scratch" / "launched" / "synthetic-tiny.sagemaker.json").exists()
