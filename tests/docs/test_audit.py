"""An audit that looked at nothing does not say that all is well, and want of a network fails no `make lint`."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
SCRIPT = PROJECT / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def looked_at(*vulnerabilities):
    return {"name": "one", "version": "1.0", "vulns": list(vulnerabilities)}


SKIPPED = {"name": "two", "skip_reason": "Dependency not found"}
KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": "x"}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([looked_at(), looked_at()], 0, "2 of 2 packages looked at, 0 known"),
        ([looked_at(), SKIPPED], 0, "1 of 2 packages looked at, 0 known"),
        ([looked_at(KNOWN), SKIPPED], 1, "one 1.0: PYSEC-2026-1, mended in 1.1"),
        ([looked_at({**KNOWN, "fix_versions": []})], 1, "mended in none"),
        ([SKIPPED, SKIPPED], 2, "skipped, the index tells no vulnerabilities of any of 2"),
    ],
    ids=["none", "some not looked at", "one", "no mend", "nothing looked at"],
)
def test_what_a_report_comes_to(audit, packages, code, said):
    found, line = audit.told(json.dumps({"dependencies": packages, "fixes": []}))
    assert (found, said in line) == (code, True), line


def test_no_report_is_a_skip_in_one_line(audit):
    code, line = audit.told("")
    assert code == 2
    assert line.startswith("skipped") and "\n" not in line


@pytest.mark.parametrize(
    ("report", "lints"),
    [
        ("", True),
        (json.dumps({"dependencies": [looked_at()]}), True),
        (json.dumps({"dependencies": [looked_at(KNOWN)]}), False),
    ],
    ids=["no network", "none found", "one found"],
)
def test_make_lint_fails_for_a_vulnerability_and_for_nothing_else(tmp_path, report, lints):
    """`make lint` as it is written, on tools that do nothing, and a uv that tells this report."""
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tmp_path / ".ci").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", ".ci/audit.py"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "report").write_text(report)
    scripts = {"ruff": "", "lint-imports": "", "uv": f'cat "{tmp_path}/report"'}
    for name, line in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n")
        (tools / name).chmod(0o755)
    # as a program and not as a link, by which Python would say where the other environment is
    (tools / "python").write_text(f'#!/bin/sh\nexec -a "$0" {sys.executable} "$@"\n'.replace("/bin/sh", "/bin/bash"))
    (tools / "python").chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    done = subprocess.run(["make", "lint"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is lints, done.stdout + done.stderr
    assert "audit: " in done.stdout
