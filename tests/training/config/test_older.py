"""A model that an older version trained is read; what nobody may write any more stays refused."""

import pytest

from schemas.document import DocumentError
from training.config.older import finetuning
from training.config.presets import configured

GONE = {"ranks": 1, "tokens_per_rank": 0}


def test_a_model_with_fields_that_meant_nothing_to_it_is_what_it_was():
    today = configured("tiny", "finetune", {"labels": 3})
    assert finetuning(today.model_dump(mode="json") | GONE, "heads") == today


def test_a_field_that_is_gone_is_refused_in_what_is_written_today():
    with pytest.raises(DocumentError, match="tokens_per_rank"):
        configured("tiny", "finetune", GONE)


def test_a_model_with_any_other_field_is_refused_by_its_name():
    with pytest.raises(DocumentError, match=r"heads/config\.yaml"):
        finetuning({**configured("tiny", "finetune").model_dump(mode="json"), "unheard": 1}, "heads")
