"""From a contract or an outcome to what the Dagster UI shows. The only place that spells Dagster's metadata keys."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from schemas.contract import Table

if TYPE_CHECKING:
    from stages.quarantine import Group
    from stages.station import Outcome

_LARGEST_PREVIEW = 200_000
"""Bytes of pictures that may go into an event; Dagster keeps events for ever, in a database."""


def described(table: Table) -> Mapping[str, Any]:
    """Definition metadata of a table's asset: its columns with meaning, unit and PHI class."""
    columns = [
        dg.TableColumn(
            c.name,
            str(c.type),
            f"{c.meaning} [{c.unit}]" if c.unit else c.meaning,
            dg.TableColumnConstraints(nullable=c.nullable, unique=table.key == (c.name,)),
            {"phi": str(c.phi)},
        )
        for c in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns), "zone": str(table.zone), "key": ", ".join(table.key)}


def reported(outcome: "Outcome") -> dict[str, Any]:
    """Materialization metadata: rows kept, duplicates and quarantined rows add up to what was received.

    The UI shows it in this order, so what people look for comes first.
    """
    return {
        "dagster/row_count": outcome.kept,
        "duplicates": outcome.duplicates,
        "quarantined": outcome.quarantined,
        **outcome.details,
        "table_version": outcome.version,
    }


def pictures(captioned: Iterable[tuple[str, bytes]]) -> dg.MetadataValue[Any]:
    """PNG pictures that the UI shows in an event, with captions; those too large for an event are left out."""
    left, shown = _LARGEST_PREVIEW, []
    for caption, png in captioned:
        left -= len(png)
        encoded = base64.b64encode(png).decode()
        shown.append(
            f"**{caption}**\n\n" + (f"![{caption}](data:image/png;base64,{encoded})" if left >= 0 else "too large")
        )
    return dg.MetadataValue.md("\n\n".join(shown))


def sheet(lines: Sequence[Mapping[str, int | float | str]]) -> dg.MetadataValue[Any]:
    """Lines of alike facts as a table; none: a sentence that says so."""
    if not lines:
        return dg.MetadataValue.text("nothing to show")
    return dg.MetadataValue.table([dg.TableRecord(dict(line)) for line in lines])


def worklist(groups: Sequence["Group"], delivery: str) -> dg.MetadataValue[Any]:
    """What is held of a delivery as a page to work through, the largest group first; ids only, never a path."""
    if not groups:
        return dg.MetadataValue.md("Nothing is held back.")
    parts = [
        f"### {group.count} held: {group.reason}, at {group.stage}\n\n**To do:** {group.remedy}.\n\n"
        f"For example {', '.join(f'`{one}`' for one in group.examples)}"
        for group in groups
    ]
    steps = (
        f"`larmor quarantine {delivery} --list FILE` writes which files these ids are, for people with access to the "
        f"restricted zone. When something was put right: `larmor run --retry-quarantine {delivery}`, or in the UI the "
        "job `delivery` for this delivery (*Jobs*, *Materialize all*). To materialize this page alone counts what is "
        "held and tries nothing again."
    )
    return dg.MetadataValue.md("\n\n".join([*parts, steps]))


def page(path: str) -> dg.MetadataValue[Any]:
    """A page, by its path or URI."""
    return dg.MetadataValue.path(path)
