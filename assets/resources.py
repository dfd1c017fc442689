"""What assets are handed: the lake, and clients of the buckets that its zones lie in.

Belongs here: resources. Their settings are `lake.settings`; nothing is set twice.
"""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from lake.settings import Settings
    from lake.zones import Lake

_PLACES = ("restricted", "curated", "audit", "models", "landing")


class LakeResource(dg.ConfigurableResource):
    """The lake that `LARMOR_*` and `larmor.yaml` name."""

    root: str | None = None
    """Folder of the lake; None: as configured."""

    def open(self) -> "Lake":
        """The lake."""
        from lake.zones import Lake  # deltalake and pyarrow stay out of the definitions' import path

        return Lake.open(self.root)


def buckets(settings: "Settings") -> dict[str, dg.ConfigurableResource]:
    """`s3_<zone>` for each zone that lies on S3: dagster-aws's S3 resource for assets that an installation adds.

    URIs stay the lake's: `lake.open().location(zone)` says where a zone is, this is only the way there.
    """
    far = [name for name in _PLACES if isinstance(settings.place(name), str)]
    if not far:
        return {}
    from assets.buckets import ZoneS3Resource

    return {f"s3_{name}": ZoneS3Resource(zone=name) for name in far}
