"""What assets are handed: the lake.

Belongs here: resources. Their settings are `lake.settings`; nothing is set twice.
"""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from lake.zones import Lake


class LakeResource(dg.ConfigurableResource):
    """The lake that `LARMOR_*` and `larmor.yaml` name."""

    root: str | None = None
    """Folder of the lake; None: as configured."""

    def open(self) -> "Lake":
        """The lake."""
        from lake.zones import Lake  # deltalake and pyarrow stay out of the definitions' import path

        return Lake.open(self.root)
