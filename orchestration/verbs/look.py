"""`larmor look`."""

from pathlib import Path

import click

from orchestration.verbs._amounts import many
from orchestration.verbs._shared import answer, as_json, opened


@click.command("look", epilog="Example: larmor look --release demo --where \"contrast = 'T1'\"")
@click.option("--release", help="Volumes of this release; its sealed test set is not shown.")
@click.option("--delivery", help="Volumes of this delivery; default: all of the lake.")
@click.option("--where", help="SQL predicate over the columns of curated/volumes and curated/series.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Most volumes to show.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Page to write; default: below <root>/pages."
)
@click.option("--purpose", default="research", show_default=True, help="What for; it is recorded.")
@as_json
@click.pass_context
def command(
    context: click.Context,
    release: str | None,
    delivery: str | None,
    where: str | None,
    limit: int,
    out: Path | None,
    purpose: str,
    json_: bool,
) -> None:
    """Write a gallery page of volumes: previews and what is known of each, in one file that needs no network."""
    from orchestration.gallery import write

    made = write(
        opened(context), release=release, delivery=delivery, where=where, limit=limit, out=out, purpose=purpose
    )
    left = f"; {many(made.found - made.volumes, 'more volume')} fit, raise --limit" if made.found > made.volumes else ""
    sealed = f"; {many(made.sealed, 'volume')} of the sealed test set left out" if made.sealed else ""
    text = f"{many(made.volumes, 'volume')}{left}{sealed}\n{made.page}"
    result = {"page": str(made.page), "volumes": made.volumes, "found": made.found, "sealed": made.sealed}
    following = f"open it in a browser; larmor export {release} --to FOLDER" if release else "open it in a browser"
    answer(json_, result, text, following)
