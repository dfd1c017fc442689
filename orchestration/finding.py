"""What an examination found: well or not, and what to do.

Belongs here: the shape of a finding. Examinations are `orchestration.doctor` and `orchestration.buckets`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing examined.

    Attributes:
        what: what was looked at.
        ok: whether it is well.
        found: what is there.
        remedy: what to do where it is not well.
        needed: whether Larmor cannot work without it as it is configured.
    """

    what: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True
