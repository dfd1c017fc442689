"""Making a table: its first commit, with the columns and properties that its contract asks for.

Belongs here: what a new table is declared as. What becomes of one that an older version declared is
`lake.tables.migrations`.
"""

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError

from lake.stores import aws
from lake.stores.storage import Location
from lake.tables import formats, log
from lake.tables.parts import ranged
from schemas.contract import Table

CHECKPOINT_INTERVAL = 100
"""Commits between Delta checkpoints; opening a table then reads at most this many small JSON files."""

_NEVER = "1000000000"
"""Checkpoint interval of sealed tables, for every engine that may write them."""


def properties(contract: Table) -> dict[str, str]:
    """Delta properties of a table of this contract."""
    return {
        formats.PROPERTY: str(contract.format),
        "delta.checkpointInterval": _NEVER if contract.sealed else str(CHECKPOINT_INTERVAL),
        # without it readers take note of the first 32 columns alone, and licence is the 46th of series
        "delta.dataSkippingStatsColumns": ",".join(ranged(contract.file_schema)),
        **({} if contract.sealed else {"delta.enableChangeDataFeed": "true"}),
    }


def create(contract: Table, location: Location) -> None:
    """Make a table where there is none; another process may make it at the same time, both then use that one."""
    location.make()
    try:
        DeltaTable.create(
            location.uri,
            contract.arrow_schema,
            mode="error",
            name=contract.name,
            description=contract.meaning,
            partition_by=list(contract.partition_by) or None,
            storage_options=location.options,
            # without it delta-rs commits a second creation as version 1, schema and all
            commit_properties=CommitProperties(max_commit_retries=0),
            configuration=properties(contract),
            raise_if_key_not_exists=False,  # one of them is ours
        )
        if location.local and location.private:
            _shut(location)
    except (DeltaError, OSError) as error:
        if not log.there(location):
            raise aws.translated(error, location.uri) from None


def _shut(location: Location) -> None:
    """Close what delta-rs made open to others; later commits are written by this project, for the owner alone."""
    made = location.path / log.FOLDER
    for path in (made, *made.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
