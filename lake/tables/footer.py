"""Whose rows a part file of payloads holds, said once more at the end of its footer.

Belongs here: writing these few columns beside the rows, and reading them without the rest. Such a file has a row group
for every payload, and a footer of some kilobytes for each: to learn from the row groups of five hundred whose they are
takes twenty-five milliseconds, from here one. It is true of files that `lake.tables.parts` wrote, whose digest is in a
commit. In what another engine made of such a file it may be a copy that no longer fits: whoever asks, asks of files
with a digest only.

Source: Parquet format, "File Format" and `FileMetaData.key_value_metadata` (github.com/apache/parquet-format): length
and magic number are the last eight bytes, and the key-value pairs follow all row groups.
"""

import json
from typing import Any

import pyarrow as pa

from lake.voxels.sources import Source

COLUMNS = ("subject", "series", "licence", "licences", "source_deliveries")
"""Columns that say whose a row is, of tables that have them; partition columns are in the file's path."""

_NAME = "larmor.keys"
_MARK = b"larmor.keys="
"""How the value begins: nothing else in a footer does, which holds names, numbers and Arrow's schema in base64."""

_ENDING, _MAGIC = 8, b"PAR1"
"""Bytes of the footer's length and the magic number that follows it."""

_TAIL = 1 << 18
"""Bytes looked through first; the whole footer only where they do not hold it."""

_DECODER = json.JSONDecoder()


def metadata(rows: pa.Table) -> dict[str, str]:
    """What the footer of a file with these rows is to say."""
    columns = {column: rows[column].to_pylist() for column in COLUMNS if column in rows.column_names}
    return {_NAME: f"{_NAME}={json.dumps(columns, separators=(',', ':'))}"}


def read(source: Source, path: str, size: int, schema: pa.Schema) -> pa.Table | None:
    """Columns of a part file, from the end of its footer.

    Args:
        source: where the table lies.
        path: the file, relative to the table; a commit says its digest.
        size: its bytes.
        schema: the columns wanted, with their types.

    Returns:
        A row a row of the file; None where its footer does not say all of them, and the file itself must be read.

    Raises:
        FileNotFoundError: if the file is gone.
        lake.voxels.sources.UnreadableFile: if it is empty.
    """
    if not set(schema.names) <= set(COLUMNS):
        return None
    said = _said(source, path, size)
    if not set(schema.names) <= said.keys():
        return None
    return pa.table({name: said[name] for name in schema.names}, schema)


def _said(source: Source, path: str, size: int) -> dict[str, Any]:
    """What the footer says; nothing where it says nothing, or is none."""
    ending = bytes(source.part(path, max(0, size - _ENDING), _ENDING))
    length = int.from_bytes(ending[:4], "little")
    if ending[4:] != _MAGIC or length + _ENDING > size:
        return {}
    for reach in (min(length, _TAIL), length):
        data = bytes(source.part(path, size - _ENDING - reach, reach))
        if (at := data.rfind(_MARK)) >= 0:
            # its text is ASCII, whatever follows it is not
            found: dict[str, Any] = _DECODER.raw_decode(data[at + len(_MARK) :].decode("latin-1"))[0]
            return found
    return {}
