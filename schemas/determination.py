"""An expert's determination under 45 CFR 164.514(b)(1): that the risk is very small, for one policy, until a day.

Belongs here: what such a document says. Whether a release needs one is `lineage.terms.determinations`.
"""

import datetime as dt
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from schemas.term import Dated, Kind


class Determination(Dated):
    """A determination: it holds for data that this very policy treated; of a changed policy it says nothing."""

    kind: Literal[Kind.DETERMINATION]
    """expert-determination."""
    valid_until: dt.date
    """Last day in force: a determination is made for a time."""
    policy_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the policy that was judged, as `larmor doctor policy NAME --json` tells it."""
    releases: list[str] = Field(default_factory=lambda: ["*"], min_length=1)
    """Releases it was made for, as shell patterns."""
    method: str = ""
    """How the risk was judged, in a sentence; the report itself stays with the expert."""

    def covers(self, release: str) -> bool:
        """Whether it was made for a release of this name."""
        return any(fnmatchcase(release, pattern) for pattern in self.releases)
