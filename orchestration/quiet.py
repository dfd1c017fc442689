"""What Dagster announces of its own features, kept off people's terminals.

Belongs here: one list of announcements that are no fault; the pin in `pyproject.toml` keeps the features as tested.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def unannounced() -> Iterator[None]:
    """Within it Dagster does not say that a feature is a preview or in beta, as partitioned checks and Pipes are."""
    with warnings.catch_warnings():
        for kind in (dg.PreviewWarning, dg.BetaWarning):
            warnings.simplefilter("ignore", kind)
        yield
