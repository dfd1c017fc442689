"""What verbs share: the lake they act on, and how they answer people and scripts.

Belongs here: options and output that every verb has.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lake.settings import Settings
from lake.zones import Lake

as_json = click.option("--json", "json_", is_flag=True, help="Print the result as JSON, for scripts.")


def configured(context: click.Context) -> Settings:
    """Settings with the `--root` that stands before the verb."""
    root: Path | None = context.obj
    return Settings(root=root) if root is not None else Settings()


def opened(context: click.Context) -> Lake:
    """The lake that the verb acts on."""
    return Lake(configured(context))


def answer(
    json_: bool, result: Mapping[str, Any] | Sequence[Mapping[str, Any]], text: str, next_step: str = ""
) -> None:
    """Print a result: JSON for scripts, or text and the next step for people."""
    if json_:
        click.echo(json.dumps(result, indent=2, default=str))
        return
    click.echo(text)
    if next_step:
        click.echo(f"\nNext: {next_step}")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as aligned text, a column each."""
    cells = [list(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def say(line: str) -> None:
    """A line of progress, on standard error so that results can be piped."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
