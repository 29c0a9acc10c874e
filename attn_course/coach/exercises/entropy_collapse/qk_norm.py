"""QK-norm: the angle decides, and one learned number a head says how much."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_qk_norm(q: Tensor, k: Tensor, gain: Tensor) -> Tensor:
    """Pair by pair."""
    weights = torch.zeros(*q.shape[:-1], k.shape[-2], dtype=q.dtype)
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for i, one in enumerate(q[b, h]):
                row = torch.stack([gain[h] * _cosine(one, key) for key in k[b, h]])
                weights[b, h, i] = (row - row.max()).exp() / (row - row.max()).exp().sum()
    return weights


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    lengths = a.square().sum().sqrt() * b.square().sum().sqrt()
    return a @ b / lengths if lengths > 0 else torch.zeros((), dtype=a.dtype)


def _unit(x: Tensor) -> Tensor:
    length = x.norm(dim=-1, keepdim=True)
    return x / length.masked_fill(length == 0, 1)


def _with(
    q_unit: Callable = _unit,
    k_unit: Callable = _unit,
    spread: Callable = lambda gain: gain[:, None, None],
    scale: Callable = lambda d: 1.0,
    over: int = -1,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(q, k, gain):
        scores = spread(gain) * (q_unit(q) @ k_unit(k).transpose(-2, -1)) * scale(q.shape[-1])
        return scores.softmax(dim=over)

    return answer


def _over(*axes: int) -> dict:
    def unit(x):
        length = x.square().sum(axes, keepdim=True).sqrt()
        return x / length.masked_fill(length == 0, 1)

    return {"q_unit": unit, "k_unit": unit}


def _both(unit: Callable) -> dict:
    return {"q_unit": unit, "k_unit": unit}


def _rms(x: Tensor) -> Tensor:
    size = x.square().mean(-1, keepdim=True).sqrt()
    return x / size.masked_fill(size == 0, 1)


def _centred(x: Tensor) -> Tensor:
    return _unit(x - x.mean(-1, keepdim=True))


def _squared(x: Tensor) -> Tensor:
    length = x.square().sum(-1, keepdim=True)
    return x / length.masked_fill(length == 0, 1)


def _sum_of_sizes(x: Tensor) -> Tensor:
    size = x.abs().sum(-1, keepdim=True)
    return x / size.masked_fill(size == 0, 1)


def _bounded(out: Tensor, q: Tensor, k: Tensor, gain: Tensor) -> str | None:
    """No weight may pass another e^(2g) times."""
    if (out.sum(-1) - 1).abs().max() > 1e-9:
        return "Rows of weights sum to one, and yours do not: the softmax goes over the keys, the last axis."
    ratio = out.amax(-1) / out.amin(-1)  # (batch, head, query)
    most = (2 * gain.abs()).exp()[:, None]
    if (ratio > most * (1 + 1e-6)).any():
        return "A cosine lies between −1 and 1, so no weight can be more than e^(2g) times another. Yours can."
    return None


def _case(name: str, batch: int, heads: int, n: int, d: int, gain: tuple[float, ...], change=None) -> Case:
    q, k = (random(batch, heads, n, d, seed=10 * n + d + each) for each in (0, 1))
    if change is not None:
        change(q, k)
    return Case(name, (q, k, torch.tensor(gain, dtype=torch.float64)))


def _a_zero_query(q: Tensor, k: Tensor) -> None:
    q[0, 0, 1] = 0


def _a_zero_key(q: Tensor, k: Tensor) -> None:
    k[0, 0, 0] = 0


def _tiny(q: Tensor, k: Tensor) -> None:
    q.mul_(1e-10)
    k.mul_(1e-10)


def _long(q: Tensor, k: Tensor) -> None:
    q.mul_(1e8)
    k.mul_(1e8)


TASK = Task(
    id="entropy-collapse.qk_norm",
    reference=slow_qk_norm,
    cases=(
        _case("1 head, 2 tokens", 1, 1, 2, 3, (2.0,)),
        _case("1 head, 3 tokens, a query of zeros", 1, 1, 3, 2, (2.0,), _a_zero_query),
        _case("1 head, 3 tokens, a key of zeros", 1, 1, 3, 2, (2.0,), _a_zero_key),
        _case("2 heads of different gains, 2 sentences, 2 tokens", 2, 2, 2, 4, (0.5, 3.0)),
        _case("very short vectors", 1, 2, 3, 4, (1.0, 4.0), _tiny),
        _case("very long vectors", 1, 2, 3, 4, (1.0, 4.0), _long),
        _case("a gain of 300: all attention on the nearest key", 1, 1, 4, 3, (300.0,)),
        _case("3 sentences, 2 heads, 6 tokens", 3, 2, 6, 4, (1.5, 6.0)),
    ),
    axes=("query", "key"),
    gradients=False,
    refused=("cosine_similarity",),
    properties=(_bounded,),
    mistakes=(
        Mistake(
            "scaled_too",
            "You divide by √d as well. QK-norm has its own scale, the gain: with both, no score would leave ±g/√d.",
            _with(scale=lambda d: d**-0.5),
        ),
        Mistake(
            "rms",
            "You made the mean square of each vector 1, so its length is √d and scores go up to d·g. Divide by the "
            "length itself.",
            _with(**_both(_rms)),
        ),
        Mistake(
            "centred",
            "You took the mean away first, as a LayerNorm does. That is another variant (ViT-22B's); here only the "
            "length is taken out.",
            _with(**_both(_centred)),
        ),
        Mistake(
            "queries_alone",
            "The keys keep their length, and one long key can still take every row. Divide both by theirs.",
            _with(k_unit=lambda x: x),
        ),
        Mistake(
            "keys_alone",
            "The queries keep their length, and one long query can still make its row a spike. Divide both by theirs.",
            _with(q_unit=lambda x: x),
        ),
        Mistake(
            "over_tokens",
            "You divided by the length along the tokens (axis −2). A vector's features lie on the last axis.",
            _with(**_over(-2)),
        ),
        Mistake(
            "over_the_whole_head",
            "You divided a whole head by one length. Every query and every key has its own.",
            _with(**_over(-2, -1)),
        ),
        Mistake(
            "squared_length",
            "You divided by the square of the length: its root is missing.",
            _with(**_both(_squared)),
        ),
        Mistake(
            "sum_of_sizes",
            "You divided by the sum of the absolute values. The length that makes a dot product a cosine is √Σx².",
            _with(**_both(_sum_of_sizes)),
        ),
        Mistake(
            "gain_twice",
            "The gain stands in both q and k, so it enters squared. Once is enough.",
            _with(spread=lambda gain: gain.square()[:, None, None]),
        ),
        Mistake(
            "gain_of_the_key",
            "The gains went along the keys: (head,) broadcasts from the right. Give them two axes more, "
            "gain[:, None, None], so that each belongs to its head.",
            _with(spread=lambda gain: gain),
        ),
        Mistake(
            "gain_of_the_query",
            "The gains went along the queries. Each belongs to a head: gain[:, None, None].",
            _with(spread=lambda gain: gain[:, None]),
        ),
        Mistake(
            "gain_of_the_sentence",
            "The gains went along the sentences. Each belongs to a head, the second axis: gain[:, None, None].",
            _with(spread=lambda gain: gain[:, None, None, None]),
        ),
        Mistake(
            "no_gain",
            "Without the gain no score leaves ±1, and among many keys no row could ever be sharp.",
            _with(spread=lambda gain: torch.ones(len(gain), 1, 1, dtype=gain.dtype)),
        ),
        Mistake(
            "divided_by_the_gain",
            "You divided by the gain, so a head with a large one is flat. A score is the gain *times* the cosine.",
            _with(spread=lambda gain: 1 / gain[:, None, None]),
        ),
        Mistake(
            "rows_of_scores",
            "You made each row of *scores* a vector of length 1. It is the queries and the keys that lose their "
            "length, before they meet.",
            lambda q, k, gain: (gain[:, None, None] * _unit(q @ k.transpose(-2, -1))).softmax(-1),
        ),
        Mistake(
            "over_queries",
            "The softmax ran over the queries (axis −2). Each query spends its own attention: the last axis.",
            _with(over=-2),
        ),
        Mistake(
            "zero_by_zero",
            "A vector of zeros has length 0, and 0/0 is NaN. It has no direction: its scores are 0.",
            _with(**_both(lambda x: x / x.norm(dim=-1, keepdim=True))),
        ),
        Mistake(
            "epsilon",
            "A number added for safety is as long as your short vectors, and makes them shorter. Change only a length "
            "that is 0.",
            _with(**_both(lambda x: x / (x.norm(dim=-1, keepdim=True) + 1e-8))),
        ),
        Mistake(
            "clamped_too_high",
            "Lengths below some 1e-12 and more count as that number in yours. Very short vectors have a direction "
            "too: change only a length that is 0.",
            _with(**_both(lambda x: x / x.norm(dim=-1, keepdim=True).clamp(min=1e-6))),
        ),
    ),
)
