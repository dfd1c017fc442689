"""A teacher's answers are shared out over prototypes, or centred, whatever the batch."""

import pytest
import torch

from training.objectives.prototypes import CENTRE_MOMENTUM, Centre, sinkhorn

COLD = torch.tensor(0.05)


@pytest.mark.parametrize("rows", [1, 2, 64])
def test_shared_out_answers_are_probabilities(rows):
    logits = torch.rand(rows, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    answers = sinkhorn(logits, COLD)
    torch.testing.assert_close(answers.sum(1), torch.ones(rows))
    assert (answers >= 0).all()


def test_every_prototype_gets_its_share_where_one_would_have_taken_all():
    draw = torch.Generator().manual_seed(0)
    logits = 0.3 * (torch.rand(512, 8, generator=draw) * 2 - 1)
    logits[:, 0] += 0.6
    assert float((logits / COLD).softmax(-1).mean(0)[0]) > 0.9
    assert float(sinkhorn(logits, COLD).mean(0).max()) < 0.2


def test_no_hidden_token_in_a_process_is_no_error():
    assert sinkhorn(torch.zeros(0, 8), COLD).shape == (0, 8)
    centre = Centre(8)
    assert centre(torch.zeros(0, 8), COLD).shape == (0, 8)
    assert not centre.mean.any()


def test_the_centre_follows_the_answers_in_training_only():
    centre, logits = Centre(3), torch.tensor([[1.0, 0, 0], [3.0, 0, 0]])
    centre.eval()(logits, COLD)
    assert not centre.mean.any()
    centre.train()(logits, COLD)
    torch.testing.assert_close(centre.mean, torch.tensor([2 * (1 - CENTRE_MOMENTUM), 0, 0]))
