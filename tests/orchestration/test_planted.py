"""Secrets and names that were planted before a run are nowhere that somebody else can read after it."""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.kills import DELIVERY, landed

pytestmark = pytest.mark.slow

SECRETS = {"AWS_SECRET_ACCESS_KEY": "planted-aws-secret-7Qx", "AWS_SESSION_TOKEN": "planted-session-token-9Kd"}
"""What a person's environment may hold."""


def arguments_of_all(found, over):
    """Note the arguments of every process of this machine until told to stop."""
    while not over.is_set():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found.add(path.read_bytes())
            except OSError:
                continue
        time.sleep(0.05)


def open_to_others(root):
    """What a colleague who runs Dagster, and a scientist who reads the lake, can read: all but PHI's own zones."""
    for part in ("dagster", "curated", "audit", "scratch"):
        yield from (path for path in (root / part).rglob("*") if path.is_file())


def planted(root, answers, key):
    """Values that must not be found, by what they are."""
    said = json.loads((answers / "phi.json").read_text())
    # shorter ones are words and numbers that anything may hold
    names = {f"{each['kind']} of a person": each["value"] for each in said if each["searchable"]}
    keys = {"vault key": key, "vault key in base64": base64.b64encode(key), "vault key in hexadecimal": key.hex()}
    known = {**SECRETS, **keys, **{k: v for k, v in names.items() if len(v) >= 8}}
    return {what: value if isinstance(value, bytes) else value.encode() for what, value in known.items()}


def test_a_run_leaves_no_secret_and_nobodys_name_in_dagster_logs_arguments_or_file_names(tmp_path):
    root = landed(tmp_path / "lake")
    key_file = tmp_path / "vault.key"
    key_file.write_bytes(os.urandom(32))
    key_file.chmod(0o600)
    environment = os.environ | SECRETS | {"LARMOR_VAULT_KEY_FILE": str(key_file), "LARMOR_WORKERS": "1"}
    command = [sys.executable, "-m", "orchestration.cli", "--root", str(root), "run", DELIVERY, "--to", "instances"]
    seen, over = set(), threading.Event()
    watching = threading.Thread(target=arguments_of_all, args=(seen, over))
    watching.start()
    try:
        run = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=500)
    finally:
        over.set()
        watching.join()
    assert run.returncode == 0, "the run itself must work; its words may hold what was planted and are not shown"
    wanted = planted(root, tmp_path / "answers", key_file.read_bytes())
    assert len(wanted) > 10, "the delivery plants identifiers"
    files = list(open_to_others(root))
    assert any("history" in path.parts for path in files), "Dagster keeps its events here"
    places = {str(path.relative_to(root)): path.read_bytes() for path in files}
    places["standard output and error"] = run.stdout + run.stderr
    places["names of files"] = "\n".join(places).encode()
    places["arguments of processes"] = b"\n".join(seen)
    leaks = {(what, place) for what, value in wanted.items() for place, text in places.items() if value in text}
    assert not leaks


def test_what_was_planted_would_be_found(tmp_path):
    answers = tmp_path / "answers"
    answers.mkdir()
    (answers / "phi.json").write_text(json.dumps([{"kind": "name", "value": "PLANTED^PERSON", "searchable": True}]))
    wanted = planted(tmp_path, answers, b"k" * 32)
    (tmp_path / "dagster" / "history").mkdir(parents=True)
    (tmp_path / "dagster" / "history" / "runs.db").write_bytes(b"x PLANTED^PERSON y")
    (found,) = open_to_others(tmp_path)
    assert [what for what, value in wanted.items() if value in found.read_bytes()] == ["name of a person"]
