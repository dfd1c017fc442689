"""The format of documents that Larmor writes and keeps: manifests of releases and checkpoints, records of withdrawals.

Belongs here: what such a document says of its format, and refusing one that a newer Larmor wrote. One that says nothing
was written before documents told, and has format 1. A document gains fields with a default without a new format; a new
format is for fields that an older version must not overlook. Documents that people write have none, tables have one of
their own (`lake.tables.formats`).
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from schemas.document import Document


class FormatNewer(RuntimeError):
    """A document was written by a newer version of Larmor; no ValueError, so that pydantic passes it on as it is."""


def require_known(found: object, known: int, what: str) -> None:
    """Refuse a document that a newer Larmor wrote.

    Args:
        found: the format that it tells; None: none.
        known: the newest format that this version reads.
        what: what the error calls it.

    Raises:
        FormatNewer: if it is newer.
    """
    if isinstance(found, int) and found > known:
        raise FormatNewer(f"{what}: found format {found}, this version reads up to {known}; upgrade Larmor")


class Kept(Document):
    """A document that Larmor writes and keeps."""

    FORMAT: ClassVar[int] = 1
    """The newest format that this version reads, and the one that it writes."""

    format: int = 1
    """Format of the document."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, content: Any) -> Any:
        """Look at the format before fields that this version does not know are found wrong."""
        if isinstance(content, Mapping):
            words = re.findall(r"[A-Z][a-z]+", cls.__name__)
            require_known(content.get("format"), cls.FORMAT, " ".join(words).lower())
        return content
