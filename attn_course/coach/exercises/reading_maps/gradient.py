"""A weight, times what the answer would gain from more of it."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Readout = Callable[[Tensor], Tensor]


def slow_gradient(weights: Tensor, values: Tensor, readout: Readout) -> Tensor:
    """Chefer, Gur and Wolf (2021, 2103.15679), one layer: mean over heads of (∇A ⊙ A)⁺, head by head."""
    with torch.enable_grad():
        a = weights.detach().clone().requires_grad_()
        (gained,) = torch.autograd.grad(readout(a @ values.detach()), a)
    total = torch.zeros_like(weights[:, 0])
    for h in range(weights.shape[1]):
        product = weights[:, h] * gained[:, h]
        total += torch.where(product > 0, product, torch.zeros_like(product))
    return total / weights.shape[1]


def likes_first(output: Tensor) -> Tensor:
    """A readout that is linear: the first feature of the last query, over all heads."""
    return output[..., -1, 0].sum()


def bent(output: Tensor) -> Tensor:
    """A readout that is not: every head and query has its own weight, and a tanh squashes them."""
    at = torch.arange(output[0].numel(), dtype=output.dtype).view(output.shape[1:])
    return torch.tanh((output * torch.cos(1.7 * at)).flatten(1).sum(-1)).sum()


class Reader:
    """A readout with a parameter, as a model has."""

    def __init__(self, like: Tensor):
        at = torch.arange(like[0].numel(), dtype=like.dtype).view(like.shape[1:])
        self.parameter = torch.cos(0.7 * at).requires_grad_()

    def __call__(self, output: Tensor) -> Tensor:
        return (output * self.parameter).sum()


def twice(answer: Callable) -> Callable:
    """What comes of asking a second time about the same weights."""

    def called(weights, values, readout):
        answer(weights, values, readout)
        return answer(weights, values, readout)

    return called


def left_behind(answer: Callable) -> Callable:
    """What is left in the `.grad` of a model's parameter: (head, query, d), zeros if nothing is."""

    def called(weights, values, _):
        reader = Reader(weights @ values)
        answer(weights, values, reader)
        left = reader.parameter.grad
        return torch.zeros_like(reader.parameter).detach() if left is None else left

    return called


def _gained(weights: Tensor, values: Tensor, readout: Readout) -> Tensor:
    a = weights.detach().clone().requires_grad_()
    return torch.autograd.grad(readout(a @ values), a)[0]


def _with(join: Callable) -> Callable:
    """Another way to join the weights and their gradient, both (batch, head, query, key)."""
    return lambda weights, values, readout: join(weights, _gained(weights, values, readout))


def _through_the_softmax(weights: Tensor, gained: Tensor) -> Tensor:
    of_scores = weights * (gained - (weights * gained).sum(-1, keepdim=True))
    return (weights * of_scores).clamp(min=0).mean(1)


def _added_up(weights: Tensor, values: Tensor, readout: Readout) -> Tensor:
    weights.requires_grad_()
    readout(weights @ values).backward()
    return (weights * weights.grad).clamp(min=0).mean(1).detach()


def _left_in_the_model(weights: Tensor, values: Tensor, readout: Readout) -> Tensor:
    a = weights.detach().clone().requires_grad_()
    readout(a @ values).backward()
    return (a * a.grad).clamp(min=0).mean(1).detach()


def _of_values(weights: Tensor, values: Tensor, readout: Readout) -> Tensor:
    v = values.detach().clone().requires_grad_()
    (gained,) = torch.autograd.grad(readout(weights @ v), v)
    return (weights * (gained * v).sum(-1)[..., None, :]).clamp(min=0).mean(1)


def _not_negative(out: Tensor, *_) -> str | None:
    if (out >= 0).all():
        return None
    return "A relevance below zero: only what speaks *for* the answer is kept, so every cell is 0 or more."


def _case(name: str, readout: Readout, batch: int, heads: int, query: int, key: int, d: int, **more) -> Case:
    seed = 10 * heads + query + key
    weights = random(batch, heads, query, key, seed=seed).softmax(-1)
    return Case(name, (weights, random(batch, heads, key, d, seed=seed + 1), readout), **more)


_TWO = torch.tensor([[[[0.5, 0.5], [0.25, 0.75]]]], dtype=torch.float64)
_SPEAK = torch.tensor([[[[2.0, 0.0], [-1.0, 1.0]]]], dtype=torch.float64)  # key 0 for the answer, key 1 against it

