"""How checks about counts answer: what was found and, where it is not as it should be, what to do.

Belongs here: results that several checks share. What is counted is `stages.upkeep.reconcile`.
"""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from stages.upkeep.reconcile import Sheet

_LOST = (
    "found rows that are neither kept, duplicates nor in quarantine, needed none; materialize the delivery again, and "
    "if they are still missing run larmor doctor"
)


def balanced(sheet: "Sheet") -> dg.AssetCheckResult:
    """Whether nothing was lost; it blocks what comes behind."""
    return dg.AssetCheckResult(
        passed=sheet.balanced, description=None if sheet.balanced else _LOST, metadata=sheet.facts()
    )


def complete(found: int, expected: int | None) -> dg.AssetCheckResult:
    """Whether a delivery has as many files as its licensor says; it warns and holds nothing back.

    Args:
        found: files in landing.
        expected: files by delivery.yaml; None: not stated.
    """
    passed = expected in (None, found)
    remedy = (
        f"found {found} files, needed {expected}; ask the licensor which ones differ, put them right in landing, or "
        "correct expected_files in delivery.yaml, and materialize the delivery again"
    )
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if passed else remedy,
        metadata={"found": found, "expected": "not stated" if expected is None else expected},
    )


def settled(left: int, others: list[str]) -> dg.AssetCheckResult:
    """Whether deliveries that share files agree about who keeps them; it warns and holds nothing back.

    Args:
        left: files that this delivery left to one that does not keep them any more.
        others: deliveries that left files to this one, which does not keep them.
    """
    again = ["this delivery"] * bool(left) + others
    return dg.AssetCheckResult(
        passed=not again,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"found files that nobody keeps any more; materialize {', '.join(again)} again" if again else None,
        metadata={"files_to_receive_again": left, "deliveries_to_run_again": ", ".join(others) or "none"},
    )
