"""What the tests of volumes share: small label maps in a table, and a loopback S3 server."""

import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from lake import payload
from schemas.tables import LABELS

STORE = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1"}


def label_row(name, array, **changes):
    """A row of `curated/labels`."""
    frame = payload.encode(array)
    facts = {
        field.name: "x"
        for field in LABELS.arrow_schema
        if not field.nullable and str(field.type) == "string" and field.name != "delivery"
    }
    return facts | {
        "label": name, "scheme": "{}", "counts": "{}", "shape": list(array.shape),
        "affine": np.eye(4).ravel().tolist(), "voxels_bytes": len(frame), "voxels": frame,
    } | changes  # fmt: skip


def labelled(lake, delivery, names, seed=0):
    """A delivery of label maps; gives their arrays."""
    random = np.random.default_rng(seed)
    arrays = {name: random.integers(0, 9, (70, 40, 33)).astype(np.uint8) for name in names}
    table = lake.table(LABELS)
    partition = {"delivery": delivery}
    rows = [label_row(name, array) for name, array in arrays.items()]
    table.replace(partition, [table.write(rows, partition)] if rows else [])
    return arrays


@pytest.fixture(scope="session")
def store():
    """Address of an S3 server on this machine."""
    pytest.importorskip("moto.server", reason="found no moto, needed it for a loopback S3 server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, env=os.environ | STORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, "the server ended before it began"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def bucket(store, monkeypatch):
    """A bucket of that server, which the usual environment variables lead to."""
    import boto3

    for name, value in (STORE | {"AWS_ENDPOINT_URL": store}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    client = boto3.client("s3", endpoint_url=store, region_name=STORE["AWS_REGION"])
    client.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": STORE["AWS_REGION"]})
    yield client
    for item in client.list_objects_v2(Bucket="lake").get("Contents", []):
        client.delete_object(Bucket="lake", Key=item["Key"])
    client.delete_bucket(Bucket="lake")
