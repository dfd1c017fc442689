"""Deliveries in landing: which there are, their manifests and files, in a folder or below a prefix of S3.

Belongs here: reading landing. How deliveries get there is `stages.intake.intake`, `stages.intake.pacs` and
`stages.intake.receiver`.
"""

from pathlib import Path

from lake.stores.storage import Location
from lake.zones import Lake
from schemas.delivery import MANIFEST_NAME, Delivery
from schemas.document import DocumentError


def manifest_of(lake: Lake, delivery: str) -> Delivery:
    """The manifest of a delivery.

    Raises:
        DocumentError: if there is none, it is wrong, or it names another delivery: terms are asked about the name that
            it states, and rows stand under that of the folder.
    """
    found = _read(lake.landed(delivery))
    if found.name != delivery:
        raise DocumentError(
            f"{MANIFEST_NAME} of {delivery}: found another name than the folder's, needed the same, because the "
            "licence is looked up by it; correct `name:`, or rename the folder"
        )
    return found


def _read(place: Location) -> Delivery:
    if place.local:
        return Delivery.read(place.path / MANIFEST_NAME)
    try:
        return Delivery.of(place.read_bytes(MANIFEST_NAME), MANIFEST_NAME)
    except FileNotFoundError:
        raise Delivery.absent(MANIFEST_NAME, place.uri) from None


def names(lake: Lake) -> list[str]:
    """Complete deliveries, sorted: one that is still on its way has a dot before its name, or no manifest yet."""
    landing = lake.landed()
    return [name for name in landing.list() if not name.startswith(".") and landing.exists(f"{name}/{MANIFEST_NAME}")]


def delivered(lake: Lake, delivery: str) -> list[str]:
    """Paths of a delivery's files relative to its folder, sorted; the manifest is not one of them."""
    return paths_of(lake.landed(delivery))


def paths_of(place: Location) -> list[str]:
    """Paths of the files of a delivery's folder; links are among them, so that none goes unseen."""
    if place.local:
        return files(place.path)
    return [path for path in place.walk() if path != MANIFEST_NAME]


def files(folder: Path) -> list[str]:
    """Paths of a delivery's files relative to its folder, sorted; the manifest is not one of them."""
    found = (p for p in folder.rglob("*") if p.is_symlink() or p.is_file())
    return sorted(p.relative_to(folder).as_posix() for p in found if p != folder / MANIFEST_NAME)
