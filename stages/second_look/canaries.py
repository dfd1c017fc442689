"""Canaries of a run: invented people who go through de-identification first, and stop the run if one gets out.

Belongs here: when they fly and what a miss does. What they are and how they are searched for is `deid.proof.canary`.
They go through a worker's own de-identifier, in the process that then cleans the delivery's files.
"""

from dataclasses import dataclass, field

from deid.headers.headers import Deidentifier
from deid.proof import canary
from lake.zones import Lake
from schemas.policy import Policy
from stages.identity import open_vault

PURPOSE = b"canary"
"""What the vault's derived key is for."""


class CanaryEscaped(ValueError):
    """An invented identifier was found in the output, so nothing of the run is kept."""


@dataclass(frozen=True)
class Flight:
    """Who flies with which unit.

    Attributes:
        unit: path of the first file of the unit that they go with; empty: none flies.
        key: what they are made from.
    """

    unit: str
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, lake: Lake, unit: str) -> "Flight":
        """The canaries of a lake, with the unit that begins with this file."""
        return cls(unit, open_vault(lake).derived(PURPOSE))

    def planted(self, policy: Policy) -> int:
        """How many identifying values fly; a run that ends has seen each of them removed."""
        return canary.planted(policy.dates, self.key) if self.unit else 0

    def fly(self, deidentifier: Deidentifier, unit: str) -> None:
        """Let them through the de-identifier, if this is their unit.

        Raises:
            CanaryEscaped: if one is found in what comes out.
        """
        if not self.unit or unit != self.unit:
            return
        recall = canary.released(deidentifier, self.key)
        if not recall.complete:
            raise CanaryEscaped(
                f"canaries: found {recall.planted - recall.removed} of {recall.planted} invented identifiers in what "
                f"de-identification put out ({', '.join(recall.missed[:5])}), needed none; nothing of this run is "
                f"kept; correct the rule of policy {deidentifier.policy.name} that lets them out"
            )
