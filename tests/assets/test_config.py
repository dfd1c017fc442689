"""What a person may choose in the launchpad says there what it is for, and is filled in where it may be left out."""

import pytest

from assets.evaluations import Evaluation
from assets.models import Finetuning, Pretraining
from assets.scrub import ScrubConfig
from orchestration.batch import Batch
from training.config.presets import preset_names


def shown(choices):
    """Fields as Dagster tells the UI of them: name to field."""
    return choices.to_config_schema().as_field().config_type.fields


@pytest.mark.parametrize("choices", [Pretraining, Finetuning, Evaluation, ScrubConfig, Batch])
def test_every_choice_says_what_it_is_for(choices):
    for name, field in shown(choices).items():
        assert field.description, name


@pytest.mark.parametrize("choices", [Pretraining, Finetuning, Evaluation, ScrubConfig])
def test_nothing_has_to_be_filled_in(choices):
    assert not [name for name, field in shown(choices).items() if field.is_required]


@pytest.mark.parametrize("choices", [Pretraining, Finetuning])
def test_every_preset_that_ships_is_named(choices):
    said = shown(choices)["preset"].description
    assert not [name for name in preset_names() if name not in said]
