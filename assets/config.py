"""What a person may choose when they start a step, explained where they choose it.

Belongs here: the base of every step's configuration. The choices stand with their steps.
"""

import dagster as dg
from pydantic import ConfigDict


class StepConfig(dg.Config):
    """Configuration whose fields the launchpad explains with the docstrings that stand under them."""

    model_config = ConfigDict(use_attribute_docstrings=True)
