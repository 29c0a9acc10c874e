"""One block: attention and a feed-forward network, each normalised first and added to the stream."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_block(x: Tensor, attend, w_1: Tensor, w_2: Tensor) -> Tensor:
    """x + attend(norm(x)), then x + feed_forward(norm(x)), token by token where tokens are alone."""
    x = x + attend(_each(x, slow_norm))
    return x + _each(x, lambda token: slow_gelu(slow_norm(token) @ w_1) @ w_2)


def slow_norm(token: Tensor) -> Tensor:
    away = token - token.mean()
    return away / (away.square().mean() + 1e-5).sqrt()


def slow_gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def _each(x: Tensor, change) -> Tensor:
    sentences = [torch.stack([change(token) for token in sentence]) for sentence in x]
    return torch.stack(sentences)


def attend(x: Tensor) -> Tensor:
    """What stands in for attention in the cases: every token looks at all, itself as query, key and value."""
    return (x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).softmax(-1) @ x


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def _feed(x: Tensor, w_1: Tensor, w_2: Tensor, activation=F.gelu) -> Tensor:
    return activation(x @ w_1) @ w_2


def _one_path(x, attend, w_1, w_2):
    x = attend(_norm(x))
    return x + _feed(_norm(x), w_1, w_2)


def _other_path(x, attend, w_1, w_2):
    x = x + attend(_norm(x))
    return _feed(_norm(x), w_1, w_2)


def _normed_stream(x, attend, w_1, w_2):
    x = _norm(x)
    x = _norm(x + attend(x))
    return x + _feed(x, w_1, w_2)


def _post(x, attend, w_1, w_2):
    x = _norm(x + attend(x))
    return _norm(x + _feed(x, w_1, w_2))


def _with(norm=_norm, activation=F.gelu, second=True):
    """The solution with one part exchanged for a wrong one."""

    def answer(x, attend, w_1, w_2):
        x = x + attend(norm(x))
        return x + _feed(norm(x) if second else x, w_1, w_2, activation)

    return answer


def _over_tokens(x: Tensor) -> Tensor:
    away = x - x.mean(dim=-2, keepdim=True)
    return away / (away.square().mean(dim=-2, keepdim=True) + 1e-5).sqrt()


def _over_everything(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[1:])


def _case(name: str, batch: int, tokens: int, d: int, hidden: int, seed: int) -> Case:
    w_1, w_2 = random(d, hidden, seed=seed + 1) / math.sqrt(d), random(hidden, d, seed=seed + 2) / math.sqrt(hidden)
    return Case(name, (2 + 3 * random(batch, tokens, d, seed=seed), attend, w_1, w_2), tolerance=1e-6)


TASK = Task(
    id="transformer.block",
    reference=slow_block,
    cases=(
        _case("1 sentence of 2 tokens, 3 features, 4 inside", 1, 2, 3, 4, seed=10),
        _case("3 tokens, 4 features, 8 inside", 1, 3, 4, 8, seed=20),
        _case("2 sentences of 5 tokens, 6 features, 12 inside", 2, 5, 6, 12, seed=30),
    ),
    axes=("token", "feature"),
    mistakes=(
        Mistake(
            "post_norm",
            "This is post-norm, norm(x + f(x)), as in the paper of 2017. Asked for is pre-norm, x + f(norm(x)): the "
            "stream itself passes every block untouched.",
            _post,
        ),
        Mistake(
            "no_residual",
            "Neither attention nor the feed-forward network is added to what came in: what a block does not pass on "
            "is lost to all later ones.",
            lambda x, attend, w_1, w_2: _feed(_norm(attend(_norm(x))), w_1, w_2),
        ),
        Mistake(
            "no_residual_around_attention",
            "The attention's output replaces x instead of being added to it.",
            _one_path,
        ),
        Mistake(
            "no_residual_around_feed_forward",
            "The feed-forward network's output is returned alone: add it to the stream that went in.",
            _other_path,
        ),
        Mistake(
            "residual_of_the_normalised",
            "The normalised x is what you add to. Normalise only what goes *into* attention and network; add to x as "
            "it came.",
            _normed_stream,
        ),
        Mistake(
            "second_norm_missing",
            "What goes into the feed-forward network is not normalised. Each of the two parts has a normalisation of "
            "its own before it.",
            _with(second=False),
        ),
        Mistake(
            "no_norm",
            "Nothing is normalised: attention and network get the stream as it is, which grows from block to block.",
            _with(norm=lambda x: x),
        ),
        Mistake(
            "normalised_over_the_tokens",
            "You normalised each feature over the tokens. Each *token* is normalised by itself, over its features, or "
            "later tokens would change earlier ones.",
            _with(norm=_over_tokens),
        ),
        Mistake(
            "normalised_over_everything",
            "You normalised over tokens and features together. Each token has its own mean and spread: F.layer_norm(x, "
            "x.shape[-1:]).",
            _with(norm=_over_everything),
        ),
        Mistake(
            "side_by_side",
            "Both parts look at the x that came in, and are added side by side. Asked for is one after the other: the "
            "network reads the stream to which attention has been added.",
            lambda x, attend, w_1, w_2: x + attend(_norm(x)) + _feed(_norm(x), w_1, w_2),
        ),
        Mistake(
            "relu",
            "The activation is relu, as in the paper of 2017. Asked for is gelu.",
            _with(activation=F.relu),
        ),
        Mistake(
            "no_activation",
            "Between w_1 and w_2 stands no activation, so the network is one matrix, w_1 @ w_2, and could be left out.",
            _with(activation=lambda x: x),
        ),
    ),
)
