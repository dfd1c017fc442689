"""Definitions load without a word: a person can do nothing about what Dagster says of its own features."""

import warnings

from orchestration.definitions import build


def test_nothing_is_announced_while_dagster_puts_the_definitions_together():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # Python does not show these
        # what a code server does with them
        build().get_repository_def()
