"""Check a proof of Larmor's ledger without Larmor: `python check_proof.py proof.json public.pem`.

Needs Python and the package cryptography, and any of the public keys that the ledger ever had. Says what the proof
shows, or that it does not hold. The hashing is that of RFC 9162, sections 2.1.3.2 and 2.1.4.2; seals are signed with
Ed25519, and the last seal of a key also by the key that takes over.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SEAL, KEY = b"larmor ledger seal v1\n", b"larmor ledger key v1\n"


def verify(seal: dict[str, Any], key: Any, domain: bytes = SEAL, signature: str = "signature") -> None:
    """Raise InvalidSignature unless the key signed what a seal says."""
    text = json.dumps(seal["statement"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    key.verify(bytes.fromhex(seal[signature]), domain + text.encode())


def keys_of(changes: list[dict[str, Any]], known: Any) -> list[Any]:
    """All keys that the changes lead through, each change signed by the key before and the key after it."""
    if not changes:
        return [known]
    raw = [changes[0]["statement"]["handover"]["old"], *(c["statement"]["handover"]["new"] for c in changes)]
    keys = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(text)) for text in raw]
    for place, change in enumerate(changes):
        verify(change, keys[place])
        verify(change, keys[place + 1], KEY, "countersignature")
    if known.public_bytes_raw() not in [key.public_bytes_raw() for key in keys]:
        raise ValueError("the public key is none of those that signed")
    return keys


def signed(seal: dict[str, Any], proof: dict[str, Any], known: Any, *, alone: bool = True) -> dict[str, Any]:
    """What a seal says, if the key whose turn it was signed it.

    A thief can give a seal any number, so that one of a key that was revoked does not stand alone.
    """
    changes, statement = proof.get("handovers", []), dict(seal["statement"])
    keys, number = keys_of(changes, known), statement["number"]
    numbers = [change["statement"]["number"] for change in changes]
    turn = sum(before < number for before in numbers)
    verify(seal, keys[turn])
    if statement.get("since") != (numbers[turn - 1] if turn else None):
        raise ValueError("a change of key is missing")
    ended = changes[turn]["statement"]["handover"]["ended"] if turn < len(changes) else number + 1
    if alone and turn < len(changes) and number != numbers[turn] and ended <= numbers[turn]:
        raise ValueError("the key of the seal was revoked; ask for a new proof")
    return statement


def node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(proof: dict[str, Any], size: int) -> str | None:
    """The root that an entry and the hashes beside it lead to."""
    root = hashlib.sha256(b"\x00" + proof["event"].encode()).digest()
    place, last = proof["sequence"], size - 1
    for other in map(bytes.fromhex, proof["path"]):
        if place & 1 or place == last:
            root = node(other, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = node(root, other)
        place, last = place >> 1, last >> 1
    return root.hex() if last == 0 else None


def grown(proof: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> tuple[str, str] | None:
    """The roots of the smaller and of the larger tree that the hashes lead to."""
    hashes = [bytes.fromhex(other) for other in proof["path"]]
    if first["size"] == second["size"]:
        return first["root"], first["root"]
    if first["size"] & (first["size"] - 1) == 0:
        hashes.insert(0, bytes.fromhex(first["root"]))
    place, last = first["size"] - 1, second["size"] - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for other in hashes[1:]:
        if place & 1 or place == last:
            old, new = node(other, old), node(other, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node(new, other)
        place, last = place >> 1, last >> 1
    return (old.hex(), new.hex()) if last == 0 else None


def check(proof: dict[str, Any], key: Any) -> tuple[bool, str]:
    """Whether a proof holds, and what it shows."""
    if proof["format"] == "larmor inclusion 1":
        seal = signed(proof["seal"], proof, key)
        said = f"entry {proof['sequence']} is in the log that was sealed at {seal['time']}: {proof['event']}"
        return included(proof, seal["size"]) == seal["root"], said
    first, second = signed(proof["first"], proof, key, alone=False), signed(proof["second"], proof, key)
    said = f"the {first['size']} entries of {first['time']} begin the {second['size']} entries of {second['time']}"
    return grown(proof, first, second) == (first["root"], second["root"]), said


def main() -> int:
    """Check the proof and the key that the command names; 0: it holds."""
    proof, pem = (Path(name).read_bytes() for name in sys.argv[1:3])
    try:
        holds, said = check(json.loads(proof), load_pem_public_key(pem))
    except (InvalidSignature, ValueError, KeyError, IndexError, TypeError) as error:
        holds, said = False, f"{type(error).__name__} {error}"
    sys.stdout.write(f"{said}\n" if holds else f"does NOT hold: {said}\n")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
