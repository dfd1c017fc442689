"""What verbs share: the lake they act on, what they need of its zones, and how they answer people and scripts.

Belongs here: options and output that every verb has, and the declaration of zones that every verb makes.
"""

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from schemas.roles import Needs

if TYPE_CHECKING:
    from lake.settings import Settings
    from lake.zones import Lake

Work = TypeVar("Work", bound=Callable[..., Any])


class LocalPath(click.Path):
    """A path of this machine. An address such as `s3://...` is refused: it would be taken for a folder named `s3:`."""

    def __init__(self, *, exists: bool = False, file_okay: bool = True, dir_okay: bool = True) -> None:
        """Set what may lie there.

        Args:
            exists: whether something must.
            file_okay: whether it may be a file.
            dir_okay: whether it may be a folder.
        """
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or a usage error."""
        if "://" in str(value):
            self.fail("found an address, needed a path of this machine; copy the file after it was written", param, ctx)
        return super().convert(value, param, ctx)


as_json = click.option("--json", "json_", is_flag=True, help="Print the result as JSON, for scripts.")


def configured(context: click.Context) -> "Settings":
    """Settings with the `--root` that stands before the verb."""
    from lake.settings import Settings

    root: Path | None = context.obj
    return Settings(root=root) if root is not None else Settings()


def opened(context: click.Context) -> "Lake":
    """The lake that the verb acts on."""
    from lake.zones import Lake

    return Lake(configured(context))


def acting(needs: Needs | Callable[[Mapping[str, Any]], Needs]) -> Callable[[Work], Work]:
    """Make a verb ask the roles, where the installation has some, for the zones that it reads or changes.

    A group is not asked for its own zones where a verb of it was called, which declares what it needs itself.

    Args:
        needs: these zones, or what gives them for the options that were given; stays readable as `needs` of the verb's
            function.
    """

    def declared(work: Work) -> Work:
        @functools.wraps(work)
        def asked(*arguments: Any, **given: Any) -> Any:
            context = click.get_current_context()
            if context.invoked_subcommand is None:
                from lineage.terms.asking import enter

                verb = "-".join(context.command_path.split()[1:]) or str(context.info_name)
                enter(opened(context), verb, needs if isinstance(needs, Needs) else needs(given))
            return work(*arguments, **given)

        vars(asked)["needs"] = needs
        return asked  # type: ignore[return-value]

    return declared


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
