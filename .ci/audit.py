"""Known vulnerabilities of the pinned packages, told by pip-audit, for `make audit` and `make lint`.

pip-audit says that it found none also where its service knew no package at all, as indexes that are mirrors do. What it
did not look at is told here, and nothing looked at is no good news.

Ends with 0: none found; 1: some found, or pip-audit told no report; 2: no service answered for any package.
"""

import json
import subprocess
import sys
from pathlib import Path

VERSION = "2.10.1"

FOUND, NOT_ASKED = 1, 2


def main() -> int:
    """Audit `requirements.lock` and say what came of it, in a line where nothing did."""
    uv = Path(sys.executable).with_name("uv")
    asked = f"tool run pip-audit=={VERSION} -r requirements.lock --disable-pip --progress-spinner off --format json"
    answer = subprocess.run([uv, *asked.split()], capture_output=True, text=True, check=False)  # noqa: S603  # our own
    code, said = told(answer.stdout)
    sys.stdout.write(f"audit: {said}\n")
    return code


def told(report: str) -> tuple[int, str]:
    """How to end, and what to say of a report.

    Args:
        report: pip-audit's JSON; empty where it told none, because it could not be had or reached no service.
    """
    if not report.strip():
        return NOT_ASKED, "skipped, found no answer of a vulnerability service; needed a network that reaches one"
    packages = json.loads(report)["dependencies"]
    known = [package for package in packages if "vulns" in package]
    if not known:
        return NOT_ASKED, f"skipped, the index tells no vulnerabilities of any of {len(packages)} packages"
    said = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'none'}"
        for package in known
        for each in package["vulns"]
    ]
    counted = f"{len(known)} of {len(packages)} packages looked at, {len(said)} known vulnerabilities"
    return FOUND if said else 0, "\n  ".join([counted, *said])


if __name__ == "__main__":
    sys.exit(main())
