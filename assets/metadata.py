"""From a contract or an outcome to what the Dagster UI shows. The only place that spells Dagster's metadata keys."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from schemas.contract import Table

if TYPE_CHECKING:
    from stages.station import Outcome

_LARGEST_PREVIEW = 200_000
"""Bytes of a picture that may go into an event; Dagster keeps events for ever, in a database."""


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
    """Materialization metadata: rows kept, duplicates and quarantined rows add up to what was received."""
    return {
        "dagster/row_count": outcome.kept,
        "duplicates": outcome.duplicates,
        "quarantined": outcome.quarantined,
        "table_version": outcome.version,
        **outcome.details,
    }


def picture(png: bytes, caption: str) -> dg.MetadataValue[Any]:
    """A picture that the UI shows in an event; one that is too large for an event is left out, and said so."""
    if len(png) > _LARGEST_PREVIEW:
        return dg.MetadataValue.md(f"{caption}: too large to show here")
    return dg.MetadataValue.md(f"![{caption}](data:image/png;base64,{base64.b64encode(png).decode()})")


def page(path: Path) -> dg.MetadataValue[Any]:
    """A page on disk."""
    return dg.MetadataValue.path(path)
