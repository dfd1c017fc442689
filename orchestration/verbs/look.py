"""`larmor look`."""

import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.verbs._amounts import many
from orchestration.verbs._names import deliveries, releases
from orchestration.verbs._shared import LocalPath, acting, answer, as_json, opened, say
from schemas.roles import reading
from schemas.zone import Zone

if TYPE_CHECKING:
    from orchestration.gallery.server import Server


@click.command("look", epilog="Example: larmor look --release demo --where \"contrast = 'T1'\"")
@click.option("--release", shell_complete=releases, help="Volumes of this release; its sealed test set is not shown.")
@click.option("--delivery", shell_complete=deliveries, help="Volumes of this delivery; default: all of the lake.")
@click.option("--where", help="SQL predicate over the columns of curated/volumes and curated/series.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Most volumes to show.")
@click.option(
    "--predictions",
    type=LocalPath(exists=True, file_okay=False),
    help="Folder that larmor predict wrote for a release; its label maps are laid over the volumes.",
)
@click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    help="Write the gallery to this one file instead, without the 3D viewer.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on this machine; default: any free one.")
@click.option("--purpose", default="research", show_default=True, help="What for; it is recorded.")
@as_json
@acting(reading(Zone.CURATED))
@click.pass_context
def command(
    context: click.Context,
    release: str | None,
    delivery: str | None,
    where: str | None,
    limit: int,
    predictions: Path | None,
    out: Path | None,
    port: int,
    purpose: str,
    json_: bool,
) -> None:
    """Show volumes in the browser: three planes and quality of each, filters, and a 3D viewer with label maps.

    The page is served on this machine alone, to whoever has the address that is printed, until Ctrl-C; it needs no
    network. With --out it is written as one file instead.
    """
    lake = opened(context)
    if out is not None:
        if predictions is not None:
            raise click.UsageError("found --out and --predictions, needed one: a file has no viewer", context)
        from orchestration.gallery.page import write

        made = write(lake, release=release, delivery=delivery, where=where, limit=limit, out=out, purpose=purpose)
        result = {"page": str(made.page), "volumes": made.volumes, "found": made.found, "sealed": made.sealed}
        following = f"open it in a browser; larmor export {release} --to FOLDER" if release else "open it in a browser"
        answer(json_, result, f"{_counted(made.volumes, made.found, made.sealed)}\n{made.page}", following)
        return
    from orchestration.gallery.choice import choose
    from orchestration.gallery.server import Server
    from orchestration.gallery.site import Site, bundle, predicted

    chosen = choose(lake, release=release, delivery=delivery, where=where, limit=limit, purpose=purpose)
    if predictions is not None:
        say(f"Predictions of {many(predicted(chosen, predictions), 'volume')}")
    with Server(Site(chosen, purpose, predictions), port) as server:
        shown = len(chosen.rows)
        result = {"url": server.url, "volumes": shown, "found": chosen.found, "sealed": chosen.sealed}
        answer(json_, result, f"{_counted(shown, chosen.found, chosen.sealed)}\n{server.url}")
        if bundle() is None:
            say('Volumes are not shown in 3D: found no ipyniivue; install it with pip install "larmor[look]"')
        say("Open the address in a browser on this machine; Ctrl-C ends it")
        _serve(server)


def _counted(shown: int, found: int, sealed: int) -> str:
    left = f"; {many(found - shown, 'more volume')} fit, raise --limit" if found > shown else ""
    hidden = f"; {many(sealed, 'volume')} of the sealed test set left out" if sealed else ""
    return f"{many(shown, 'volume')}{left}{hidden}"


def _serve(server: "Server") -> None:
    """Serve until the person ends it, which is no failure; a desktop's browser is opened."""
    if sys.stdout.isatty() and (
        sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("Ended")
