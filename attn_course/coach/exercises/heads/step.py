"""New tokens after a cache of old ones."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_step(q: Tensor, k: Tensor, v: Tensor, past_k: Tensor, past_v: Tensor) -> Tensor:
    """New token a sees the whole past, the new tokens before it, and itself."""
    before, new = past_k.shape[-2], q.shape[-2]
    outputs = []
    for a in range(new):
        keys = [past_k[..., j, :] for j in range(before)] + [k[..., j, :] for j in range(a + 1)]
        values = [past_v[..., j, :] for j in range(before)] + [v[..., j, :] for j in range(a + 1)]
        powers = [((q[..., a, :] * key).sum(-1, keepdim=True) / math.sqrt(q.shape[-1])).exp() for key in keys]
        outputs.append(sum(power * value for power, value in zip(powers, values, strict=True)) / sum(powers))
    return torch.stack(outputs, dim=-2)


def _attend(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None = None) -> Tensor:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    return scores.softmax(-1).nan_to_num(0.0) @ v


def _all(past: Tensor, new: Tensor) -> Tensor:
    return torch.cat([past, new], dim=-2)


def _seen(q: Tensor, past: Tensor, shift: int | None = None) -> Tensor:
    """(new, past + new): lower triangle, its diagonal moved by the length of the past."""
    before, new = past.shape[-2], q.shape[-2]
    return torch.ones(new, before + new, dtype=torch.bool).tril(before if shift is None else shift)


def _past_alone(q, k, v, past_k, past_v):
    if not past_k.shape[-2]:
        return torch.zeros_like(q @ k.transpose(-2, -1) @ v)
    return _attend(q, past_k, past_v)


def _case(name: str, past: int, new: int, batch: int = 1, heads: int = 1, d: int = 2) -> Case:
    sizes = (new, new, new, past, past)
    return Case(name, tuple(random(batch, heads, n, d, seed=10 * past + new + 100 * i) for i, n in enumerate(sizes)))


TASK = Task(
    id="heads.step",
    reference=slow_step,
    cases=(
        _case("1 new token after 2", past=2, new=1),
        _case("2 new tokens, nothing before them", past=0, new=2),
        _case("2 new tokens after 3", past=3, new=2),
        _case("3 new tokens after 4, 2 sentences, 2 heads", past=4, new=3, batch=2, heads=2, d=4),
    ),
    axes=("head", "new token", "d_head"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "past_forgotten",
            "The new tokens look only at each other: the cached keys and values were not used.",
            lambda q, k, v, past_k, past_v: _attend(q, k, v, _seen(q, past_k[..., :0, :])),
        ),
        Mistake(
            "future_visible",
            "Right for one new token, but of several each sees those after it. Inside the new tokens the mask is "
            "causal, as ever.",
            lambda q, k, v, past_k, past_v: _attend(q, _all(past_k, k), _all(past_v, v)),
        ),
        Mistake(
            "aligned_at_the_start",
            "The causal triangle starts at the first key: the first new token sees only key 0, though the whole past "
            "lies before it. New tokens stand at the *end*: move the diagonal by the length of the past.",
            lambda q, k, v, past_k, past_v: _attend(q, _all(past_k, k), _all(past_v, v), _seen(q, past_k, 0)),
        ),
        Mistake(
            "blind_to_itself",
            "A new token sees the past, but not itself: add its own key and value before it looks.",
            lambda q, k, v, past_k, past_v: _attend(
                q, _all(past_k, k), _all(past_v, v), _seen(q, past_k, past_k.shape[-2] - 1)
            ),
        ),
        Mistake(
            "past_alone",
            "The new tokens look at the cached ones alone: neither at themselves nor at new ones before them.",
            _past_alone,
        ),
        Mistake(
            "new_before_old",
            "The new keys were put *before* the old ones. The softmax does not mind, but the mask does: it now hides "
            "parts of the past. Append: torch.cat([past_k, k], dim=-2).",
            lambda q, k, v, past_k, past_v: _attend(q, _all(k, past_k), _all(v, past_v), _seen(q, past_k)),
        ),
        Mistake(
            "values_before_keys",
            "Keys were appended and values prepended, so each weight meets another token's value.",
            lambda q, k, v, past_k, past_v: _attend(q, _all(past_k, k), _all(v, past_v), _seen(q, past_k)),
        ),
    ),
)
