"""Digests of files, and of the code that a model was trained with.

Belongs here: nothing else.
"""

import hashlib
from importlib import resources
from pathlib import Path

ROOMS = ("schemas", "lake", "training")
"""Whose code decides what a training does."""


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def code_digest() -> str:
    """SHA-256 over the names and contents of the Python and YAML files that decide what a training does."""
    total = hashlib.sha256()
    for room in ROOMS:
        home = Path(str(resources.files(room)))
        for file in sorted(path for path in home.rglob("*") if path.suffix in (".py", ".yaml")):
            total.update(f"{room}/{file.relative_to(home).as_posix()}\n{digest_of(file)}\n".encode())
    return total.hexdigest()
