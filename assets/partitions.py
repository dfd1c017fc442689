"""The units that assets are materialized by: a delivery, a release.

Belongs here: partition definitions. Keys are added by the sensors in `orchestration.sensors` and by the command line.
"""

import dagster as dg

DELIVERIES_NAME, RELEASES_NAME = "deliveries", "releases"

HOME_TAG = "larmor/home"
"""Tag of a run in memory: the home of the Dagster instance that it is reported to, where that is on disk."""

DELIVERIES = dg.DynamicPartitionsDefinition(name=DELIVERIES_NAME)
"""One key a delivery, its name; thousands of them."""

RELEASES = dg.DynamicPartitionsDefinition(name=RELEASES_NAME)
"""One key a release, its name; models and evaluations hang on it."""
