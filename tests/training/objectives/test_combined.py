"""Several objectives share one encoder, each with its weight and its own part of the curves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.document import DocumentError
from training.config.presets import configured, preset_names
from training.data.plan import Plan
from training.errors import TrainingError
from training.objectives.combined import Combined, DrawAll
from training.objectives.distillation import DrawTaught
from training.objectives.masked import DrawMask
from training.objectives.objective import GLOBAL, LOCAL, per_sample, per_window

WEIGHTS = {"masked": 2.0, "distillation": 0.5}


def test_the_loss_is_the_weighted_sum_of_its_parts(configure, objective_of, batch_of, descend):
    config = configure(WEIGHTS)
    objective = objective_of(config)
    windows = batch_of(config, objective)
    outcome = objective(windows)
    expected = sum(weight * outcome.parts[name] for name, weight in WEIGHTS.items())
    torch.testing.assert_close(outcome.losses.detach().mean(), expected)
    assert outcome.losses.shape == (config.batch_size,)
    losses = descend(objective, windows, count=8)
    assert losses[-1] < losses[0]


def test_masked_reconstruction_alone_learns(configure, objective_of, batch_of, descend):
    config = configure("masked")
    objective = objective_of(config)
    losses = descend(objective, batch_of(config, objective))
    assert losses[-1] < 0.85 * losses[0]


@pytest.mark.parametrize("encoder", ["vit", "resenc"])
def test_masked_takes_the_form_that_fits_the_encoder(configure, objective_of, encoder):
    objective = objective_of(configure("masked", model__encoder=encoder, model__dim=32))
    expected = {"vit": "MaskedReconstruction", "resenc": "DenseReconstruction"}[encoder]
    assert type(objective.objectives["masked"]).__name__ == expected


def test_windows_of_one_kind_are_shared_and_the_objective_that_asks_for_most_has_its_way(configure, objective_of):
    objective = objective_of(configure({"masked": 1.0, "contrastive": 1.0, "distillation": 1.0}))
    views = {view.kind: view for view in objective.views}
    assert set(views) == {GLOBAL, LOCAL}
    assert views[GLOBAL].count == 2
    assert objective.captioned
    assert [view.count for view in objective_of(configure("masked")).views] == [1]


def test_what_one_objective_draws_does_not_shift_what_the_next_one_draws():
    positions = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    plan = Plan(np.zeros((50, 3), np.int64), positions, (5, 5, 2), (8, 8, 8))
    taught = DrawTaught(1.0, (0.1, 0.5))
    for ratio in (0.3, 0.8):
        drawn = DrawAll((DrawMask(ratio), taught))(plan, np.random.default_rng(7), GLOBAL)
        assert drawn["hidden"].sum() == round(50 * ratio)
        if ratio == 0.3:
            first = drawn["taught"]
        np.testing.assert_array_equal(drawn["taught"], first)
    assert not DrawAll((taught,))(plan, np.random.default_rng(7), LOCAL)["taught"].any()


def test_the_objective_that_the_how_to_shows_is_one(configure, objective_of, batch_of, descend):
    page = Path(__file__).parents[3] / "docs" / "how-to" / "pretrain.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    made: dict = {}
    exec(compile(code, "brightness.py", "exec"), made)
    config = configure("masked")
    encoder = objective_of(config).encoder
    own = made["Brightness"](config, encoder)
    combined = Combined(encoder, {"brightness": (1.0, own)})
    losses = descend(combined, batch_of(config, combined))
    assert losses[-1] < losses[0]


def test_an_unknown_name_lists_those_there_are(configure, objective_of):
    with pytest.raises(TrainingError, match="found jigsaw, needed some of contrastive, distillation, masked"):
        objective_of(configure({"masked": 1.0, "jigsaw": 1.0}))


def test_one_objective_can_be_named_short():
    short = configured("tiny", "pretrain", {"objective": "distillation"})
    assert short == configured("tiny", "pretrain", {"objectives": {"distillation": 1.0}})
    assert short.digest != configured("tiny", "pretrain").digest
    assert dict(configured("tiny", "pretrain", {"objectives.contrastive": 0.5}).objectives) == {"contrastive": 0.5}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"objective": "masked", "objectives": {"masked": 1.0}}, "objective and objectives"),
        ({"objectives": {"masked": 0.0}}, "not above 0 of masked"),
        ({"objectives": {}}, "objectives"),
        ({"distillation.global_crops": 1, "distillation.local_crops": 0}, "a single view"),
        ({"distillation.masked_share": (0.5, 0.1)}, "masked_share"),
        ({"contrastive.text_heads": 7}, "96 channels over 7 heads"),
        ({"objective": "contrastive", "tokens_per_rank": 500}, "by_region"),
    ],
)
def test_settings_that_cannot_be_are_named(changes, said):
    with pytest.raises(DocumentError, match=said):
        configured("tiny", "pretrain", changes)


def test_every_preset_takes_every_objective():
    for name in preset_names():
        config = configured(name, "pretrain", {"objectives": {"masked": 1, "distillation": 1, "contrastive": 1}})
        assert len(config.objectives) == 3


def test_means_are_of_the_windows_of_a_sample_and_the_tokens_of_a_window():
    class Fake:
        samples = (0, 0, 0, 1)
        tokens = type("Tokens", (), {"lengths": (1, 2, 1, 3)})

        def __len__(self):
            return 4

    torch.testing.assert_close(per_sample(torch.tensor([1.0, 2, 6, 4]), Fake()), torch.tensor([3.0, 4]))
    tokens = torch.arange(14.0).view(7, 2)
    expected = torch.stack([part.mean(0) for part in tokens.split((1, 2, 1, 3))])
    torch.testing.assert_close(per_window(tokens, Fake()), expected)
