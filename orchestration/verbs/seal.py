"""`larmor seal`."""

import click

from orchestration.verbs._shared import answer, as_json, opened


@click.command("seal", epilog="Example: larmor seal")
@as_json
@click.pass_context
def command(context: click.Context, json_: bool) -> None:
    """Sign how far the ledger has come, copy the seal to the anchors, and print its hash for paper."""
    from lineage.ledger import anchors
    from lineage.ledger.commits import Log
    from lineage.ledger.seals import seal

    lake = opened(context)
    made, places = seal(lake), anchors.places(lake.settings)
    try:
        # those that the seal itself could not reach are tried once more, and told
        anchors.copy(Log.of(lake), places)
    except OSError:
        raise click.ClickException(
            f"sealed as {made.name}, but found an anchor that cannot be written, needed a copy of the seal outside the "
            "lake; look at LARMOR_ANCHOR and run larmor seal again"
        ) from None
    said = made.statement
    result = {"seal": said.number, "entries": said.size, "root": said.root, "time": said.time, "printed": made.printed}
    text = f"Seal {said.number} over {said.size} entries, {said.time}; anchors {len(places)}\nfor paper  {made.printed}"
    following = "keep the line for paper; larmor verify --printed '...' finds a log that was made anew behind it"
    answer(json_, result | {"anchors": len(places)}, text, following)
