"""Images and texts come together: the loss against a plain loop, its gradient over processes, what is learned."""

import math
import os

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from training.errors import TrainingError
from training.objectives.contrastive import matches, sigmoid_loss
from training.objectives.ranks import gathered, summed
from training.objectives.spread import koleo

TEXTS = ["T1 MRI of the head.", "T2-gewichtete Aufnahme, Schädel", "頭部のFLAIR画像。", "صورة بالرنين المغناطيسي للرأس"]


def test_the_loss_is_that_of_a_plain_loop_over_pairs():
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 5, generator=draw)
    own, said = [1, 2, 0, 2], [1, 2, 2, 0, 3]
    expected = []
    for i, mine in enumerate(own):
        row = 0.0
        for j, theirs in enumerate(said):
            if mine and theirs:
                sign = 1 if mine == theirs else -1
                row += math.log1p(math.exp(-sign * float(logits[i, j])))
        expected.append(row)
    found = sigmoid_loss(logits, torch.tensor(own), torch.tensor(said))
    torch.testing.assert_close(found, torch.tensor(expected))


def test_what_is_found_is_told_beside_what_chance_would_find():
    logits = torch.tensor([[5.0, 0, 0], [0, 5, 0], [5, 0, 0]])
    told = matches(logits, torch.tensor([1, 2, 0]), torch.tensor([1, 2, 0]))
    assert float(told["found_first"]) == pytest.approx(2 / 3)
    assert float(told["found_by_chance"]) == pytest.approx(2 / 9)


def test_images_find_their_texts_in_any_script_after_some_steps(configure, objective_of, batch_of, told, descend):
    config = configure("contrastive")
    objective = objective_of(config)
    windows = told(batch_of(config, objective), TEXTS)
    losses = descend(objective, windows, count=30, rate=5e-3)
    assert losses[-1] < 0.5 * losses[0]
    assert float(objective(windows).monitors["contrastive.found_first"]) == 1


def test_it_begins_with_the_papers_scale_and_bias(configure, objective_of):
    objective = objective_of(configure("contrastive")).objectives["contrastive"]
    assert float(objective.scale.exp().detach()) == pytest.approx(10)
    assert float(objective.bias.detach()) == -10


def test_a_sample_of_which_nothing_is_said_is_left_out_and_one_alone_gives_a_number(
    configure, objective_of, batch_of, told
):
    config = configure("contrastive")
    objective = objective_of(config)
    batch = batch_of(config, objective)
    losses = objective(told(batch, ["", *TEXTS[1:]])).losses
    assert float(losses[0].detach()) == 0
    assert (losses[1:] > 0).all()
    alone = configure("contrastive", batch_size=1)
    outcome = objective(told(batch_of(alone, objective), TEXTS))
    outcome.losses.mean().backward()
    assert np.isfinite(float(outcome.losses.detach().sum()))


def test_how_a_window_was_acquired_is_not_told_where_the_text_says_it(configure, objective_of, batch_of, told):
    config = configure("contrastive")
    objective = objective_of(config)
    windows = told(batch_of(config, objective), TEXTS)
    columns = objective.encoder.conditions.unknown.shape[0]
    with torch.no_grad():
        objective.encoder.conditions.out.weight.fill_(1)
    informed = type(windows)(**{**vars(windows), "conditions": torch.ones(len(windows), columns)})
    assert torch.equal(objective(windows).losses, objective(informed).losses)


def test_a_batch_without_texts_is_refused(configure, objective_of, batch_of):
    config = configure("contrastive")
    objective = objective_of(config)
    with pytest.raises(TrainingError, match="found a batch without texts"):
        objective(batch_of(config, objective))


def _of_rank(rank, folder):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    rows = torch.load(folder / "rows.pt", weights_only=True)
    own = (rows[:3] if rank == 0 else rows[3:]).clone().requires_grad_()
    everyone, first = gathered(own)
    loss = (own @ everyone.T).square().sum() + koleo(own).sum()
    loss.backward()
    found = {"everyone": everyone.detach(), "first": first, "gradient": own.grad, "summed": summed(own.sum(0))}
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_have_each_others_rows_and_the_gradient_of_all_losses(tmp_path):
    rows = torch.randn(5, 4, generator=torch.Generator().manual_seed(3))  # three in one process, two in the other
    torch.save(rows, tmp_path / "rows.pt")
    multiprocessing.spawn(_of_rank, (tmp_path,), nprocs=2)
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    alone = rows.clone().requires_grad_()
    ((alone @ alone.T).square().sum() + koleo(alone).sum()).backward()
    for part in found:
        assert torch.equal(part["everyone"], rows)
        torch.testing.assert_close(part["summed"], rows.sum(0))
    assert [part["first"] for part in found] == [0, 3]
    torch.testing.assert_close(torch.cat([part["gradient"] for part in found]), alone.grad)
