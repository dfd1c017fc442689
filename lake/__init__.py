"""Where things are and how they are kept: zones, Delta tables, the voxel payload, engines, releases.

Belongs here: storage and reading. Does not belong here: DICOM, models, Dagster.

Example:
    >>> import lake  # doctest: +SKIP
    >>> volumes = lake.open("brain-2026q4").volumes()  # doctest: +SKIP
    >>> crop = volumes.crop(volumes.ids[0], (0, 0, 0), (96, 96, 96))  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lake.dataset import Crops
    from lake.releases import Release
    from lake.volumes import Volumes

__all__ = ["Crops", "Volumes", "open"]


def open(name: str, root: str | None = None) -> "Release":
    """The release of this name in the lake at `root`, or in the configured one."""
    from lake.releases import Release
    from lake.zones import Lake

    return Release.open(Lake.open(root), name)


def __getattr__(name: str) -> Any:
    """`lake.Volumes` and `lake.Crops`, imported when asked for: rooms that read no voxels need no codec."""
    if name == "Volumes":
        from lake.volumes import Volumes

        return Volumes
    if name == "Crops":
        from lake.dataset import Crops

        return Crops
    raise AttributeError(f"module 'lake' has no attribute {name!r}")
