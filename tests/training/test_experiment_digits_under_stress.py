"""Digits with their entropy held, and at a rate that is too high: what is penalised moves, and the records."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from attn_course.attention import watching
from attn_course.diagnosis import vitals
from attn_course.tasks.digits import split
from attn_course.training.experiments import digits_rate, entropy_held
from attn_course.training.recorded import recorded


def test_the_entropy_that_is_penalised_is_that_of_the_vitals():
    model, shown = entropy_held.make().eval(), split()[1][:5]
    with torch.no_grad(), watching(model) as records:
        model(shown.images)
    wanted = torch.stack([vitals.normalised_entropy(layer.weights).mean() for layer in records]).mean()
    assert torch.allclose(entropy_held.read(model, shown)[1], wanted, atol=1e-5)


def test_its_gradient_is_finite_where_a_weight_is_zero():
    model, shown = entropy_held.make(), split()[1][:3]
    for block in model.stack.blocks:
        block.attention.w_q.weight.data.mul_(1e4)
    entropy_held.read(model, shown)[1].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_its_gradient_is_right():
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))

    def entropy(scores):
        log = scores.log_softmax(-1)
        return -(log.exp() * log).sum(-1).mean() / math.log(5)

    assert gradcheck(entropy, x)


def test_a_penalty_pulls_entropy_its_way():
    held = {}
    for penalty in (-1.0, 0.0, 1.0):
        model, _, unseen = entropy_held.learn(penalty, steps=25)
        with torch.no_grad():
            held[penalty] = entropy_held.read(model, unseen)[1].item()
    assert held[1.0] < held[0.0] < held[-1.0]


def test_the_record_of_entropy_that_was_held():
    small, whole = entropy_held.measure(seeds=(0,), steps=2), recorded("entropy_held")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    assert {(r["penalty"], r["seed"]) for r in whole["rows"]} == {
        (penalty, seed) for penalty in entropy_held.PENALTIES for seed in entropy_held.SEEDS
    }


def test_the_record_of_the_high_rate():
    small = digits_rate.measure(seeds=(0,), steps=2, remedies=("gate", "σReparam"))
    whole = recorded("digits_rate")
    assert set(small) <= set(whole) and set(small["rows"][0]) == set(whole["rows"][0])
    assert {(r["remedy"], r["seed"]) for r in whole["rows"]} == {
        (remedy, seed) for remedy in digits_rate.REMEDIES for seed in digits_rate.SEEDS
    }


def test_an_unknown_remedy_is_refused():
    with pytest.raises(ValueError, match="remedy should be one of none, gate, QK-norm"):
        digits_rate.make("clip")
