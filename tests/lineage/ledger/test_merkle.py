"""Hashes and proofs are those of RFC 9162, so that another implementation can check our log."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.ledger.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    consistency_proof,
    consistent,
    inclusion_proof,
    leaf_hash,
    root,
    root_from_inclusion,
    subtrees,
)

# leaves and roots of the reference trees of the Certificate Transparency test suite
LEAVES = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = st.lists(st.binary(min_size=0, max_size=8).map(leaf_hash), min_size=1, max_size=70)


def test_roots_are_those_of_the_reference_trees():
    assert root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    assert [root(hashes[:n]).hex() for n in range(1, 9)] == ROOTS


@settings(max_examples=40, deadline=None)
@given(HASHES, st.lists(st.integers(1, 9), max_size=20))
def test_root_does_not_depend_on_how_the_log_was_cut_into_appends(hashes, cuts):
    frontier, done = Frontier(), 0
    for cut in [*cuts, len(hashes)]:
        frontier, done = frontier.extended(hashes[done : done + cut]), min(done + cut, len(hashes))
    assert frontier.size == len(hashes)
    assert frontier.root == root(hashes) == _by_definition(hashes)


@settings(max_examples=40, deadline=None)
@given(HASHES, st.data())
def test_inclusion_proof_leads_to_the_root_and_for_no_other_leaf_or_place(hashes, data):
    index = data.draw(st.integers(0, len(hashes) - 1))
    proof = inclusion_proof(subtrees(hashes), index, len(hashes))
    assert root_from_inclusion(hashes[index], index, len(hashes), proof) == root(hashes)
    assert root_from_inclusion(leaf_hash(b"another leaf"), index, len(hashes), proof) != root(hashes)
    if proof:
        broken = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
        assert root_from_inclusion(hashes[index], index, len(hashes), broken) != root(hashes)
        with pytest.raises(ProofError, match="too short"):
            root_from_inclusion(hashes[index], index, len(hashes), proof[:-1])
    with pytest.raises(ProofError, match="too long"):
        root_from_inclusion(hashes[index], index, len(hashes), [*proof, EMPTY_ROOT])


@settings(max_examples=50, deadline=None)
@given(HASHES, st.data())
def test_consistency_proof_holds_for_the_true_prefix_and_breaks_for_a_changed_one(hashes, data):
    first = data.draw(st.integers(1, len(hashes)))
    proof = consistency_proof(subtrees(hashes), first, len(hashes))
    old, new = root(hashes[:first]), root(hashes)
    assert consistent(first, old, len(hashes), new, proof)
    changed = root([*hashes[: first - 1], leaf_hash(b"rewritten entry")])
    assert not consistent(first, changed, len(hashes), new, proof)
    assert not consistent(first, old, len(hashes), changed if first < len(hashes) else EMPTY_ROOT, proof)
    assert not consistent(first, old, len(hashes), new, [*proof, EMPTY_ROOT])


def test_proof_of_what_is_not_there_is_refused():
    hashes = [leaf_hash(b"a"), leaf_hash(b"b")]
    with pytest.raises(ProofError, match="place 2"):
        inclusion_proof(subtrees(hashes), 2, 2)
    with pytest.raises(ProofError, match="not 3"):
        consistency_proof(subtrees(hashes), 3, 2)
    with pytest.raises(ProofError, match="inside it"):
        root_from_inclusion(hashes[0], 2, 2, [])
    with pytest.raises(ValueError, match="set bit"):
        Frontier(3, (EMPTY_ROOT,))


def _by_definition(hashes):
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + _by_definition(hashes[:k]) + _by_definition(hashes[k:])).digest()
