"""Where things are and how they are kept: zones, Delta tables, the voxel payload, engines, releases.

Belongs here: storage and reading. Does not belong here: DICOM, models, Dagster.

Example:
    >>> import lake  # doctest: +SKIP
    >>> release = lake.open("brain-2026q4", purpose="research")  # doctest: +SKIP
    >>> table = release.table()  # doctest: +SKIP
    >>> voxels = release.volume(table.volume[0])  # doctest: +SKIP
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lake.opened import OpenRelease
    from lake.reading import Volumes
    from lake.voxels.dataset import Crops

__all__ = ["Crops", "Volumes", "open"]


def open(name: str, root: str | Path | None = None, *, purpose: str | None = None) -> "OpenRelease":
    """The release of this name, opened for reading; each access to its volumes is recorded.

    Args:
        name: of the release.
        root: the lake's folder; None: as `LARMOR_ROOT` and `larmor.yaml` say.
        purpose: what for; None: `LARMOR_PURPOSE`, else what the release is for.

    Raises:
        lake.releases.ReleaseError: if there is none, or its list of members is not the frozen one.
    """
    from lake.opened import opened
    from lake.releases import Release
    from lake.zones import Lake

    return opened(Release.open(Lake.open(root), name), purpose)


def __getattr__(name: str) -> Any:
    """`lake.Volumes` and `lake.Crops`, imported when asked for: rooms that read no voxels need no codec."""
    if name == "Volumes":
        from lake.reading import Volumes

        return Volumes
    if name == "Crops":
        from lake.voxels.dataset import Crops

        return Crops
    raise AttributeError(f"module 'lake' has no attribute {name!r}")
