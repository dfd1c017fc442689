"""Random crops of a release on S3: staged, and by byte ranges, beside the same release in a local folder.

The store is a test server on this machine, which says nothing of the speed of S3. What is measured is that it does
not matter once a release is staged.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa

from benchmarks.crops import HEADS, READS, SLOW_READS, fill
from benchmarks.heads import CROP, SHAPE, head, windows
from benchmarks.timing import one_core, rates, table
from lake.releases import Release
from lake.staging.stage import drop, stage
from lake.voxels.volumes import Volumes
from lake.zones import Lake
from schemas.release import ReleaseManifest, ReleaseSpec
from schemas.tables import LABELS

LOCAL, STAGED, RANGES = "local files", "staged from S3", "S3 by byte ranges"
GOAL = 0.9
"""Of the crops of local files."""
ROUNDS = 9


def run() -> str:
    """Measure, and give the tables."""
    arrays = {f"v{i}": head(i) for i in range(HEADS)}
    with tempfile.TemporaryDirectory() as folder, _store():
        root = Path(folder)
        lakes = {
            LOCAL: Lake.open(root / "local"),
            STAGED: Lake.open(root / "far", curated="s3://bench/curated", staging=root / "staging"),
            RANGES: Lake.open(root / "far", curated="s3://bench/curated"),
        }
        for place in (LOCAL, RANGES):
            fill(lakes[place], arrays)
        spent = _staged(_release(lakes[STAGED], list(arrays)))
        with one_core():
            opened = {place: _release(lake, list(arrays)).labels() for place, lake in lakes.items()}
            numbers = {LOCAL: READS, STAGED: READS, RANGES: SLOW_READS}
            measured = rates({place: partial(_crops, opened[place], numbers[place]) for place in lakes}, ROUNDS)
    ratio = statistics.median(s / n for s, n in zip(measured[STAGED], measured[LOCAL], strict=True))
    verdict = f"Staged against local files, median of paired rounds: {ratio:.2f} (goal: at least {GOAL})"
    title = f"Random {CROP}³ crops of {SHAPE} int16, a release"
    return "\n\n".join([table(title, "crops/s", measured, LOCAL), verdict, spent])


def _staged(release: Release) -> str:
    """Megabytes a second of staging: copied and checked, and found there and checked again."""
    start = time.perf_counter()
    done = stage(release)
    first = time.perf_counter() - start
    drop(release.lake.settings, release.sha256)
    start = time.perf_counter()
    stage(release)
    second = time.perf_counter() - start
    start = time.perf_counter()
    stage(release)
    again = time.perf_counter() - start
    megabytes = done.bytes / 1e6
    return "\n".join(
        [
            f"### Staging {megabytes:.0f} MB from a store on this machine",
            f"- copied and checked: {megabytes / min(first, second):.0f} MB/s",
            f"- found there, checked within the hour: {again:.3f} s",
        ]
    )


def _crops(volumes: Volumes, number: int) -> float:
    for place, window in enumerate(windows(number)):
        volumes.crop(f"v{place % HEADS}", [s.start for s in window], [s.stop - s.start for s in window])
    return number


def _release(lake: Lake, names: list[str]) -> Release:
    """A release of label maps alone; freezing one needs people, series and licences, which nothing here reads."""
    facts = {
        "name": "bench", "spec": ReleaseSpec(name="bench"), "created": "2026-01-01T00:00:00Z",
        "tables": {LABELS.path: lake.table(LABELS).version()}, "members_sha256": "0" * 64, "counts": {}, "licences": {},
        "policies": [], "train_models": True, "share_models": False, "export": False,
    }  # fmt: skip
    members = pa.table({"volume": pa.array([None] * len(names), pa.string()), "label": pa.array(names)})
    return Release(lake, ReleaseManifest.model_validate(facts), "0" * 64, members)


@contextmanager
def _store() -> Iterator[None]:
    """An S3 server on this machine with a bucket, which the usual environment variables lead to."""
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    named = {
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }  # fmt: skip
    before = dict(os.environ)
    os.environ |= named
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        client = boto3.client("s3", region_name=named["AWS_REGION"])
        client.create_bucket(Bucket="bench", CreateBucketConfiguration={"LocationConstraint": named["AWS_REGION"]})
        yield
    finally:
        server.terminate()
        server.wait()
        os.environ.clear()
        os.environ |= before
