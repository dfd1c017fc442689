"""`larmor doctor vault`: an engineer puts the vault under another key, and is told what to set."""

import json

import pytest

from lake.zones import Lake
from stages.identity import open_vault
from tests.orchestration.test_cli import larmor


@pytest.fixture
def root(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    for name in ("P-1", "P-2"):
        open_vault(lake).subject("hospital", name)
    return tmp_path / "lake"


def code(root):
    return open_vault(Lake.open(root)).subject("hospital", "P-1").code


def test_a_vault_is_looked_at_and_put_under_a_key_elsewhere(root, tmp_path, capsys, monkeypatch):
    before, file = code(root), tmp_path / "secrets" / "vault.key"
    ended, out, _ = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault")
    assert (ended, "a key of its own, which lies beside it; 2 persons" in out, "--key-file" in out) == (0, True, True)
    ended, out, _ = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault", "--key-file", file)
    assert (ended, f"set LARMOR_VAULT_KEY_FILE={file}" in out) == (0, True)
    assert file.read_text() not in out
    ended, _, err = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault", "--new-data-key")
    assert (ended, "LARMOR_VAULT_KEY_FILE" in err) == (1, True)
    monkeypatch.setenv("LARMOR_VAULT_KEY_FILE", str(file))
    ended, out, _ = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault", "--new-data-key", "--json")
    assert (ended, json.loads(out)) == (
        0, {"made": True, "wrapped": True, "beside": False, "subjects": 2, "files": 2},
    )  # fmt: skip
    ended, out, _ = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault", "--key-beside")
    assert (ended, "unset LARMOR_VAULT_KEY_FILE" in out) == (0, True)
    monkeypatch.delenv("LARMOR_VAULT_KEY_FILE")
    assert code(root) == before


def test_a_new_data_key_alone_leaves_the_key_where_it_is(root, capsys, monkeypatch):
    before = code(root)
    ended, out, _ = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault", "--new-data-key")
    assert (ended, "2 files were sealed" in out, "set LARMOR" in out, code(root) == before) == (0, True, False, True)


def test_one_key_wraps_and_no_vault_is_no_vault(root, tmp_path, capsys, monkeypatch):
    ended, _, err = larmor(capsys, monkeypatch, "--root", root, "doctor", "vault", "--key-beside", "--kms-key", "k")
    assert (ended, "several keys" in err) == (2, True)
    ended, out, _ = larmor(capsys, monkeypatch, "--root", tmp_path / "none", "doctor", "vault")
    assert (ended, "No vault yet" in out) == (0, True)
    ended, _, err = larmor(capsys, monkeypatch, "--root", tmp_path / "none", "doctor", "vault", "--key-beside")
    assert (ended, "found no vault" in err) == (1, True)
