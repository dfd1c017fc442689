"""What assets are handed: the lake, and clients of the buckets that its zones lie in.

Belongs here: resources. Their settings are `lake.settings`; nothing is set twice.
"""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

if TYPE_CHECKING:
    from lake.settings import Settings
    from lake.zones import Lake

USER_TAG = "user"
"""Tag of a run: the person it acts for, as the proxy in front of the UI forwarded it."""

_PLACES = ("restricted", "curated", "audit", "models", "landing")


class LakeResource(dg.ConfigurableResource):
    """The lake that `LARMOR_*` and `larmor.yaml` name."""

    root: str | None = None
    """Folder of the lake; None: as configured."""

    _user: str | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Note whom the run acts for, where it is stamped with a user."""
        self._user = context.run.tags.get(USER_TAG) if context.run else None

    def environment(self) -> dict[str, str]:
        """Variables that make a process of this run act for the same user."""
        return {"LARMOR_PRINCIPAL": self._user} if self._user else {}

    def open(self) -> "Lake":
        """The lake."""
        from lake.zones import Lake  # deltalake and pyarrow stay out of the definitions' import path

        return Lake.open(self.root, **({"principal": self._user} if self._user else {}))


def buckets(settings: "Settings") -> dict[str, dg.ConfigurableResource]:
    """`s3_<zone>` for each zone that lies on S3: dagster-aws's S3 resource for assets that an installation adds.

    URIs stay the lake's: `lake.open().location(zone)` says where a zone is, this is only the way there.
    """
    far = [name for name in _PLACES if isinstance(settings.place(name), str)]
    if not far:
        return {}
    from assets.buckets import ZoneS3Resource

    return {f"s3_{name}": ZoneS3Resource(zone=name) for name in far}
