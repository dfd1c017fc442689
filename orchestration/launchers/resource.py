"""The resource `launcher` of the model assets: this machine, or wherever the settings say.

Belongs here: what definitions need, which is little to import. The work of a training away from home is
`orchestration.launchers.away`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.resources import LakeResource
from assets.training import Launcher
from lake.settings import LauncherName, Settings

if TYPE_CHECKING:
    from stages.clearance import Clearance


class AwayLauncher(Launcher):
    """Trains where `LARMOR_LAUNCHER` and `LARMOR_LAUNCHING` say."""

    poll_s: float = 15.0
    """Seconds between questions to the backend."""

    def train(
        self,
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        job: Mapping[str, Any],
        ranks: int,
        clearance: "Clearance",
    ) -> Mapping[str, Any]:
        """Train away from home, and have the model here, in its zone and on the record.

        Raises:
            LaunchError: if the backend cannot run it so.
            dagster.Failure: if it was stopped or did not finish; what was lost may be retried.
        """
        from orchestration.launchers.away import train

        return train(context, lake, job, ranks, clearance, self.poll_s)


def launcher(settings: Settings) -> Launcher:
    """The launcher that settings name."""
    return Launcher() if settings.launcher is LauncherName.LOCAL else AwayLauncher()
