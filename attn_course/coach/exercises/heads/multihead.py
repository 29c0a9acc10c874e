"""Several heads side by side, from the projections to the output."""

import math

import torch
from torch import Tensor

from attn_course.coach.exercises.heads.split import viewed
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_multihead(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, heads: int) -> Tensor:
    """Sentence by sentence, head by head, query by query."""
    d = x.shape[-1] // heads
    sentences = []
    for b in range(x.shape[0]):
        q, k, v = x[b] @ w_q, x[b] @ w_k, x[b] @ w_v  # each (token, features)
        joined = []
        for h in range(heads):
            mine = slice(h * d, (h + 1) * d)
            outputs = []
            for i in range(x.shape[1]):
                powers = [(torch.dot(q[i, mine], k[j, mine]) / math.sqrt(d)).exp() for j in range(x.shape[1])]
                outputs.append(sum(power * v[j, mine] for j, power in enumerate(powers)) / sum(powers))
            joined.append(torch.stack(outputs))
        sentences.append(torch.cat(joined, dim=-1) @ w_o)
    return torch.stack(sentences)


def _split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _attend(q: Tensor, k: Tensor, v: Tensor, d: int | None = None, axis: int = -1) -> Tensor:
    return (q @ k.transpose(-2, -1) / math.sqrt(d or q.shape[-1])).softmax(axis) @ v


def _with(split=_split, join=_join, attend=_attend, out=lambda y, w_o: y @ w_o, turn=lambda w: w):
    """The solution with one part exchanged for a wrong one."""

    def answer(x, w_q, w_k, w_v, w_o, heads):
        q, k, v = (split(x @ turn(w), heads) for w in (w_q, w_k, w_v))
        return out(join(attend(q, k, v)), turn(w_o))

    return answer


def _joined_by_view(x: Tensor) -> Tensor:
    batch, heads, tokens, d = x.shape
    return x.reshape(batch, tokens, heads * d)


def _weights(d: int, seed: int) -> tuple[Tensor, ...]:
    return tuple(random(d, d, seed=seed + i) / math.sqrt(d) for i in range(4))


TASK = Task(
    id="heads.multihead",
    reference=slow_multihead,
    cases=(
        Case("1 sentence of 2 tokens, 4 features, 2 heads", (random(1, 2, 4, seed=1), *_weights(4, 10), 2)),
        Case("3 tokens, 4 features, 2 heads", (random(1, 3, 4, seed=2), *_weights(4, 20), 2)),
        Case("1 head", (random(1, 3, 4, seed=3), *_weights(4, 30), 1)),
        Case("2 sentences of 5 tokens, 12 features, 3 heads", (random(2, 5, 12, seed=4), *_weights(12, 40), 3)),
    ),
    axes=("token", "feature"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "scale_of_the_model",
            "The scores are divided by √d_model. Each head's dot product adds up d_head terms, so divide by √d_head: "
            "else every head is too flat, and the more heads, the flatter.",
            lambda x, w_q, w_k, w_v, w_o, heads: _with(attend=lambda q, k, v: _attend(q, k, v, x.shape[-1]))(
                x, w_q, w_k, w_v, w_o, heads
            ),
        ),
        Mistake(
            "unscaled", "The scores are not divided by √d_head.", _with(attend=lambda q, k, v: _attend(q, k, v, 1))
        ),
        Mistake(
            "split_by_view",
            "The heads are split with `view` or `reshape` alone, which hands whole tokens to heads. Split the last "
            "axis, then exchange head and token.",
            _with(split=viewed),
        ),
        Mistake(
            "joined_by_view",
            "The heads are joined with `view` or `reshape` alone, so each output token is made of several tokens' "
            "parts. Exchange head and token back first, then flatten the last two axes.",
            _with(join=_joined_by_view),
        ),
        Mistake(
            "both_by_view",
            "Split and joined with `view` alone. The two errors hide each other: the output has its tokens in order, "
            "but each head has only seen a part of the text. Change the first token and look at the last output.",
            _with(split=viewed, join=_joined_by_view),
        ),
        Mistake(
            "one_wide_head",
            "This is one head as wide as the model: the features were never split.",
            lambda x, w_q, w_k, w_v, w_o, heads: _attend(x @ w_q, x @ w_k, x @ w_v) @ w_o,
        ),
        Mistake(
            "no_output_projection",
            "The joined heads are returned as they are: w_o is missing, and with it the only place where heads meet.",
            _with(out=lambda y, w_o: y),
        ),
        Mistake(
            "transposed_weights",
            "The matrices are applied as `x @ w.T`, as nn.Linear stores them. Here they are given for `x @ w`.",
            _with(turn=lambda w: w.T),
        ),
        Mistake(
            "over_the_queries",
            "The softmax runs over the queries (axis −2). Each query shares its attention among the keys.",
            _with(attend=lambda q, k, v: _attend(q, k, v, axis=-2)),
        ),
    ),
)