TASK = Task(
    id="reading-maps.gradient",
    reference=slow_gradient,
    cases=(
        Case("1 head, 2 tokens; the answer is the last query's first feature", (_TWO, _SPEAK, likes_first)),
        _case("2 heads, 2 queries, 3 keys; the same answer", likes_first, 1, 2, 2, 3, 2),
        _case("2 heads, 3 queries, 4 keys; every query counts, with a tanh", bent, 1, 2, 3, 4, 3),
        _case("2 heads, 2 queries, 3 keys; asked a second time", likes_first, 1, 2, 2, 3, 2, within=twice),
        _case(
            "2 heads, 3 tokens; what is left in the `.grad` of the readout's parameter (expected: zeros)",
            *(likes_first, 1, 2, 3, 3, 2),
            within=left_behind,
            axes=("head", "query", "feature"),
        ),
        _case("2 sentences, 3 heads, 4 queries, 5 keys; every query counts", bent, 2, 3, 4, 5, 3),
    ),
    axes=("query", "key"),
    gradients=False,
    properties=(_not_negative,),
    mistakes=(
        Mistake(
            "gradient_alone",
            "This is the gradient's positive part, without A. It says what more weight *would* bring, also where next "
            "to none was paid: multiply by the weights.",
            _with(lambda a, g: g.clamp(min=0).mean(1)),
        ),
        Mistake(
            "absolute",
            "You took |A ⊙ ∂y/∂A|. What speaks against the answer then counts like what speaks for it. Keep the "
            "positive part: clamp(min=0).",
            _with(lambda a, g: (a * g).abs().mean(1)),
        ),
        Mistake(
            "signed",
            "The negative part was kept. Heads that speak for and against then cancel in the mean: clamp each head at "
            "0 before it.",
            _with(lambda a, g: (a * g).mean(1)),
        ),
        Mistake(
            "mean_before_the_positive_part",
            "The mean over heads was taken *before* the positive part, so a head that speaks against a key cancels one "
            "that speaks for it. Clamp first, then average.",
            _with(lambda a, g: (a * g).mean(1).clamp(min=0)),
        ),
        Mistake(
            "mean_before_the_product",
            "Weights and gradients were averaged over the heads before they were multiplied, so one head's weight "
            "meets another head's gradient. Multiply head by head.",
            _with(lambda a, g: (a.mean(1) * g.mean(1)).clamp(min=0)),
        ),
        Mistake(
            "heads_added",
            "The heads were added up. Asked is their mean.",
            _with(lambda a, g: (a * g).clamp(min=0).sum(1)),
        ),
        Mistake(
            "heads_kept",
            "The heads are still apart: average over axis 1, and return (batch, query, key).",
            _with(lambda a, g: (a * g).clamp(min=0)),
        ),
        Mistake(
            "weights_alone",
            "These are the weights, averaged over heads: the answer plays no part. Two questions about one map would "
            "get the same explanation.",
            lambda weights, values, readout: weights.mean(1),
        ),
        Mistake(
            "against_the_answer",
            "The sign is turned round: you kept what speaks against the answer.",
            _with(lambda a, g: (a * -g).clamp(min=0).mean(1)),
        ),
        Mistake(
            "through_the_softmax",
            "You took the gradient of the *scores*, through the softmax. There a row's gradients add up to zero, and a "
            "sure head, whose softmax is saturated, gets none. Differentiate with respect to the weights themselves.",
            _with(_through_the_softmax),
        ),
        Mistake(
            "of_the_values",
            "You differentiated with respect to the values. They sum up what all queries did with a token; asked is "
            "each weight's own gradient, ∂y/∂A.",
            _of_values,
        ),
        Mistake(
            "identity_added",
            "The identity was added. That is the next step, for the residual, when several layers are put together. "
            "Asked is one layer's map.",
            _with(lambda a, g: (a * g).clamp(min=0).mean(1) + torch.eye(*a.shape[-2:], dtype=a.dtype)),
        ),
        Mistake(
            "adds_up",
            "Asked twice about the same weights, your function gives another map: `backward()` *adds* to weights.grad, "
            "and the caller's weights now carry what you left there. torch.autograd.grad(y, a) returns the gradient "
            "and leaves nothing behind.",
            _added_up,
        ),
        Mistake(
            "left_in_the_model",
            "The map is right, but `backward()` fills the `.grad` of everything on its way: the model's parameters now "
            "hold gradients, and the next training step would take them. torch.autograd.grad(y, a) returns the one "
            "that you want and leaves nothing behind.",
            _left_in_the_model,
        ),
    ),
)
