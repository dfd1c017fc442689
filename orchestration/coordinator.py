"""Who started a run, as the proxy in front of the UI knows it.

Belongs here: the run coordinator that instance files name. Dagster itself has no accounts.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import dagster as dg
from dagster._core.run_coordinator.base import SubmitRunContext  # not public; the documented way to a request's header
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._serdes import ConfigurableClassData

from assets.resources import USER_TAG

UNNAMED = "not named"
"""Value of the tag where the UI was reached past the proxy, or somebody wrote the tag by hand; no step acts for it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+\\-]{0,127}")


class NamedRunCoordinator(QueuedRunCoordinator):
    """A queue whose runs carry the tag `user`: what the proxy's header says of a request, and nothing that it does not.

    Runs that the daemon asks for (sensors, schedules, parts of a backfill) come from no request and stay as they are.
    """

    header = "X-Forwarded-User"
    """Header that the proxy sets, and that it must take off what comes from outside."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """The queue's own configuration, and `user_header`."""
        field = dg.Field(str, is_required=False, default_value=cls.header, description="Header with the user's name.")
        return {**cast("Mapping[str, Any]", super().config_type()), "user_header": field}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> "NamedRunCoordinator":
        """The coordinator that an instance file describes."""
        own = {name: value for name, value in config_value.items() if name != "user_header"}
        made = super().from_config_value(inst_data, own)
        made.header = config_value.get("user_header", cls.header)
        return made

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Tag the run, then queue it."""
        if getattr(context.workspace, "source", None) is not None:
            name = context.get_request_header(self.header) or ""
            named = name if _NAME.fullmatch(name) else UNNAMED
            self._instance.add_run_tags(context.dagster_run.run_id, {USER_TAG: named})
        return super().submit_run(context)
