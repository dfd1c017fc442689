"""`larmor prove`."""

from pathlib import Path

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened
from schemas.roles import reading
from schemas.zone import Zone


@click.command("prove", epilog="Example: larmor prove 28 --output proof.json")
@click.argument("sequence", type=click.IntRange(min=0), required=False)
@click.option("--between", type=(int, int), metavar="SEAL SEAL", help="Prove that the log only grew between two seals.")
@click.option("--output", type=LocalPath(dir_okay=False), required=True, help="File of the proof.")
@as_json
@acting(reading(Zone.AUDIT))
@click.pass_context
def command(
    context: click.Context, sequence: int | None, between: tuple[int, int] | None, output: Path, json_: bool
) -> None:
    """Write a proof that entry SEQUENCE is in the sealed ledger, for a person who has the public key and no lake."""
    from lineage.ledger import proofs

    if (sequence is None) == (between is None):
        raise click.UsageError("found both or neither, needed the SEQUENCE of an entry, or two seals with --between")
    lake = opened(context)
    proof: proofs.Proof
    if between is not None:
        proof = proofs.consistency(lake, *between)
        what = f"The log of seal {between[0]} begins that of seal {between[1]}."
    else:
        assert sequence is not None
        proof = proofs.inclusion(lake, sequence)
        what = f"Entry {sequence} is under {proof.seal.name}: {proof.event}"
    output.write_bytes(proof.data)
    result = {"output": str(output), "bytes": len(proof.data), "hashes": len(proof.path)}
    following = f"hand over {output.name} and the public key; larmor verify --proof {output.name} --key public.pem"
    answer(json_, result, f"{what}\nwritten to {output}, {len(proof.data)} bytes", following)
