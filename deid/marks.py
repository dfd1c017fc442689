"""What the output says about its de-identification (PS3.15 E.1.1, PS3.16 CID 7050).

Belongs here: claims, and only those that hold: a code stands for an option that ran.
"""

from deid import encoding
from deid.codes import coded
from schemas.policy import Dates, Policy

_OPTIONS = {
    "113100": "Basic Application Confidentiality Profile",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113111": "Retain Safe Private Option",
}
_TEMPORAL = {Dates.YEAR_ONLY: "REMOVED", Dates.SHIFT: "MODIFIED", Dates.KEEP: "UNMODIFIED"}
_CHARACTERISTICS = frozenset({"PatientSex", "PatientAge", "PatientWeight", "PatientSize"})


def marks(policy: Policy, private_kept: bool) -> list[tuple[int, bytes]]:
    """The marking elements of an output, by tag.

    Args:
        policy: what ran.
        private_kept: whether a private element was kept in this object.
    """
    codes = ["113100"]
    if policy.clean:
        codes.append("113105")
    if policy.dates is not Dates.YEAR_ONLY:
        codes.append("113106" if policy.dates is Dates.KEEP else "113107")
    if any(_CHARACTERISTICS & set(rule.elements) for rule in policy.keep):
        codes.append("113108")
    if private_kept:
        codes.append("113111")
    method = f"Larmor {policy.name[:32]} {policy.version} {policy.digest[:12]}"
    return [
        (0x00080005, encoding.element(0x00080005, "CS", b"ISO_IR 192")),
        (0x00120062, encoding.element(0x00120062, "CS", b"YES")),
        (0x00120063, encoding.element(0x00120063, "LO", method.encode())),
        (0x00120064, encoding.sequence(0x00120064, (coded(code, "DCM", _OPTIONS[code]) for code in codes))),
        (0x00280303, encoding.element(0x00280303, "CS", _TEMPORAL[policy.dates].encode())),
    ]
