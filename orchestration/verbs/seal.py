"""`larmor seal`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened
from schemas.roles import Needs, changing
from schemas.zone import Zone

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from lake.zones import Lake
    from lineage.ledger.statements import Seal

_FILE = LocalPath(dir_okay=False)


@click.command("seal", epilog="Example: larmor seal, or: larmor seal --rotate-key --public-key ledger-public.pem")
@click.option("--rotate-key", is_flag=True, help="Let a new key sign from now on; old and new key sign the change.")
@click.option("--new-key", type=_FILE, help="With --rotate-key: file of the new private key, made if there is none.")
@click.option("--new-secret", metavar="NAME", help="With --rotate-key: secret of AWS Secrets Manager that holds it.")
@click.option(
    "--revoke-from",
    type=click.IntRange(min=1),
    metavar="SEAL",
    help="With --rotate-key: the old key was seen by others, and proves nothing from this seal on.",
)
@click.option("--public-key", type=_FILE, help="Write the public key that signs now to this file, to hand it out.")
@as_json
@acting(lambda given: _needs(rotate=given["rotate_key"]))
@click.pass_context
def command(
    context: click.Context,
    rotate_key: bool,
    new_key: Path | None,
    new_secret: str | None,
    revoke_from: int | None,
    public_key: Path | None,
    json_: bool,
) -> None:
    """Sign how far the ledger has come, copy the seal to the anchors, and print its hash for paper."""
    from lineage.ledger.seals import seal

    if not rotate_key and (new_key or new_secret or revoke_from):
        raise click.UsageError("found options of a change of key alone, needed --rotate-key with them")
    if new_key and new_secret:
        raise click.UsageError("found --new-key and --new-secret, needed one place of the new key")
    lake = opened(context)
    if rotate_key:
        made, handover = _rotated(lake, new_key, new_secret, revoke_from)
    else:
        made, handover = seal(lake), None
    places = _anchored(lake, made)
    said = made.statement
    result = {
        "seal": said.number, "entries": said.size, "root": said.root, "time": said.time, "printed": made.printed,
        "anchors": places, "key": made.key,
    }  # fmt: skip
    text = f"Seal {said.number} over {said.size} entries, {said.time}; anchors {places}\nfor paper  {made.printed}"
    text += "" if places else "\nno anchor: whoever owns the lake could cut its record back unseen; set LARMOR_ANCHOR"
    if handover:
        result |= {"handover": handover.statement.number, "old_key": handover.key}
        text = f"Another key signs from now on.\nold key  {handover.key}\nnew key  {made.key}\n{text}"
    if public_key:
        _write_public(lake, public_key)
        result["public_key"] = str(public_key)
    answer(json_, result, text, _next(new_key, new_secret))


def _needs(*, rotate: bool) -> Needs:
    return changing(Zone.AUDIT, Zone.RESTRICTED) if rotate else changing(Zone.AUDIT)


def _rotated(lake: "Lake", file: Path | None, secret: str | None, revoke_from: int | None) -> "tuple[Seal, Seal]":
    """The new key's first seal, and the seal that handed over to it."""
    from lineage.ledger import keys
    from lineage.ledger.commits import Log
    from lineage.ledger.rotation import rotate
    from lineage.ledger.statements import newest

    new: Ed25519PrivateKey | None = None
    if file:
        new = keys.new_in_file(file)
    elif secret:
        new = keys.of_secret(secret, "--new-secret")
    handover = rotate(lake, new, revoke_from)
    made = newest(Log.of(lake))
    assert made is not None
    return made, handover


def _anchored(lake: "Lake", made: "Seal") -> int:
    """Copy to the anchors once more, and look at what they hold; returns how many there are.

    Raises:
        click.ClickException: if one cannot be written, or holds another log's seals.
    """
    from lineage.ledger import anchored, anchors
    from lineage.ledger.commits import Log

    log, places = Log.of(lake), anchors.places(lake.settings)
    try:
        # those that the seal itself could not reach are tried once more, and told
        anchors.copy(log, places)
    except OSError:
        raise click.ClickException(
            f"sealed as {made.name}, but found an anchor that cannot be written, needed a copy of the seal outside the "
            "lake; look at LARMOR_ANCHOR and run larmor seal again"
        ) from None
    if findings := anchored.told(log, list(map(anchored.read, places))):
        raise click.ClickException(
            f"sealed as {made.name}, but {findings[0]}: the anchor belongs to another ledger, or this one was cut back "
            "or made anew; run larmor verify, and if the lake is right, name another place in LARMOR_ANCHOR"
        )
    return len(places)


def _write_public(lake: "Lake", file: Path) -> None:
    from lineage.ledger import keys
    from lineage.ledger.commits import Log
    from lineage.ledger.statements import handovers

    changes, beside = handovers(Log.of(lake)), Log.of(lake).seals.read_bytes(keys.PUBLIC_NAME)
    handover = changes[-1].statement.handover if changes else None
    file.write_bytes(keys.public_pem(keys.of_raw(handover.new)) if handover else beside)


def _next(new_key: Path | None, new_secret: str | None) -> str:
    if new_key or new_secret:
        setting = f"LARMOR_SEAL_KEY_FILE={new_key}" if new_key else f"LARMOR_SEAL_KEY_SECRET={new_secret}"
        return f"set {setting} wherever Larmor runs, then destroy the old private key; nothing needs it"
    return "keep the line for paper; larmor verify --printed '...' finds a log that was made anew behind it"
