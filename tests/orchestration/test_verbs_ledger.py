"""Sealing, verifying and proving from the command line: what a compliance officer types, and what the answer says."""

import json

import pytest

from lake.zones import Lake
from lineage.ledger import ledger
from lineage.ledger.commits import Log
from tests.orchestration.test_cli import larmor


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("LARMOR_ANCHOR", str(tmp_path / "anchor"))
    lake = Lake.open(tmp_path / "lake")
    for number in range(3):
        ledger.append(lake, "materialized", {"table": "curated/series", "rows": number})
    return tmp_path / "lake"


def test_a_seal_is_printed_anchored_and_found_again(root, tmp_path, capsys, monkeypatch):
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "seal", "--json")
    made = json.loads(out)
    assert (code, made["seal"], made["entries"], made["anchors"]) == (0, 1, 3, 1)
    for arguments in (["--printed", made["printed"]], ["--anchor", tmp_path / "anchor"], ["--since-last-seal"]):
        code, out, _ = larmor(capsys, monkeypatch, "--root", root, "verify", *arguments)
        assert (code, "The ledger holds: 3 entries, 1 seals" in out) == (0, True)
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "verify", "--printed", "0" * 32)
    assert (code, "does NOT hold" in out, "printed hash" in out) == (1, True, True)


def test_an_anchor_out_of_reach_is_told_by_seal(root, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LARMOR_ANCHOR", str(tmp_path / "file" / "below"))
    code, _, err = larmor(capsys, monkeypatch, "--root", root, "seal")
    assert (code, "LARMOR_ANCHOR" in err) == (1, True)
    assert Log.of(Lake.open(root)).seals.exists("00000001.json")


def test_a_proof_is_written_and_checked_without_the_lake(root, tmp_path, capsys, monkeypatch):
    proof, key = tmp_path / "proof.json", tmp_path / "anchor" / "public.pem"
    code, _, err = larmor(capsys, monkeypatch, "--root", root, "prove", "1", "--output", proof)
    assert (code, "larmor seal" in err) == (1, True)
    larmor(capsys, monkeypatch, "--root", root, "seal")
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "prove", "1", "--output", proof)
    assert (code, '"rows":1' in out) == (0, True)
    check = ["--root", tmp_path / "nowhere", "verify", "--proof", proof, "--key", key]
    code, out, _ = larmor(capsys, monkeypatch, *check)
    assert (code, "The proof holds: entry 1" in out, '"rows":1' in out) == (0, True, True)
    proof.write_bytes(proof.read_bytes().replace(b'rows\\":1', b'rows\\":7'))
    code, out, _ = larmor(capsys, monkeypatch, *check, "--json")
    assert (code, json.loads(out)["ok"]) == (1, False)


def test_growth_between_seals_is_proved(root, tmp_path, capsys, monkeypatch):
    larmor(capsys, monkeypatch, "--root", root, "seal")
    ledger.append(Lake.open(root), "materialized", {"table": "curated/series"})
    larmor(capsys, monkeypatch, "--root", root, "seal")
    proof = tmp_path / "grown.json"
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "prove", "--between", "1", "2", "--output", proof)
    assert (code, "begins that of seal 2" in out) == (0, True)
    key = tmp_path / "anchor" / "public.pem"
    code, out, _ = larmor(capsys, monkeypatch, "verify", "--proof", proof, "--key", key)
    assert (code, "the 3 entries of 00000001.json" in out) == (0, True)


@pytest.mark.parametrize("arguments", [[], ["1", "--between", "1", "2"]], ids=["neither", "both"])
def test_what_to_prove_must_be_said_once(root, tmp_path, capsys, monkeypatch, arguments):
    code, _, err = larmor(capsys, monkeypatch, "--root", root, "prove", *arguments, "--output", tmp_path / "p")
    assert (code, "SEQUENCE" in err) == (2, True)


def test_a_proof_needs_a_key(root, tmp_path, capsys, monkeypatch):
    (tmp_path / "p").write_text("{}")
    code, _, err = larmor(capsys, monkeypatch, "--root", root, "verify", "--proof", tmp_path / "p")
    assert (code, "--key" in err) == (2, True)
