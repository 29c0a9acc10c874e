"""A look at another text, some of which is filler."""

import math

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_cross(x: Tensor, memory: Tensor, keep: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Tensor:
    """Sentence by sentence, query by query, over the words of the memory that are real."""
    sentences = []
    for b in range(len(x)):
        real = [j for j in range(memory.shape[1]) if keep[b, j]]
        k, v = (torch.stack([memory[b, j] @ w for j in real]) for w in (w_k, w_v))
        rows = []
        for token in x[b]:
            scores = torch.stack([torch.dot(token @ w_q, key) for key in k]) / math.sqrt(w_q.shape[-1])
            powers = (scores - scores.max()).exp()
            rows.append(sum(p * value for p, value in zip(powers / powers.sum(), v, strict=True)))
        sentences.append(torch.stack(rows))
    return torch.stack(sentences)


def _attend(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, axis: int = -1) -> Tensor:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    return scores.softmax(axis).nan_to_num(0.0) @ v


def _with(seen=lambda keep, scores: keep[:, None], axis: int = -1):
    """The solution with one part exchanged for a wrong one."""

    def answer(x, memory, keep, w_q, w_k, w_v):
        q, k, v = x @ w_q, memory @ w_k, memory @ w_v
        shape = (len(x), x.shape[1], memory.shape[1])
        return _attend(q, k, v, seen(keep, shape), axis)

    return answer


def _causal(keep, shape):
    return keep[:, None] & torch.ones(shape[1:], dtype=torch.bool).tril()


def _after_softmax(x, memory, keep, w_q, w_k, w_v):
    q, k = x @ w_q, memory @ w_k
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return (weights * keep[:, None]) @ (memory @ w_v)


def _zeroed(x, memory, keep, w_q, w_k, w_v):
    memory = memory * keep[..., None]
    return _attend(x @ w_q, memory @ w_k, memory @ w_v, None)


def _case(name: str, query: int, keep: list[list[int]], d: int, seed: int) -> Case:
    kept = torch.tensor(keep, dtype=torch.bool)
    batch, key = kept.shape
    weights = tuple(random(d, d, seed=seed + i) for i in range(3))
    return Case(name, (random(batch, query, d, seed=seed + 3), random(batch, key, d, seed=seed + 4), kept, *weights))


TASK = Task(
    id="transformer.cross",
    reference=slow_cross,
    cases=(
        _case("1 token looks at 2 words and 1 filler", 1, [[1, 1, 0]], d=2, seed=10),
        _case("2 tokens look at 4 words", 2, [[1, 1, 1, 1]], d=3, seed=20),
        _case("2 sentences: 3 tokens look at 1 word, and at 3", 3, [[1, 0, 0], [1, 1, 1]], d=3, seed=30),
        _case("3 sentences: 4 tokens look at 5, 2 and 3 words", 4, [[1] * 5, [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]], 4, 40),
    ),
    axes=("token", "feature"),
    refused=FUSED,
    mistakes=(
        Mistake(
            "filler_attended",
            "`keep` is not used, so some attention goes to the filler. What a sentence gets then depends on how long "
            "the longest one in its batch is.",
            _with(seen=lambda keep, shape: torch.ones(shape, dtype=torch.bool)),
        ),
        Mistake(
            "inverted",
            "The mask is inverted: only filler is looked at. True in `keep` means a real word, so hide where `~keep`.",
            _with(seen=lambda keep, shape: ~keep[:, None]),
        ),
        Mistake(
            "after_softmax",
            "The filler is hidden after the softmax: its share of the attention is lost, and the rows no longer sum to "
            "one. Hide it before, with −∞.",
            _after_softmax,
        ),
        Mistake(
            "zeroed_memory",
            "You set the filler's vectors to zero. Its keys then score 0, and e⁰ is 1: filler still takes its share of "
            "the attention. Hide its *scores*, with −∞.",
            _zeroed,
        ),
        Mistake(
            "causal",
            "A causal mask lies over the memory: early tokens see only its first words. Both languages have their own "
            "order; the whole source may be looked at from the first word on.",
            _with(seen=_causal),
        ),
        Mistake(
            "over_the_queries",
            "The softmax runs over the tokens that look (axis −2). Each of them shares its attention among the words "
            "of the memory.",
            _with(axis=-2),
        ),
        Mistake(
            "one_mask_for_all",
            "The first sentence's filler is hidden in all of them. Each has its own: `keep` is (batch, key), and wants "
            "an axis for the queries in between.",
            _with(seen=lambda keep, shape: keep[:1, None].expand(shape)),
        ),
        Mistake(
            "roles_exchanged",
            "Queries come from the memory, keys and values from x: the source looks at the target. The one that "
            "writes asks; what was read is looked at.",
            lambda x, memory, keep, w_q, w_k, w_v: _attend(memory @ w_q, x @ w_k, x @ w_v, None),
        ),
        Mistake(
            "itself",
            "The memory is never looked at: x attends to itself.",
            lambda x, memory, keep, w_q, w_k, w_v: _attend(x @ w_q, x @ w_k, x @ w_v, None),
        ),
        Mistake(
            "mask_on_the_queries",
            "`keep` lies over the queries, axis −2, and whole rows are hidden. It speaks of the memory's words, which "
            "are the keys: keep[:, None, :].",
            _with(seen=lambda keep, shape: keep[:, :, None].expand(shape)),
        ),
    ),
)
