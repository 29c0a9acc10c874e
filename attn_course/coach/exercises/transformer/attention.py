"""Attention under a mask, written so that a whole model can be built on it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.exercises.visibility.causal import ones
from attn_course.coach.spec import FUSED, Case, Mistake, Task, random
from attn_course.models.own import own
from attn_course.tasks.translation import batch_of, pairs
from attn_course.training.recipes.translation import translator
from attn_course.training.translating import translation_loss


def slow_attention(q: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Tensor:
    """Query by query, the softmax over what it may see; zeros where it may see nothing."""
    visible = visible.expand(*q.shape[:-1], k.shape[-2])
    rows = []
    for i in range(q.shape[-2]):
        scores = (q[..., i : i + 1, :] * k).sum(-1) / math.sqrt(q.shape[-1])  # (…, key)
        seen = visible[..., i, :]
        powers = scores.exp() * seen  # the cases' scores are small
        total = powers.sum(-1, keepdim=True)
        weights = powers / total.where(seen.any(-1, keepdim=True), 1.0)
        rows.append((weights[..., None] * v).sum(-2))
    return torch.stack(rows, dim=-2)


def in_a_translator(answer: Callable) -> Callable:
    """What a small translator of lesson 06 does with this attention: (step, loss and length of its gradient)."""

    def train(steps: int) -> Tensor:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = translator(d_model=16, mechanism=own(answer)).double()
        batch, rows = batch_of(pairs(range(90_000, 90_016))), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        for _ in range(steps):
            loss = translation_loss(model, batch)
            optimizer.zero_grad()
            loss.backward()
            length = torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None)
            rows.append(torch.stack([loss.detach(), length]))
            optimizer.step()
        return torch.stack(rows)

    return train


def _scores(q: Tensor, k: Tensor) -> Tensor:
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def _hidden(scores: Tensor, visible: Tensor) -> Tensor:
    """−∞ where it may not look; a row of nothing but −∞ is made finite, and thrown away by `_kept`."""
    return scores.masked_fill(~visible, -math.inf).masked_fill(~visible.any(-1, keepdim=True), 0.0)


def _kept(weights: Tensor, visible: Tensor) -> Tensor:
    return weights * visible.any(-1, keepdim=True)


def _causal(q: Tensor, k: Tensor) -> Tensor:
    return ones(q.shape[-2], k.shape[-2]).tril(k.shape[-2] - q.shape[-2])


_EMPTY_ROW = torch.tensor([[False, False, False], [True, False, True], [True, True, True]])
_FILLER = torch.tensor([[True, True, True, True], [True, True, False, False]])[:, None, None, :]


def _case(name: str, query: int, key: int, visible: Tensor, batch: int = 1, heads: int = 1, seed: int = 0) -> Case:
    q, k, v = (random(batch, heads, n, 2, seed=10 * seed + i) for i, n in enumerate((query, key, key)))
    return Case(name, (q, k, v, visible))


TASK = Task(
    id="transformer.attention",
    reference=slow_attention,
    cases=(
        _case("2 tokens, causal", 2, 2, ones(2, 2).tril(), seed=1),
        _case("1 query, 3 keys, the last hidden", 1, 3, torch.tensor([[True, True, False]]), seed=2),
        _case("3 queries, 2 keys, all visible", 3, 2, ones(3, 2), seed=3),
        _case("3 tokens, the first sees nothing", 3, 3, _EMPTY_ROW, seed=4),
        Case(
            "30 steps of a small translator whose every head is your function",
            (30,),
            1e-6,
            in_a_translator,
            ("step", "loss or gradient"),
        ),
        _case("2 sentences, 2 heads, 3 queries, 4 keys, of which some are filler", 3, 4, _FILLER, 2, 2, seed=5),
    ),
    axes=("query", "feature"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "no_mask",
            "`visible` is not used, so each token looks at what comes after it. In training the decoder reads the word "
            "that it should write, and the loss falls faster than an honest one; alone, it writes nonsense.",
            lambda q, k, v, visible: _scores(q, k).softmax(-1) @ v,
        ),
        Mistake(
            "after_softmax",
            "You hid keys after the softmax. The rows no longer sum to one, and hidden scores still decide how much is "
            "left for the rest. Hide before, with −∞.",
            lambda q, k, v, visible: (_scores(q, k).softmax(-1) * visible) @ v,
        ),
        Mistake(
            "inverted",
            "The mask is inverted: what may be seen is hidden. True means may look, so fill where `~visible`.",
            lambda q, k, v, visible: (
                _kept(_hidden(_scores(q, k), ~visible.expand(*q.shape[:-1], -1)).softmax(-1), ~visible) @ v
            ),
        ),
        Mistake(
            "always_causal",
            "You made a causal mask and did not use `visible`. That is right in one of the three places where the "
            "model attends; the encoder, and the decoder's look at the source, see everything but filler.",
            lambda q, k, v, visible: _kept(_hidden(_scores(q, k), _causal(q, k)).softmax(-1), _causal(q, k)) @ v,
        ),
        Mistake(
            "zeroed_scores",
            "You multiplied the scores by the mask, which sets hidden ones to 0. A score of 0 is not nothing: e⁰ = 1. "
            "Hidden means −∞.",
            lambda q, k, v, visible: (_scores(q, k) * visible).softmax(-1) @ v,
        ),
        Mistake(
            "unscaled",
            "The scores are not divided by √d_k.",
            lambda q, k, v, visible: _kept(_hidden(q @ k.transpose(-2, -1), visible).softmax(-1), visible) @ v,
        ),
        Mistake(
            "over_the_queries",
            "The softmax runs over the queries (axis −2). Each query shares its attention among the keys.",
            lambda q, k, v, visible: _scores(q, k).masked_fill(~visible, -math.inf).softmax(-2).nan_to_num(0.0) @ v,
        ),
        Mistake(
            "nan_row",
            "Right, except for a query that sees nothing: all its scores are −∞, and softmax makes NaN of them. Such a "
            "query gets zeros.",
            lambda q, k, v, visible: _scores(q, k).masked_fill(~visible, -math.inf).softmax(-1) @ v,
        ),
        Mistake(
            "average_of_the_hidden",
            "Filling with a large negative number works until a query sees nothing: then all its scores are equal, and "
            "it takes the plain average of what it must not see.",
            lambda q, k, v, visible: _scores(q, k).masked_fill(~visible, -1e9).softmax(-1) @ v,
        ),
        Mistake(
            "nan_hidden_in_the_gradient",
            "The outputs are right, but `nan_to_num` hides the NaN from you, not from the gradient: a model built on "
            "it would stop learning. Keep the row finite *before* the softmax.",
            lambda q, k, v, visible: (
                (_scores(q, k) + torch.zeros(()).double().where(visible, -math.inf)).softmax(-1).nan_to_num(0.0) @ v
            ),
        ),
        Mistake(
            "weights_returned",
            "These are the weights. Attention returns what they bring home: weights @ v.",
            lambda q, k, v, visible: _kept(_hidden(_scores(q, k), visible).softmax(-1), visible),
        ),
    ),
)
