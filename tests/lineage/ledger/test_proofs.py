"""A stranger with one small file and a public key learns whether an entry is in the log, and is not fooled."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.zones import Lake
from lineage.ledger import commits, keys, ledger, proofs
from lineage.ledger.commits import LedgerDamaged, Log
from lineage.ledger.merkle import ProofError, leaf_hash, root, subtrees
from lineage.ledger.rotation import rotate
from lineage.ledger.seals import seal, signer
from lineage.ledger.statements import Seal, handovers
from lineage.ledger.tiles import Tiles, TilesMissing, _path
from schemas.document import canonical_json

CHECKER = Path(__file__).parents[3] / "docs/examples/check_proof.py"


@pytest.fixture
def key(sealed):
    return Log.of(sealed).seals.read_bytes(keys.PUBLIC_NAME)


def test_every_sealed_entry_has_a_proof_that_shows_its_text(sealed, key):
    texts = [entry["event"] for entry in ledger.entries(sealed)]
    for sequence in range(15):
        proof = proofs.inclusion(sealed, sequence)
        assert proofs.check(proof.data, key) == proof
        assert (proof.sequence, proof.event, proof.seal.statement.number) == (sequence, texts[sequence], 2)


def test_entries_after_the_last_seal_and_beyond_the_log_have_none(sealed, lake):
    for sequence in (15, 17, -1):
        with pytest.raises(ProofError, match="15 entries under the last seal"):
            proofs.inclusion(sealed, sequence)
    with pytest.raises(ProofError, match="no seal"):
        proofs.inclusion(lake, 0)


def test_the_log_of_one_seal_is_shown_to_begin_that_of_another(sealed, key):
    for first, second in ((1, 2), (1, 1), (2, 2)):
        proof = proofs.consistency(sealed, first, second)
        assert proofs.check(proof.data, key) == proof
    with pytest.raises(ProofError, match="no seal 3"):
        proofs.consistency(sealed, 1, 3)
    with pytest.raises(ProofError):
        proofs.consistency(sealed, 2, 1)


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_every_changed_byte_of_a_proof_is_found(sealed, key, kind):
    proof = proofs.inclusion(sealed, 9) if kind == "inclusion" else proofs.consistency(sealed, 1, 2)
    whole = proof.data
    for place in range(len(whole)):
        edited = bytearray(whole)
        edited[place] ^= 1 << place % 7
        with pytest.raises(ValueError, match="found"):
            proofs.check(bytes(edited), key)


def test_a_proof_of_one_key_does_not_pass_for_another(sealed, tmp_path):
    other = Lake.open(tmp_path / "other", principal="tester")
    ledger.append(other, "materialized", {"table": "curated/series"})
    seal(other)
    with pytest.raises(ProofError, match="signature"):
        proofs.check(proofs.inclusion(sealed, 0).data, Log.of(other).seals.read_bytes(keys.PUBLIC_NAME))


def test_another_event_with_the_hashes_of_a_true_one_is_refused(sealed, key):
    fields = json.loads(proofs.inclusion(sealed, 9).data)
    fields["event"] = fields["event"].replace('"rows":9', '"rows":8')
    with pytest.raises(ProofError, match="do not lead to the root"):
        proofs.check((canonical_json(fields) + "\n").encode(), key)


@pytest.mark.parametrize("how", ["gone", "changed", "cut"])
def test_tiles_are_trusted_by_nobody_and_made_anew(sealed, key, how):
    tiles = Log.of(sealed).tiles.path
    if how == "gone":
        shutil.rmtree(tiles)
    else:
        tile = tiles / "0/000"
        data = tile.read_bytes()
        tile.write_bytes(data[:64] if how == "cut" else bytes(64) + data[64:])
    proof = proofs.inclusion(sealed, 3)
    assert proofs.check(proof.data, key) == proof
    leaves = [bytes.fromhex(entry["leaf"]) for entry in ledger.entries(sealed, 0, 7)]
    assert Tiles(Log.of(sealed).tiles).subtree(0, 8) == root(leaves)


def test_no_proof_is_made_of_an_edited_log(sealed):
    log = Log.of(sealed)
    shutil.rmtree(log.tiles.path)
    part = log.ledger.path / commits.parse(4, log.read(4)).part
    part.write_bytes(part.read_bytes()[:-1] + b"\x00")
    for ask in (lambda: proofs.consistency(sealed, 1, 2), lambda: proofs.inclusion(sealed, 4)):
        with pytest.raises(LedgerDamaged, match="entries 3 to 7: found SHA-256"):
            ask()


def test_a_stranger_checks_without_this_project(sealed, tmp_path):
    files = {"key": Log.of(sealed).seals.read_bytes(keys.PUBLIC_NAME), "one": proofs.inclusion(sealed, 9).data}
    files["two"] = proofs.consistency(sealed, 1, 2).data
    files["bad"] = files["one"].replace(b'"sequence":9', b'"sequence":8')
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    def checked(name):
        command = [sys.executable, "-I", CHECKER, tmp_path / name, tmp_path / "key"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    for name, said in (("one", "entry 9"), ("two", "15 entries")):
        told = checked(name)
        assert (told.returncode, said in told.stdout) == (0, True), told
    assert checked("bad").returncode == 1


@pytest.fixture
def turned(sealed):
    """The lake after its key changed, and files of the old and of the new public key."""
    handover = rotate(sealed).statement.handover
    return sealed, [keys.public_pem(keys.of_raw(raw)) for raw in (handover.old, handover.new)]


def _by_a_stranger(tmp_path, proof, key):
    (tmp_path / "proof").write_bytes(proof)
    (tmp_path / "key").write_bytes(key)
    command = [sys.executable, "-I", CHECKER, tmp_path / "proof", tmp_path / "key"]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)


def test_after_a_change_of_key_a_proof_holds_with_the_old_and_with_the_new_one(turned, tmp_path):
    lake, known = turned
    before = proofs.consistency(lake, 1, 2).data
    for proof in (proofs.inclusion(lake, 9).data, proofs.consistency(lake, 1, 4).data, before):
        for key in known:
            assert proofs.check(proof, key).data == proof
            assert _by_a_stranger(tmp_path, proof, key).returncode == 0


def test_a_proof_from_before_the_change_still_holds_with_the_old_key(sealed, key):
    before = proofs.inclusion(sealed, 9).data
    rotate(sealed)
    assert proofs.check(before, key).data == before
    assert b"handovers" not in before


def test_a_proof_whose_change_of_key_is_missing_or_of_others_is_refused(turned, tmp_path):
    lake, known = turned
    fields = json.loads(proofs.inclusion(lake, 9).data)
    other = Lake.open(tmp_path / "other", principal="tester")
    ledger.append(other, "materialized", {"table": "curated/series"})
    rotate(other)
    (theirs,) = handovers(Log.of(other))
    for changed in ([], [json.loads(theirs.data)], fields["handovers"] * 2):
        data = (canonical_json(fields | {"handovers": changed}) + "\n").encode()
        for key in known:
            with pytest.raises(ProofError):
                proofs.check(data, key)
            assert _by_a_stranger(tmp_path, data, key).returncode == 1


def test_a_revoked_key_proves_nothing_alone_whatever_number_its_thief_gives(sealed, tmp_path):
    stolen = signer(sealed)
    known = rotate(sealed, ended=2).statement.handover.new
    true = proofs.inclusion(sealed, 9)
    statement = replace(proofs.consistency(sealed, 1, 4).first.statement, size=true.seal.size, root=true.seal.root)
    mine = Seal(statement, keys.fingerprint(stolen.public_key()), stolen.sign(statement.signed).hex())
    forged = replace(true, seal=mine).data
    key = keys.public_pem(keys.of_raw(known))
    with pytest.raises(ProofError, match="revoked"):
        proofs.check(forged, key)
    assert "revoked" in _by_a_stranger(tmp_path, forged, key).stdout
    assert proofs.check(true.data, key)
    assert proofs.check(proofs.consistency(sealed, 1, 4).data, key)
    with pytest.raises(ProofError, match="revoked"):
        proofs.consistency(sealed, 1, 2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=5), st.data())
def test_tiles_give_the_roots_of_the_tree_however_it_grew(tmp_path_factory, steps, data):
    leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(sum(steps))]
    location = Log.of(tmp_path_factory.mktemp("tiles")).tiles
    size = 0
    for step in steps:
        Tiles(location).extend(size, leaves[size : size + step])
        size += step
    tiles = Tiles(location)
    assert tiles.reach(size)
    assert not tiles.reach(size + 1)
    assert tiles.subtree(0, size) == root(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = proofs.merkle.inclusion_proof(tiles.subtree, index, size)
    assert proof == proofs.merkle.inclusion_proof(subtrees(leaves), index, size)
    with pytest.raises(TilesMissing):
        tiles.subtree(0, 2 * size)


def test_paths_of_tiles_are_those_of_the_standard(tmp_path):
    location = Log.of(tmp_path).tiles
    tiles = Tiles(location)
    tiles.extend(0, [bytes(32)] * 256)
    assert location.walk() == ["0/000", "1/000"]
    assert _path(0, 1234067) == "0/x001/x234/067"
    assert _path(2, 1234) == "2/x001/234"
