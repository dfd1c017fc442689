"""What a shell completes: names of deliveries, releases and models, read off the folders of this machine.

Belongs here: names of folders, and nothing that lies in one. They name no person: `larmor ingest` refuses such a name
for a delivery, and people have pseudonyms that are never completed. What lies on S3 is not asked for: a key press does
not wait for a network. A folder that the user may not read gives nothing.
"""

from collections.abc import Callable
from glob import escape
from pathlib import Path

import click

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _folders(zone: str, *below: str, holding: str) -> Complete:
    """Completes names of folders of a zone that hold a file."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from lake.settings import Settings

        try:
            root = context.find_root().params.get("root")
            place = (Settings(root=root) if root else Settings()).place(zone)
            if not isinstance(place, Path):
                return []
            return sorted(each.parent.name for each in place.joinpath(*below).glob(f"{escape(incomplete)}*/{holding}"))
        except (OSError, ValueError):
            return []

    return complete


deliveries = _folders("landing", holding="delivery.yaml")
releases = _folders("curated", "releases", holding="manifest.json")
models = _folders("models", holding="manifest.json")
