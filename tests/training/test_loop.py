import pytest
import torch

from attn_course.training.loop import train


def squared_error(model, generator):
    x = torch.randn(64, 3, generator=generator)
    return (model(x)[:, 0] - x @ torch.tensor([1.0, -2.0, 0.5])).square().mean()


def fresh():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1)


def test_it_learns_and_is_the_same_every_time():
    model = fresh()
    losses = train(model, squared_error, steps=400, lr=0.05)
    assert len(losses) == 400 and losses[-1] < 1e-3 < losses[0]
    assert losses == train(fresh(), squared_error, steps=400, lr=0.05)
    assert losses != train(fresh(), squared_error, steps=400, lr=0.05, seed=1)


def test_a_loss_that_is_not_finite_stops_with_a_sentence():
    with pytest.raises(FloatingPointError, match="The loss is nan at step 0"):
        train(fresh(), lambda model, generator: squared_error(model, generator) * float("nan"), steps=3)
