"""The project's code as one archive, so that nothing of it is installed on executors by hand."""

import hashlib
import importlib.util
import zipfile
from pathlib import Path

from schemas.rooms import ROOMS

SHIPPED = ROOMS[: ROOMS.index("stages") + 1]
"""What the work of a stage may import."""

_LEFT_OUT = ("__pycache__",)


def archive(folder: Path) -> Path:
    """Pack the rooms, with the data files beside the modules.

    Args:
        folder: where to; it exists.

    Returns:
        The archive, named after its content, so that an executor never takes an older one for it.
    """
    contents = {name: path.read_bytes() for name, path in sorted(_files())}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    target = folder / f"larmor-{digest.hexdigest()[:16]}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, content in contents.items():
            packed.writestr(name, content)
    return target


def _files() -> list[tuple[str, Path]]:
    found = []
    for room in SHIPPED:
        spec = importlib.util.find_spec(room)
        for place in (spec.submodule_search_locations or []) if spec else []:
            root = Path(place)
            found += [
                (f"{room}/{path.relative_to(root).as_posix()}", path)
                for path in root.rglob("*")
                if path.is_file() and not set(_LEFT_OUT) & set(path.parts)
            ]
    return found
