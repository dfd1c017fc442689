"""Texts of any script become vectors, with no vocabulary and nothing fetched."""

import pytest
import torch

from training.config.pretrain import ContrastiveConfig
from training.errors import TrainingError
from training.networks.text import HashedText, make_text, parts, words

CONFIG = ContrastiveConfig(text_dim=24, text_depth=1, text_heads=2, buckets=512, words=16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T2-weighted, 1.5 T", ["t2", "-", "weighted", ",", "1", ".", "5", "t"]),
        ("Οίδημα του μυελού", ["οίδημα", "του", "μυελού"]),
        ("向こう脛の骨髄に浮腫がある", ["向こう脛の骨髄に", "浮腫がある"]),
        ("\uff34\uff11 STRASSE straße", ["t1", "strasse", "strasse"]),
        ("كَسْر", ["كَسْر"]),
        ("  \n ", []),
    ],
)
def test_words_of_any_script_are_told_apart(text, expected):
    assert list(words(text)) == expected


def test_words_that_share_parts_share_rows_and_others_hardly_any():
    fracture = set(parts("fracture", 1 << 20))
    assert len(fracture & set(parts("fractures", 1 << 20))) > 15
    assert len(fracture & set(parts("οίδημα", 1 << 20))) == 0


def test_vectors_do_not_depend_on_what_else_is_in_the_batch():
    torch.manual_seed(0)
    encoder = HashedText(CONFIG)
    texts = ["No fracture.", "", "Δεν υπάρχει κάταγμα.", "骨折なし。 " * 30]
    together = encoder(texts)
    assert together.shape == (4, encoder.width)
    assert torch.isfinite(together).all()
    for text, vector in zip(texts, together, strict=True):
        torch.testing.assert_close(encoder([text])[0], vector, rtol=1e-4, atol=1e-5)


def test_the_order_of_words_counts_and_what_is_too_long_is_left_out():
    torch.manual_seed(0)
    encoder = HashedText(CONFIG)
    with torch.no_grad():  # a fresh transformer hardly attends
        for weight in encoder.transformer.parameters():
            weight.mul_(20 if weight.ndim > 1 else 1)
    one, other = encoder(["left knee, not right", "right knee, not left"])
    assert not torch.allclose(one, other, atol=1e-3)
    long, longer = encoder(["a " * 16, "a " * 16 + "tumour"])
    torch.testing.assert_close(long, longer)


def test_a_folder_that_cannot_be_read_is_told_with_the_remedy(tmp_path):
    with pytest.raises(TrainingError, match="found no such folder"):
        make_text(CONFIG.model_copy(update={"text_folder": tmp_path / "none"}))
    with pytest.raises(TrainingError, match=r"no transformers package|no readable model"):
        make_text(CONFIG.model_copy(update={"text_folder": tmp_path}))
