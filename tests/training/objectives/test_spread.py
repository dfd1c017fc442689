"""Features are kept apart, and measures tell when they fall together."""

import math

import pytest
import torch
from torch.nn import functional

from training.objectives.spread import deviation, effective_rank, koleo


def test_the_regularizer_is_that_of_a_plain_loop():
    features = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    unit = [row / row.norm() for row in features]
    expected = []
    for i, one in enumerate(unit):
        nearest = min(float((one - other).norm()) for j, other in enumerate(unit) if j != i)
        expected.append(-math.log(nearest))
    torch.testing.assert_close(koleo(features), torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_descending_it_spreads_features_over_the_sphere():
    features = (1 + 0.05 * torch.randn(8, 3, generator=torch.Generator().manual_seed(2))).requires_grad_()
    before = float(deviation(features))
    optimizer = torch.optim.SGD([features], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        koleo(features).mean().backward()
        optimizer.step()
    assert float(deviation(features)) > 2 * before


def test_equal_features_and_a_feature_alone_give_numbers():
    equal = torch.ones(4, 3, requires_grad=True)
    loss = koleo(equal)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(equal.grad).all()
    alone = torch.ones(1, 3, requires_grad=True)
    koleo(alone).sum().backward()
    assert float(koleo(alone).detach()) == 0
    assert not alone.grad.any()


def test_it_is_in_32_bits_under_autocast():
    features = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        found = koleo(features.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, koleo(features.bfloat16().float()))


@pytest.mark.parametrize("directions", [1, 3, 7])
def test_the_effective_rank_counts_directions_that_are_used_alike(directions):
    basis = torch.linalg.qr(torch.randn(9, 9, generator=torch.Generator().manual_seed(0)))[0]
    assert float(effective_rank(basis[:directions] * 3)) == pytest.approx(directions, rel=1e-3)


def test_measures_tell_features_that_are_all_alike():
    alike = torch.ones(8, 16) + 1e-5 * torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    apart = functional.normalize(torch.randn(200, 16, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert float(deviation(alike)) < 1e-3
    assert float(deviation(apart)) == pytest.approx(1, abs=0.02)
    assert float(effective_rank(torch.zeros(4, 4))) == 1
