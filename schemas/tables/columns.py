"""Columns and types that tables of several zones share.

Belongs here: what means the same wherever it stands. A table's own columns stand with it.
"""

import pyarrow as pa

from schemas.contract import Column, Phi

STRING, INT, FLOAT, BINARY = pa.string(), pa.int64(), pa.float64(), pa.binary()
FLOATS, STRINGS, INTS = pa.list_(pa.float64()), pa.list_(pa.string()), pa.list_(pa.int64())

DELIVERY = Column("delivery", STRING, "Delivery that brought it; the partition")
SUBJECT = Column("subject", STRING, "Pseudonymous person, random code of the vault", Phi.PSEUDONYM)
STUDY = Column("study", STRING, "Pseudonymous Study Instance UID", Phi.PSEUDONYM)
SERIES_ID = Column("series", STRING, "Pseudonymous Series Instance UID", Phi.PSEUDONYM)
INSTANCE = Column("instance", STRING, "Pseudonymous SOP Instance UID", Phi.PSEUDONYM)
VOLUME_ID = Column("volume", STRING, "Volume, derived from the series and its part", Phi.PSEUDONYM)
LICENCE = Column("licence", STRING, "Licence it came under")
POLICY = Column("policy", STRING, "SHA-256 of the de-identification policy that treated it")


def optional(column: Column) -> Column:
    """The same column where rows may have no value."""
    return Column(column.name, column.type, column.meaning, column.phi, column.unit, nullable=True)
