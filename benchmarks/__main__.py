"""`python -m benchmarks [NAME ...]`: run all measurements, or those named."""

import importlib
import sys

NAMES = (
    "volumes",
    "crops",
    "opening",
    "codecs",
    "deidentification",
    "burned_in",
    "classification",
    "staging",
    "lake_scale",
    "crowded",
    "overhead",
    "engines",
    "tokens",
    "running",
    "ledger",
    "exposures",
    "withdrawal",
)
LONG = ("kills", "large_rows", "tiers", "hippocampus", "restoration")
"""Run only when they are named: they take half an hour, `hippocampus` one and a half."""


def main(names: list[str]) -> None:
    """Run measurements and print their tables."""
    for name in names or NAMES:
        if name not in (*NAMES, *LONG):
            sys.exit(f"found no benchmark {name!r}, needed some of: {', '.join((*NAMES, *LONG))}")
        print(f"\n## {name}\n", flush=True)
        print(importlib.import_module(f"benchmarks.{name}").run(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
