"""Where things are and how they are kept: zones, Delta tables, the voxel payload, engines, releases.

Belongs here: storage and reading. Does not belong here: DICOM, models, Dagster.

Example:
    >>> import lake  # doctest: +SKIP
    >>> release = lake.open("brain-2026q4")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.releases import Release


def open(name: str, root: str | None = None) -> "Release":
    """The release of this name in the lake at `root`, or in the configured one."""
    from lake.releases import Release
    from lake.zones import Lake

    return Release.open(Lake.open(root), name)
