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


def test_the_key_changes_and_a_proof_holds_with_the_key_before_and_after(root, tmp_path, capsys, monkeypatch):
    larmor(capsys, monkeypatch, "--root", root, "seal")
    new = tmp_path / "new.pem"
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "seal", "--rotate-key", "--public-key", new, "--json")
    made = json.loads(out)
    assert (code, made["seal"], made["handover"], made["key"] != made["old_key"]) == (0, 3, 2, True)
    proof = tmp_path / "proof.json"
    assert larmor(capsys, monkeypatch, "--root", root, "prove", "1", "--output", proof)[0] == 0
    for key in (new, root / "audit" / "seals" / "public.pem", tmp_path / "anchor" / "public.pem"):
        assert larmor(capsys, monkeypatch, "--root", root, "verify", "--key", key)[0] == 0
        assert larmor(capsys, monkeypatch, "verify", "--proof", proof, "--key", key)[0] == 0
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "verify")
    assert (made["old_key"] + " (ended)" in out, made["key"] in out) == (True, True)


def test_a_key_that_others_saw_is_revoked_from_a_seal_on(root, capsys, monkeypatch):
    larmor(capsys, monkeypatch, "--root", root, "seal")
    assert larmor(capsys, monkeypatch, "--root", root, "seal", "--rotate-key", "--revoke-from", "1")[0] == 0
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "verify")
    assert (code, "1 seals more are of a key that was revoked" in out) == (0, True)


def test_a_key_that_a_setting_names_changes_to_a_file_that_is_made(root, tmp_path, capsys, monkeypatch):
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    monkeypatch.setenv("LARMOR_SEAL_KEY_FILE", str(first))
    code, _, err = larmor(capsys, monkeypatch, "--root", root, "seal")
    assert (code, "LARMOR_SEAL_KEY_FILE" in err) == (1, True)
    from lineage.ledger.keys import new_in_file

    new_in_file(first)
    assert larmor(capsys, monkeypatch, "--root", root, "seal")[0] == 0
    code, _, err = larmor(capsys, monkeypatch, "--root", root, "seal", "--rotate-key")
    assert (code, "--new-key" in err) == (1, True)
    code, out, _ = larmor(capsys, monkeypatch, "--root", root, "seal", "--rotate-key", "--new-key", second)
    assert (code, f"LARMOR_SEAL_KEY_FILE={second}" in out) == (0, True)
    assert larmor(capsys, monkeypatch, "--root", root, "seal")[0] == 1
    monkeypatch.setenv("LARMOR_SEAL_KEY_FILE", str(second))
    assert larmor(capsys, monkeypatch, "--root", root, "seal")[0] == 0
    assert "PRIVATE" not in out


@pytest.mark.parametrize("arguments", [["--revoke-from", "1"], ["--rotate-key", "--new-key", "a", "--new-secret", "b"]])
def test_options_of_a_change_of_key_that_do_not_fit_are_refused(root, capsys, monkeypatch, arguments):
    assert larmor(capsys, monkeypatch, "--root", root, "seal", *arguments)[0] == 2


def test_no_anchor_and_an_anchor_of_another_lake_are_told_by_seal(root, tmp_path, capsys, monkeypatch):
    larmor(capsys, monkeypatch, "--root", root, "seal")
    other = Lake.open(tmp_path / "other")
    ledger.append(other, "materialized", {"table": "curated/series"})
    code, _, err = larmor(capsys, monkeypatch, "--root", tmp_path / "other", "seal")
    assert (code, "another log's key" in err, "LARMOR_ANCHOR" in err) == (1, True, True)
    monkeypatch.delenv("LARMOR_ANCHOR")
    code, out, _ = larmor(capsys, monkeypatch, "--root", tmp_path / "other", "seal")
    assert (code, "no anchor" in out) == (0, True)
