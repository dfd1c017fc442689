"""`larmor verify`."""

from pathlib import Path

import click

from orchestration.verbs._shared import answer, as_json, opened


@click.command("verify", epilog="Example: larmor verify --key ledger-public.pem")
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Public key kept outside the lake."
)
@as_json
@click.pass_context
def command(context: click.Context, key: Path | None, json_: bool) -> int:
    """Prove the ledger offline: every byte, every entry, every seal; the first that fails is named."""
    from lineage.ledger.verify import verify

    verdict = verify(opened(context), key)
    result = {
        "ok": verdict.ok,
        "entries": verdict.entries,
        "root": verdict.root,
        "seals": verdict.seals,
        "unsealed": verdict.unsealed,
        "key": verdict.key,
        "findings": [str(finding) for finding in verdict.findings],
    }
    if verdict.ok:
        text = (
            f"The ledger holds: {verdict.entries} entries, {verdict.seals} seals, {verdict.unsealed} after the last.\n"
            f"root {verdict.root}\nkey  {verdict.key}"
        )
        following = "compare the key's fingerprint with the one kept outside, or pass it with --key"
    else:
        text = "The ledger does NOT hold:\n" + "\n".join(f"  {finding}" for finding in verdict.findings[:10])
        following = "keep this copy as evidence; restore the audit zone from a backup and verify that"
    answer(json_, result, text, following)
    return 0 if verdict.ok else 1
