"""`larmor train` says what is wrong with where it is to run before a process starts."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from orchestration.cli import cli
from orchestration.launchers.backend import LaunchError
from schemas.document import DocumentError


def train(root, environment):
    """Run the verb."""
    return CliRunner().invoke(cli, ["--root", str(root), "train", "synthetic"], env=environment)


def test_a_launcher_without_its_document_or_with_another_ones_is_told_at_once(root, tmp_path, kubernetes_document):
    told = train(root, {"LARMOR_LAUNCHER": "slurm"})
    assert isinstance(told.exception, LaunchError)
    assert "needed LARMOR_LAUNCHING" in str(told.exception)
    kubernetes_document().write(tmp_path / "kubernetes.yaml")
    told = train(root, {"LARMOR_LAUNCHER": "slurm", "LARMOR_LAUNCHING": str(tmp_path / "kubernetes.yaml")})
    assert isinstance(told.exception, DocumentError)
    assert "python: Field required" in str(told.exception) or "image" in str(told.exception)


@pytest.mark.slow
def test_definitions_of_a_launcher_load_nothing_heavy():
    heavy = ["torch", "boto3", "deltalake"]
    code = f"import sys, orchestration.definitions as d; d.build(); print([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code], env={"LARMOR_LAUNCHER": "sagemaker", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"
