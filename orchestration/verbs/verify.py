"""`larmor verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened
from schemas.roles import Needs, reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from lineage.ledger.proofs import Proof
    from lineage.ledger.verify import Verdict

_FILE = LocalPath(exists=True, dir_okay=False)


@click.command("verify", epilog="Example: larmor verify --key ledger-public.pem")
@click.option("--key", type=_FILE, help="Public key kept outside the lake, of any key that signed.")
@click.option("--since-last-seal", is_flag=True, help="Compare what is sealed, prove what came after.")
@click.option("--anchor", multiple=True, help="Folder or s3:// prefix that keeps seals, besides LARMOR_ANCHOR.")
@click.option("--printed", help="Hash of a seal that was kept on paper.")
@click.option("--proof", type=_FILE, help="Check this proof with --key alone; needs no lake.")
@as_json
@acting(lambda given: Needs() if given["proof"] else reading(Zone.AUDIT))
@click.pass_context
def command(
    context: click.Context,
    key: Path | None,
    since_last_seal: bool,
    anchor: tuple[str, ...],
    printed: str | None,
    proof: Path | None,
    json_: bool,
) -> int:
    """Prove the ledger offline: every byte, every entry, every seal; the first that fails is named."""
    if proof is not None:
        if key is None:
            raise click.UsageError("found no --key, needed the public key that the proof is checked with")
        return _checked(proof, key, json_)
    from lake.stores.storage import Location
    from lineage.ledger.verify import verify

    places = [Location(place if "://" in place else Path(place).absolute()) for place in anchor]
    verdict = verify(opened(context), key, since_last_seal=since_last_seal, anchors=places, printed=printed)
    answer(json_, _result(verdict), _told(verdict), _next(verdict))
    return 0 if verdict.ok else 1


def _result(verdict: "Verdict") -> dict[str, Any]:
    names = (
        "ok", "entries", "root", "seals", "revoked", "unsealed", "compared", "anchors", "unanchored", "key", "keys",
    )  # fmt: skip
    return {name: getattr(verdict, name) for name in names} | {"findings": [str(each) for each in verdict.findings]}


def _told(verdict: "Verdict") -> str:
    if not verdict.ok:
        return "The ledger does NOT hold:\n" + "\n".join(f"  {finding}" for finding in verdict.findings[:10])
    lines = [
        f"The ledger holds: {verdict.entries} entries, {verdict.seals} seals, {verdict.unsealed} after the last.",
        f"root {verdict.root}",
        *(f"key  {key}{' (ended)' if key != verdict.key else ''}" for key in verdict.keys or ["none yet"]),
    ]
    if verdict.revoked:
        lines.append(
            f"{verdict.revoked} seals more are of a key that was revoked; those after them vouch for everything"
        )
    if verdict.compared:
        lines.append(f"{verdict.compared} entries were compared with what was sealed, byte by byte, not hashed anew")
    if verdict.anchors:
        lines.append(f"{verdict.anchors} anchors agree; {verdict.unanchored} seals are not in all of them yet")
    return "\n".join(lines)


def _next(verdict: "Verdict") -> str:
    if not verdict.ok:
        return "keep this copy as evidence; restore the audit zone from a backup and verify that"
    return "compare a key's fingerprint with one kept outside, or pass that key with --key"


def _checked(file: Path, key: Path, json_: bool) -> int:
    from lineage.ledger.merkle import ProofError
    from lineage.ledger.proofs import check

    try:
        proof = check(file.read_bytes(), key.read_bytes())
    except ProofError as error:
        answer(json_, {"ok": False, "finding": str(error)}, f"The proof does NOT hold: {error}", "ask for it again")
        return 1
    text, result = _shown(proof)
    answer(json_, {"ok": True, **result}, text, "compare the key, and the line for paper, with those kept outside")
    return 0


def _shown(proof: "Proof") -> tuple[str, dict[str, Any]]:
    from lineage.ledger.proofs import Inclusion

    if isinstance(proof, Inclusion):
        seal, what = proof.seal, {"sequence": proof.sequence, "event": proof.event}
        where = f"{seal.name}, {seal.statement.time}"
        said = f"The proof holds: entry {proof.sequence} is in the log of {where}.\n{proof.event}"
    else:
        seal, what = proof.second, {"first": proof.first.size, "second": proof.second.size}
        said = (
            f"The proof holds: the {proof.first.size} entries of {proof.first.name}, {proof.first.statement.time}, "
            f"begin the {seal.size} entries of {seal.name}, {seal.statement.time}."
        )
    printed = f"for paper  {seal.printed}\nkey  {seal.key}"
    return f"{said}\n{printed}", {**what, "seal": seal.statement.number, "printed": seal.printed, "key": seal.key}
