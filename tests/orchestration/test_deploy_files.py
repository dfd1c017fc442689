"""Compose and Kubernetes files of deploy/: what they start is what Dagster takes, and nothing in them is secret."""

import os
import re
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli

PROJECT = Path(__file__).parents[2]
COMPOSE, VALUES = PROJECT / "deploy/compose/compose.yaml", PROJECT / "deploy/kubernetes/values.yaml"
PROGRAMS = {
    "dagster": create_dagster_cli,
    "dagster-daemon": create_dagster_daemon_cli,
    "dagster-webserver": create_dagster_webserver_cli,
}
CHART = {
    "dagsterWebserver", "dagster-user-deployments", "postgresql", "generatePostgresqlPasswordSecret",
    "generateCeleryConfigSecret", "rabbitmq", "redis", "flower", "ingress", "imagePullSecrets", "computeLogManager",
    "scheduler", "runLauncher", "pythonLogs", "dagsterDaemon", "busybox", "migrate", "telemetry", "serviceAccount",
    "global", "retention", "additionalInstanceConfig", "nameOverride", "fullnameOverride", "rbacEnabled",
}  # fmt: skip
"""Top-level values that the chart of this version of Dagster reads; it passes over any other without a word."""


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


@pytest.fixture(scope="module")
def values():
    return yaml.safe_load(VALUES.read_text())


def parsed(command):
    """Options of a command line as Dagster's own program reads them; an unknown one ends the test."""
    there = str(COMPOSE.parent / "workspace.yaml")  # where the file is mounted, as it is here
    group, words = PROGRAMS[command[0]](), [there if word.endswith("/workspace.yaml") else word for word in command[1:]]
    while hasattr(group, "commands"):
        group = group.commands[words.pop(0)]
    return group.make_context(command[0], words, resilient_parsing=False).params


def test_every_service_starts_a_program_with_options_that_it_has(compose):
    for name, service in compose["services"].items():
        if "command" in service:
            assert parsed(service["command"]), name
    assert parsed(compose["services"]["officer"]["command"])["read_only"] is True
    assert parsed(compose["services"]["webserver"]["command"])["read_only"] is False


def test_nothing_is_reached_past_the_proxy(compose):
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_what_the_instance_file_wants_of_the_environment_is_given(compose):
    wanted = set(re.findall(r"env: (\w+)", (PROJECT / "deploy/production/dagster.yaml").read_text()))
    for name in ("code", "daemon", "webserver", "officer"):
        assert wanted | {"DAGSTER_HOME", "PGPASSFILE"} <= compose["services"][name]["environment"].keys()
        for volume in compose["services"][name]["volumes"]:
            source = volume.rpartition(":/")[0] if volume.startswith(".") else ""
            assert not source or (COMPOSE.parent / source).is_file(), volume
    assert (COMPOSE.parent / compose["services"]["code"]["build"]["context"] / "deploy/Dockerfile").is_file()


def test_the_workspace_is_the_code_that_compose_serves_under_the_name_that_is_everywhere(compose):
    (origin,) = WorkspaceFileTarget([str(COMPOSE.parent / "workspace.yaml")]).create_origins()
    served = parsed(compose["services"]["code"]["command"])
    assert (origin.host, origin.port) == ("code", served["port"])
    own = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert origin.location_name == own["location_name"]
    assert served["module_name"] == own["module_name"]


def test_the_image_holds_every_room():
    text = (PROJECT / "deploy/Dockerfile").read_text()
    rooms = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert {line.split()[1] for line in text.splitlines() if line.startswith("COPY ") and line.count(" ") == 2} == rooms
    assert "--require-hashes" in text
    assert "USER larmor" in text


def test_the_chart_reads_every_value_and_starts_the_same_code(values):
    assert values.keys() <= CHART
    (code,) = values["dagster-user-deployments"]["deployments"]
    assert parsed(["dagster", "api", "grpc", *code["dagsterApiGrpcArgs"], "-p", str(code["port"])])
    assert values["dagsterWebserver"]["enableReadOnly"] is True


@pytest.mark.s3
def test_the_instance_that_the_chart_makes_of_the_values_is_what_dagster_takes(values, bucket, tmp_path, monkeypatch):
    """The parts of dagster.yaml that the chart writes from these values; storage and launcher are the cluster's."""
    snake = {"run_monitoring": values["dagsterDaemon"]["runMonitoring"]}
    logs = values["computeLogManager"]["config"]["s3ComputeLogManager"]
    written = {
        **values["additionalInstanceConfig"],
        **{part: {_snake(name): value for name, value in told.items()} for part, told in snake.items()},
        "run_coordinator": values["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"],
        "compute_logs": {
            "module": "dagster_aws.s3.compute_log_manager",
            "class": values["computeLogManager"]["type"],
            "config": {_snake(name): value for name, value in logs.items()},
        },
        "retention": {
            kind: {"purge_after_days": values["retention"][kind]["purgeAfterDays"]} for kind in ("schedule", "sensor")
        },
        "telemetry": values["telemetry"],
    }
    monkeypatch.setenv("LARMOR_DAGSTER_LOGS_BUCKET", "lake")
    monkeypatch.setenv("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(written))
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        assert type(opened.run_coordinator).__name__ == "NamedRunCoordinator"
        assert opened.run_coordinator.header == "X-Forwarded-User"
        assert opened.get_concurrency_config().run_queue_config.max_concurrent_runs == 16
        assert opened.get_concurrency_config().pool_config.default_pool_limit == 1
        assert opened.run_monitoring_enabled
        assert opened.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
        assert opened.compute_log_manager._show_url_only is True


def _snake(name):
    return re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", name)


@pytest.mark.parametrize("file", [COMPOSE, VALUES], ids=["compose", "kubernetes"])
def test_no_file_holds_a_secret(file):
    text = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"(?i)password: *[^ \n]", text)
    assert not re.search(r"AKIA|BEGIN [A-Z ]*PRIVATE", text)
