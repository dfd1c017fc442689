"""The instance files of deploy/ are what Dagster takes, against real servers: PostgreSQL and S3 on the loopback."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.partitions import DELIVERIES_NAME
from imaging.phantom import BodyPart, PhantomConfig, generate
from orchestration.demo import licence as phantom_licence
from orchestration.headless import run_delivery
from orchestration.instance import instance

PROJECT = Path(__file__).parent.parent.parent
DEPLOY = PROJECT / "deploy"
PASSWORD = "between-us"


def _user():
    """Whom PostgreSQL runs as: it refuses root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("found no user postgres or nobody, needed one to run PostgreSQL, which refuses root")


@pytest.fixture(scope="module")
def server():
    """The way to a PostgreSQL server on this machine, as its own programs take it from the environment."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("found no PostgreSQL, needed the Debian package postgresql")
    user = _user()
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    folder = Path(tempfile.mkdtemp(prefix="larmor-postgres-"))
    (folder / "password").write_text(PASSWORD)
    (folder / "data").mkdir()
    for path in (folder, folder / "password", folder / "data") if user else ():
        os.chown(path, user.pw_uid, user.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = ["-D", folder / "data", "-U", "larmor", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}"]
    subprocess.run(
        [*become, programs[-1], *made, "--no-sync", "-E", "UTF8", "--locale=C"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    running = subprocess.Popen(
        [*become, programs[-1].parent / "postgres", "-D", folder / "data", "-p", str(port), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    passwords = folder / "pgpass"
    passwords.write_text(f"127.0.0.1:{port}:*:larmor:{PASSWORD}\n")
    passwords.chmod(0o600)
    try:
        ready = [programs[-1].parent / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                break
            assert running.poll() is None, "the server ended before it began"
            time.sleep(0.1)
        yield {
            "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "larmor", "PGDATABASE": "postgres",
            "PGPASSFILE": str(passwords),
        }  # fmt: skip
    finally:
        running.terminate()
        running.wait(60)
        shutil.rmtree(folder)


@pytest.fixture
def production(server, bucket, tmp_path, monkeypatch):
    """DAGSTER_HOME with the production file, and the environment that it needs."""
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(DEPLOY / "production" / "dagster.yaml", home)
    for name, value in {
        "DAGSTER_HOME": home, **server,
        "LARMOR_DAGSTER_LOGS_BUCKET": "lake", "AWS_DEFAULT_REGION": os.environ["AWS_REGION"],
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    return home


def read(name):
    return yaml.safe_load((DEPLOY / name / "dagster.yaml").read_text())


def test_the_local_file_is_the_one_that_larmor_uses_by_itself(tmp_path, monkeypatch):
    assert read("local") == yaml.safe_load((PROJECT / "orchestration" / "dagster.yaml").read_text())
    shutil.copy(DEPLOY / "local" / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        assert "Sqlite" in type(opened.event_log_storage).__name__
        assert opened.run_monitoring_enabled


@pytest.mark.s3
@pytest.mark.slow
def test_the_production_file_gives_the_storage_queue_and_logs_that_it_names(production):
    with dg.DagsterInstance.from_config(str(production)) as opened:
        for part in (opened.run_storage, opened.event_log_storage, opened.schedule_storage):
            assert "Postgres" in type(part).__name__
        assert type(opened.run_coordinator).__name__ == "NamedRunCoordinator"
        assert opened.get_concurrency_config().run_queue_config.max_concurrent_runs == 16
        assert opened.run_monitoring_enabled
        assert opened.run_retries_enabled
        assert type(opened.compute_log_manager).__name__ == "S3ComputeLogManager"
        opened.add_dynamic_partitions(DELIVERIES_NAME, ["d1"])
    with dg.DagsterInstance.from_config(str(production)) as again:
        assert again.get_dynamic_partitions(DELIVERIES_NAME) == ["d1"]
        again.delete_dynamic_partition(DELIVERIES_NAME, "d1")


@pytest.mark.parametrize("name", ["local", "production"])
def test_no_file_holds_a_secret_or_an_address(name):
    text = (DEPLOY / name / "dagster.yaml").read_text()
    settings = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert "://" not in settings
    assert "password:" not in settings.lower()


@pytest.mark.s3
@pytest.mark.slow
def test_a_delivery_is_on_record_in_postgresql_and_its_logs_are_encrypted_in_s3(
    production,
    lake,
    tmp_path,
    bucket,
):
    config = PhantomConfig("phantom-p", seed=5, subjects=1, matrix=32, slices=8, body_parts=(BodyPart.HEAD,))
    generate(lake.landing / "phantom-p", tmp_path / "answers", config)
    lake.licences.mkdir(parents=True)
    phantom_licence().write(lake.licences / "phantom-licence.yaml")
    made = run_delivery(lake.settings, "phantom-p", "received")
    assert made[-1].asset == "restricted/received"
    with instance(lake.settings) as opened:
        event = opened.get_latest_materialization_event(dg.AssetKey(["restricted", "received"]))
        assert event.asset_materialization.partition == "phantom-p"
        assert opened.get_run_by_id(event.run_id).status == dg.DagsterRunStatus.SUCCESS
    assert _rows("select count(*) from event_logs where asset_key like '%received%'") > 0
    assert not list(production.rglob("*.db"))
    logs = bucket.list_objects_v2(Bucket="lake", Prefix="dagster/").get("Contents", [])
    assert logs
    for log in logs:
        about = bucket.head_object(Bucket="lake", Key=log["Key"])
        assert (about["ServerSideEncryption"], about["SSEKMSKeyId"]) == ("aws:kms", "alias/larmor-logs")


def _rows(query):
    import psycopg2

    with contextlib.closing(psycopg2.connect("")) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
