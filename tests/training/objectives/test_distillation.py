"""What a student learns of a teacher, and that the teacher is the student's average and nothing else."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.objectives.distillation import agreement, collapsed, draw_balls, turns_of
from training.objectives.objective import GLOBAL, places_of


@pytest.fixture(scope="module")
def config(configure):
    return configure("distillation")


def student_of(objective):
    heads = [objective.head] if objective.patch_head is None else [objective.head, objective.patch_head]
    return [p.detach().clone() for module in (objective.encoder, *heads) for p in module.parameters()]


def test_the_loss_falls_and_each_part_of_it_is_told(config, objective_of, batch_of, descend):
    objective = objective_of(config)
    windows = batch_of(config, objective)
    before = objective(windows)
    losses = descend(objective, windows)
    assert losses[-1] < losses[0] - 0.2
    assert len(before.losses) == config.batch_size
    own = config.distillation
    parts = {name: float(value) for name, value in before.parts.items()}
    whole = parts["distillation.views"] + own.spread_weight * parts["distillation.spread"]
    assert parts["distillation"] == pytest.approx(whole + own.patch_weight * parts["distillation.patches"], rel=1e-5)
    assert not any(value.requires_grad for value in (*before.parts.values(), *before.monitors.values()))


def test_the_teacher_is_the_students_running_average_exactly(config, objective_of, batch_of, descend):
    combined = objective_of(config)
    objective = combined.objectives["distillation"]
    windows = batch_of(config, combined)
    steps, samples, previous = 3, config.steps * config.batch_size, student_of(objective)
    expected = [p.clone() for p in objective.teacher.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(expected, student_of(objective), strict=True))
    for step in range(steps):
        descend(combined, windows, count=1)
        now = student_of(objective)
        if step:  # the step before has moved the teacher at the beginning of this one
            seen = torch.tensor(step * config.batch_size, dtype=torch.float64)
            momentum = 1 - (1 - config.distillation.momentum) * (1 + torch.cos(math.pi * seen / samples)) / 2
            weight = (1 - momentum).float()
            expected = [old.lerp(new, weight) for old, new in zip(expected, previous, strict=True)]
        assert all(torch.equal(a, b) for a, b in zip(expected, objective.teacher.parameters(), strict=True))
        previous = now
    assert not all(torch.equal(a, b) for a, b in zip(expected, previous, strict=True))


def test_a_step_in_two_parts_moves_the_teacher_as_a_whole_one_does(config, objective_of, batch_of):
    once, twice = (objective_of(config).objectives["distillation"] for _ in range(2))
    windows = batch_of(config, once)
    halves = [windows.take([i for i, s in enumerate(windows.samples) if s // 2 == half]) for half in (0, 1)]
    halves = [type(half)(**{**vars(half), "samples": tuple(s % 2 for s in half.samples)}) for half in halves]
    for objective, parts in ((once, [windows]), (twice, halves)):
        for part in parts:
            objective.follow(part)
        with torch.no_grad():
            for parameter in objective.encoder.parameters():
                parameter.add_(1)
        for part in parts:
            objective.follow(part)
    assert int(once.seen) == int(twice.seen) == 2 * config.batch_size
    # half of a step's way is gone at its second part, and the other half when the next step begins
    begun = objective_of(config).objectives["distillation"].teacher.encoder
    moved = [
        float((after - before).mean())
        for teacher in (once.teacher.encoder, twice.teacher.encoder)
        for after, before in zip(teacher.parameters(), begun.parameters(), strict=True)
    ]
    assert min(moved) == pytest.approx(1 - config.distillation.momentum, rel=0.02)
    assert max(moved) == pytest.approx(1 - config.distillation.momentum, rel=0.02)


def test_no_gradient_reaches_the_teacher(config, objective_of, batch_of):
    objective = objective_of(config)
    objective(batch_of(config, objective)).losses.mean().backward()
    teacher = set(map(id, objective.objectives["distillation"].teacher.parameters()))
    assert teacher
    for name, parameter in objective.named_parameters():
        assert (parameter.grad is None) == (id(parameter) in teacher), name


def test_it_keeps_the_teacher_or_the_student_as_asked(configure, objective_of):
    for keep in ("teacher", "student"):
        objective = objective_of(configure({"masked": 1.0, "distillation": 1.0}, distillation__keep=keep))
        distillation = objective.objectives["distillation"]
        assert objective.kept is {"teacher": distillation.teacher.encoder, "student": objective.encoder}[keep]
        assert objective.objectives["masked"].encoder is objective.encoder is distillation.encoder


@pytest.mark.parametrize("centering", ["sinkhorn", "mean"])
def test_one_sample_alone_gives_numbers(configure, objective_of, batch_of, build_release, centering, descend):
    alone = build_release(train=1, validation=0, contrasts=("T1",))
    config = configure("distillation", batch_size=1, distillation__centering=centering)
    objective = objective_of(config)
    windows = batch_of(config, objective, source=alone)
    assert np.isfinite(descend(objective, windows, count=3)).all()
    outcome = objective(windows)
    assert all(np.isfinite(float(value)) for value in (*outcome.parts.values(), *outcome.monitors.values()))
    assert float(outcome.parts["distillation.spread"]) == 0


def test_a_mask_that_hides_nothing_in_a_batch_leaves_every_parameter_its_gradient(configure, objective_of, batch_of):
    config = configure("distillation", distillation__masked_windows=1e-9)
    objective = objective_of(config)
    windows = batch_of(config, objective)
    assert not windows.tokens.extras["taught"].any()
    outcome = objective(windows)
    assert float(outcome.parts["distillation.patches"]) == 0
    outcome.losses.mean().backward()
    assert all(p.grad is not None for p in objective.parameters() if p.requires_grad)


def test_convolutions_learn_what_views_are_without_a_mask_token(configure, objective_of, batch_of, descend):
    config = configure("distillation", model__encoder="resenc", model__dim=32, model__stages=(1, 1, 1), model__heads=1)
    objective = objective_of(config)
    windows = batch_of(config, objective)
    losses = descend(objective, windows, count=6)
    assert losses[-1] < losses[0]
    assert "distillation.patches" not in objective(windows).parts
    assert all(p.grad is not None for p in objective.encoder.parameters())


def test_hidden_tokens_are_not_seen_by_the_student(config, objective_of, batch_of):
    objective = objective_of(config).objectives["distillation"]
    windows = batch_of(config, objective)
    taught = windows.tokens.extras["taught"]
    patches = [p.clone() for p in windows.tokens.patches]
    for patch, hidden in zip(patches, taught.split(windows.tokens.lengths), strict=True):
        patch[hidden] = 9.0
    tokens = type(windows.tokens)(**{**vars(windows.tokens), "patches": tuple(patches)})
    changed = type(windows)(**{**vars(windows), "tokens": tokens})
    assert taught.any()
    assert torch.equal(objective._student(windows), objective._student(changed))


def test_views_are_compared_with_other_large_views_of_their_sample_only():
    class Fake:
        samples, kinds = (0, 0, 0, 1, 1), (GLOBAL, GLOBAL, "local", GLOBAL, "local")

        def __len__(self):
            return 5

    windows = Fake()
    places = places_of(GLOBAL, windows)
    draw = torch.Generator().manual_seed(0)
    answers = torch.randn(3, 7, generator=draw).softmax(-1)
    said = torch.randn(5, 7, generator=draw).log_softmax(-1)
    entropy = -(said @ answers.T)
    first = torch.stack([entropy[0, 1], entropy[1, 0], entropy[2, 0], entropy[2, 1]]).mean()
    expected = torch.stack([first, entropy[4, 2]])
    torch.testing.assert_close(agreement(answers, said, places, windows), expected)
    assert turns_of(windows) == [0, 1, 2, 0, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 300), st.floats(0.05, 0.9), st.integers(0, 99))
def test_balls_hide_their_share_and_leave_something_to_see(count, share, seed):
    positions = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    hidden = draw_balls(positions, share, np.random.default_rng(seed))
    assert 1 <= hidden.sum() <= count - 1
    assert abs(hidden.sum() - share * count) <= 1


def test_a_window_of_one_token_hides_nothing():
    assert not draw_balls(np.zeros((1, 3), np.float32), 0.5, np.random.default_rng(0)).any()


def test_a_collapse_is_told(config, objective_of, batch_of):
    objective = objective_of(config)
    windows = batch_of(config, objective)
    healthy = {name: float(value) for name, value in objective(windows).monitors.items()}
    # a teacher that says the same of everything
    objective.objectives["distillation"].teacher.encoder.register_forward_hook(lambda _m, _a, out: 1 + 1e-4 * out)
    told = {name: float(value) for name, value in objective(windows).monitors.items()}
    assert any("nearly the same" in alarm for alarm in objective.alarms(told))
    assert not any("nearly the same" in alarm for alarm in objective.alarms(healthy))
    assert collapsed({"feature_deviation": 0.5, "effective_rank": 9.0, "teacher_entropy": 0.5}) == []
