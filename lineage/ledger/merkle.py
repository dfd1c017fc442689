"""Merkle tree hashing as RFC 9162 section 2.1 defines it, over SHA-256.

Belongs here: arithmetic on hashes. What a leaf says is `lineage.ledger.events`, where leaves are kept `lineage.ledger`.
All hashes are 32 raw bytes.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

_LEAF, _NODE = b"\x00", b"\x01"


class ProofError(ValueError):
    """A proof speaks of entries that the tree does not have; the message says which were asked for."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf, RFC 9162 section 2.1.1."""
    return hashlib.sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node, RFC 9162 section 2.1.1."""
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """All that must be kept of a tree to append to it: the roots of its perfect subtrees.

    Attributes:
        size: leaves of the tree.
        hashes: roots of the perfect subtrees from left to right, one for each bit that is set in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a frontier whose hashes do not fit its size."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"found {len(self.hashes)} hashes for a tree of {self.size} leaves, needed one a set bit")

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """The frontier after appending leaf hashes; takes one node hash a leaf on average.

        Args:
            leaves: hashes as `leaf_hash` gives them.
        """
        sha256, size, stack = hashlib.sha256, self.size, list(self.hashes)
        for leaf in leaves:
            node, bits = leaf, size
            while bits & 1:
                node = sha256(_NODE + stack.pop() + node).digest()
                bits >>= 1
            stack.append(node)
            size += 1
        return Frontier(size, tuple(stack))

    @property
    def root(self) -> bytes:
        """Root of the tree, RFC 9162 section 2.1.1."""
        if not self.hashes:
            return EMPTY_ROOT
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = node_hash(left, node)
        return node


def root(leaves: Iterable[bytes]) -> bytes:
    """Root of the tree over these leaf hashes."""
    return Frontier().extended(leaves).root


Subtree = Callable[[int, int], bytes]
"""Root of the tree over the leaves from a first place up to another, which is not included."""


def subtrees(leaves: Sequence[bytes]) -> Subtree:
    """Roots of parts of a tree whose leaf hashes are all at hand; `lineage.ledger.tiles` has those of a large one."""
    return lambda start, stop: root(leaves[start:stop])


def inclusion_proof(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """Hashes that lead from one leaf to the root, RFC 9162 section 2.1.3.1.

    Args:
        subtree: roots of parts of the tree.
        index: place of the leaf.
        size: leaves of the tree.

    Raises:
        ProofError: if there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"found {size} leaves, needed one at place {index}")
    proof, start, stop = [], 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            proof.append(subtree(middle, stop))
            stop = middle
        else:
            proof.append(subtree(start, middle))
            start = middle
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to, RFC 9162 section 2.1.3.2; compare it with the sealed root.

    Args:
        leaf: leaf hash.
        index: its place.
        size: leaves of the tree.
        proof: hashes as `inclusion_proof` gives them.

    Raises:
        ProofError: if the proof has not the length that index and size need.
    """
    if not 0 <= index < size:
        raise ProofError(f"found place {index} in a tree of {size} leaves, needed a place inside it")
    node, last, rest = leaf, size - 1, list(reversed(proof))
    while last:
        if index & 1 or index < last:
            if not rest:
                raise ProofError("found a proof that is too short, needed one of this tree")
            node = node_hash(rest.pop(), node) if index & 1 else node_hash(node, rest.pop())
        index, last = index >> 1, last >> 1
    if rest:
        raise ProofError("found a proof that is too long, needed one of this tree")
    return node


def consistency_proof(subtree: Subtree, first: int, second: int) -> list[bytes]:
    """Hashes that show that the tree of the first leaves was only appended to, RFC 9162 section 2.1.4.1.

    Args:
        subtree: roots of parts of the larger tree.
        first: leaves of the smaller tree.
        second: leaves of the larger tree.

    Raises:
        ProofError: if the smaller tree is empty or larger than the larger one.
    """
    if not 0 < first <= second:
        raise ProofError(f"found a tree of {second} leaves, needed 1 to {second} for the first, not {first}")
    proof, start, stop = [], 0, second
    while stop != first:
        middle = start + split(stop - start)
        if first <= middle:
            proof.append(subtree(middle, stop))
            stop = middle
        else:
            proof.append(subtree(start, middle))
            start = middle
    if start > 0:  # the checker has the root of the smaller tree only where that is a subtree of its own
        proof.append(subtree(start, stop))
    return proof[::-1]


def consistent(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the larger tree extends the smaller one, RFC 9162 section 2.1.4.2.

    Args:
        first: leaves of the smaller tree; its root is `first_root`.
        first_root: root of the smaller tree.
        second: leaves of the larger tree; its root is `second_root`.
        second_root: root of the larger tree.
        proof: hashes as `consistency_proof` gives them.
    """
    if not 0 < first <= second:
        return False
    if first == second:
        return first_root == second_root and not proof
    hashes = list(proof)
    if first & (first - 1) == 0:
        hashes.insert(0, first_root)
    if not hashes:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def split(size: int) -> int:
    """Leaves of the left half of a tree: the largest power of two below `size`, RFC 9162 section 2.1.1."""
    return 1 << ((size - 1).bit_length() - 1)
