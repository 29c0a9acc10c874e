"""The loop: it learns, it is the same every time, it measures on the way, and it stops with a sentence."""

import math

import pytest
import torch
from torch import nn

from attn_course.attention import Learned
from attn_course.models.gpt import GPT
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import constant, warmup, warmup_cosine


def squared_error(model, generator):
    x = torch.randn(64, 3, generator=generator)
    return (model(x)[:, 0] - x @ torch.tensor([1.0, -2.0, 0.5])).square().mean()


def fresh():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def test_it_learns_and_is_the_same_every_time():
    model = fresh()
    losses = train(model, squared_error, steps=400, lr=0.05)
    assert len(losses) == 400 and losses[-1] < 1e-3 < losses[0]
    assert losses == train(fresh(), squared_error, steps=400, lr=0.05)
    assert losses != train(fresh(), squared_error, steps=400, lr=0.05, seed=1)


def test_its_steps_are_torch_s_adamw():
    ours, theirs = fresh(), fresh()
    train(ours, squared_error, steps=7, lr=0.03, schedule=warmup(4), weight_decay=0.1, clip=0.5)
    optimizer = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    for factor in (0.25, 0.5, 0.75, 1, 1, 1, 1):
        optimizer.param_groups[0]["lr"] = 0.03 * factor
        optimizer.zero_grad()
        squared_error(theirs, generator).backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        optimizer.step()
    assert torch.equal(ours.weight, theirs.weight) and torch.equal(ours.bias, theirs.bias)


def test_schedules_at_their_corners():
    assert constant(0, 10) == constant(9, 10) == 1
    assert [warmup(4)(step, 10) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    cosine = [warmup_cosine(2, last=0.2)(step, 12) for step in range(12)]
    assert cosine[:3] == [0.5, 1, 1] and cosine[-1] == pytest.approx(0.2)
    assert cosine[2:] == sorted(cosine[2:], reverse=True)
    middle = warmup_cosine(1, last=0)(5, 10)  # steps 1 to 9 fall, and 5 is half the way
    assert middle == pytest.approx((1 + math.cos(math.pi / 2)) / 2)
    with pytest.raises(ValueError, match="at least one step"):
        warmup(0)


def test_it_measures_in_evaluation_mode_and_goes_on_training():
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    seen = []

    def measure(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {"bias": model[2].bias.item()}

    model.train()
    history = train(model, squared_error, steps=25, measure=measure, every=10)
    assert seen == [(False, False)] * 3 and model.training
    assert [step for step, _ in history.measured["bias"]] == [10, 20, 25]
    assert history.measured["bias"][-1][1] == model[2].bias.item()


def test_what_needs_no_gradient_is_not_trained():
    model = fresh()
    model.bias.requires_grad_(False)
    before = model.bias.clone(), model.weight.clone()
    train(model, squared_error, steps=3)
    assert torch.equal(model.bias, before[0]) and not torch.equal(model.weight, before[1])
    model.weight.requires_grad_(False)
    with pytest.raises(ValueError, match="Linear has no parameter that requires gradients"):
        train(model, squared_error, steps=3)


def test_a_loss_that_is_not_finite_stops_with_a_sentence():
    with pytest.raises(FloatingPointError, match=r"The loss is nan at step 0.*so the loss function made it"):
        train(fresh(), lambda model, generator: squared_error(model, generator) * float("nan"), steps=3)
    with pytest.raises(ValueError, match="should return one number, got shape"):
        train(fresh(), lambda model, generator: model(torch.randn(4, 3, generator=generator)), steps=1)


def next_token(model, generator):
    tokens = torch.randint(10, (4, 7), generator=generator)
    return nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("stack.blocks.1.feed_forward.w_2", r"stack\.blocks\.1\.feed_forward\.w_2 \(Linear\), whose weight is not"),
        ("stack.blocks.0.attention.w_q", r"stack\.blocks\.0\.attention\.w_q \(Linear\), whose weight is not finite"),
        ("token", r"token \(Embedding\), whose weight is not finite itself"),
    ],
)
def test_the_first_layer_that_was_sick_is_named(place, said):
    torch.manual_seed(0)
    model = GPT(10, 8, 2, 2, Learned(6, 8))
    with torch.no_grad():
        model.get_submodule(place).weight.fill_(math.inf)
    with pytest.raises(FloatingPointError, match=rf"at step 0\. The first layer that gave .*: {said}") as caught:
        train(model, next_token, steps=2)
    assert "\n" not in str(caught.value)


def test_a_layer_that_overflows_is_named_with_its_input():
    class Exploding(nn.Module):
        def forward(self, x):
            return x * 1e38 * 1e38

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), Exploding(), nn.Linear(4, 1))
    with pytest.raises(FloatingPointError, match=r"1 \(Exploding\); its input was finite, the largest number \d"):
        train(model, squared_error, steps=2)


def test_looking_for_the_fault_draws_the_same_batch_again():
    drawn = []

    def loss(model, generator):
        x = torch.randn(2, 3, generator=generator)
        drawn.append(x)
        return model(x).mean() + (math.inf if len(drawn) > 2 else 0)

    with pytest.raises(FloatingPointError, match="The loss is inf at step 2"):
        train(fresh(), loss, steps=5)
    assert len(drawn) == 4 and torch.equal(drawn[2], drawn[3])


def test_a_gradient_that_is_not_finite_stops_before_the_step():
    def loss(model, generator):
        return (model(torch.zeros(1, 3)) - model.bias).sqrt().mean()

    model = fresh()
    before = model.bias.clone()
    with pytest.raises(FloatingPointError, match=r"The loss is finite .* at step 0, but the gradient of"):
        train(model, loss, steps=3)
    assert torch.equal(model.bias, before)


def test_an_error_of_another_kind_comes_through():
    def loss(model, generator):
        raise ValueError("Tokens are whole numbers.")

    with pytest.raises(ValueError, match="Tokens are whole numbers"):
        train(fresh(), loss, steps=1)


def test_a_history_says_what_it_holds():
    history = History([3.0, 2.0, 1.0])
    history.measure(3, {"accuracy": 0.5})
    assert repr(history) == "History(3 steps, loss 2, accuracy 0.5)"
    assert history.tail(2) == 1.5
    with pytest.raises(ValueError, match="no loss yet"):
        History().tail()
