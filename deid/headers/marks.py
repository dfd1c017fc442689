"""What the output says about its de-identification (PS3.15 E.1.1, PS3.16 CID 7050).

Belongs here: claims, and only those that hold: a code stands for an option that ran.
"""

from deid.headers import encoding, standard
from deid.headers.codes import coded
from deid.policy import claims
from schemas.policy import Dates, Policy

_TEMPORAL = {Dates.YEAR_ONLY: "MODIFIED", Dates.SHIFT: "MODIFIED", Dates.KEEP: "UNMODIFIED"}


def marks(policy: Policy, private_kept: bool, ran: frozenset[str] = frozenset()) -> list[tuple[int, bytes]]:
    """The marking elements of an output, by tag.

    Args:
        policy: what ran.
        private_kept: whether a private element was kept in this object.
        ran: codes of options that ran on this object only: on its pixels, or on a report's content.
    """
    claimed = claims(policy) - {standard.STRUCTURED}  # the rules are there for all, the content is a report's
    codes = {standard.BASIC, *ran, *claimed} | ({standard.SAFE_PRIVATE} if private_kept else set())
    concepts = (coded(code, "DCM", standard.OPTIONS[code]) for code in sorted(codes))
    method = f"Larmor {policy.name[:32]} {policy.version} {policy.digest[:12]}"
    return [
        (0x00080005, encoding.element(0x00080005, "CS", b"ISO_IR 192")),
        (0x00120062, encoding.element(0x00120062, "CS", b"YES")),
        (0x00120063, encoding.element(0x00120063, "LO", method.encode())),
        (0x00120064, encoding.sequence(0x00120064, concepts)),
        (0x00280303, encoding.element(0x00280303, "CS", _TEMPORAL[policy.dates].encode())),
    ]
