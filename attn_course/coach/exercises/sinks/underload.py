"""How much of a row goes to what does not matter: by attention, and by what is written."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_underload(weights: Tensor, values: Tensor, relevant: Tensor) -> Tensor:
    """Query by query, key by key; lengths of what is written as in Kobayashi et al. (2020, 2004.10102)."""
    batch, heads, n_query, n_key = weights.shape
    found = torch.zeros(batch, heads, n_query, 2, dtype=weights.dtype)
    for b in range(batch):
        for h in range(heads):
            for i in range(n_query):
                mass = written = total = 0.0
                for j in range(n_key):
                    a = float(weights[b, h, i, j])
                    length = a * float(values[b, h, j].square().sum().sqrt())
                    total += length
                    if not relevant[b, j]:
                        mass, written = mass + a, written + length
                found[b, h, i, 0] = mass
                found[b, h, i, 1] = written / total if total > 0 else 0.0
    return found


def _keys(relevant: Tensor) -> Tensor:
    return relevant[:, None, None, :]


def _lengths(values: Tensor) -> Tensor:
    return values.norm(dim=-1)[..., None, :]


def _safe(part: Tensor, total: Tensor) -> Tensor:
    return part / total.masked_fill(total == 0, 1)


def _share(each: Tensor, idle: Tensor) -> Tensor:
    return _safe((each * idle).sum(-1), each.sum(-1))


def _with(
    length: Callable = _lengths,
    place: Callable = _keys,
    mass: Callable = lambda weights, idle: (weights * idle).sum(-1),
    share: Callable = _share,
    join: Callable = lambda mass, written: torch.stack([mass, written], dim=-1),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(weights, values, relevant):
        idle = ~place(relevant)
        return join(mass(weights, idle), share(weights * length(values), idle))

    return answer


def _of_sums(below: Callable) -> Callable:
    """The length of what all irrelevant keys write together, over `below(weights, values)`."""

    def answer(weights, values, relevant):
        idle = ~_keys(relevant)
        written = ((weights * idle) @ values).norm(dim=-1)
        return torch.stack([(weights * idle).sum(-1), _safe(written, below(weights, values))], dim=-1)

    return answer


def _divided_by(below: Callable) -> Callable:
    def answer(weights, values, relevant):
        idle = ~_keys(relevant)
        each = weights * _lengths(values)
        share = _safe((each * idle).sum(-1), below(weights, _lengths(values), each, idle))
        return torch.stack([(weights * idle).sum(-1), share], dim=-1)

    return answer


def _unweighted(weights: Tensor, values: Tensor, relevant: Tensor) -> Tensor:
    idle = ~_keys(relevant)
    share = _share(_lengths(values).expand_as(weights), idle)
    return torch.stack([(weights * idle).sum(-1), share], dim=-1)


def _shares(out: Tensor, *_) -> str | None:
    if ((out >= -1e-9) & (out <= 1 + 1e-9)).all():
        return None
    bad = out[(out < -1e-9) | (out > 1 + 1e-9)][0].item()
    return f"Both numbers are shares, from 0 to 1; one of yours is {bad:.4g}."


def _case(
    name: str,
    weights: Tensor,
    relevant: list[list[bool]],
    seed: int,
    lengths: dict[int, float] | None = None,
) -> Case:
    """Random values of 3 features, some of them scaled to a length."""
    values = random(*weights.shape[:2], weights.shape[-1], 3, seed=seed)
    for j, length in (lengths or {}).items():
        values[..., j, :] *= length / values[..., j, :].norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return Case(name, (weights, values, torch.tensor(relevant)))


def _map(*shape: int, seed: int) -> Tensor:
    return random(*shape, seed=seed).softmax(-1)


def _filler(seed: int) -> Tensor:
    """3 tokens, causal, of which the first is filler: its row is zeros, and nobody looks at it."""
    hidden = torch.ones(3, 3, dtype=torch.bool).triu(1)
    hidden[:, 0] = True
    return random(1, 1, 3, 3, seed=seed).masked_fill(hidden, -torch.inf).softmax(-1).nan_to_num(0.0)


_ROW = torch.tensor([[[[0.75, 0.25]]]], dtype=torch.float64)

TASK = Task(
    id="sinks.underload",
    reference=slow_underload,
    cases=(
        _case("2 keys: a sink with a short value, and one that matters", _ROW, [[False, True]], 1, {0: 0.1, 1: 2.0}),
        _case("2 keys: the same row, and the irrelevant key is loud", _ROW, [[False, True]], 2, {0: 2.0, 1: 2.0}),
        _case("1 query, 3 keys, two of them irrelevant", _map(1, 1, 1, 3, seed=3), [[False, True, False]], 4),
        _case("3 queries, 3 keys", _map(1, 1, 3, 3, seed=5), [[True, False, True]], 6),
        _case("2 queries, 4 keys (cross-attention)", _map(1, 1, 2, 4, seed=7), [[True, False, False, True]], 8),
        _case("everything matters (expected: zeros)", _map(1, 1, 2, 2, seed=9), [[True, True]], 10),
        _case("nothing matters (expected: ones)", _map(1, 1, 2, 2, seed=11), [[False, False]], 12),
        _case("3 tokens, the first is filler: its row is zeros", _filler(13), [[False, True, False]], 14),
        _case(
            "2 queries, 3 keys, whose rows add up to 0.6 (a null key took the rest)",
            0.6 * _map(1, 1, 2, 3, seed=21),
            [[False, True, False]],
            22,
        ),
        _case(
            "all values are zero: nothing is written",
            _map(1, 1, 2, 3, seed=15),
            [[False, True, True]],
            16,
            {0: 0, 1: 0, 2: 0},
        ),
        _case(
            "2 sentences, 3 heads, 4 queries, 4 keys",
            _map(2, 3, 4, 4, seed=17),
            [[False, True, True, False], [True, False, True, True]],
            18,
            {0: 0.1},
        ),
    ),
    axes=("query", "index"),
    gradients=False,
    properties=(_shares,),
    mistakes=(
        Mistake(
            "length_ignored",
            "Your second number is the first again: the values' lengths are missing. A sink with a value near zero "
            "takes attention and writes nothing: weigh each key by A · ‖v‖.",
            _with(length=lambda v: torch.ones_like(_lengths(v))),
        ),
        Mistake(
            "length_in_both",
            "Your first number is weighed by the values too. It is plain attention: the sum of the weights on "
            "irrelevant keys.",
            _with(join=lambda mass, written: torch.stack([written, written], dim=-1)),
        ),
        Mistake(
            "norm_of_the_sum",
            "You added the irrelevant keys' vectors first and took the length then. Two that point apart cancel, and "
            "both have been written all the same: take ‖v‖ of each key, and add up A · ‖v‖.",
            _of_sums(lambda weights, values: (weights @ values).norm(dim=-1)),
        ),
        Mistake(
            "norm_of_the_sum_above",
            "Below the line you add up lengths, above it you took the length of a sum. Vectors that point apart cancel "
            "in it: add up A · ‖v‖ in both places.",
            _of_sums(lambda weights, values: (weights * _lengths(values)).sum(-1)),
        ),
        Mistake(
            "relevance_on_the_queries",
            "`relevant` met the axis of the queries. It says which *keys* matter: relevant[:, None, None, :].",
            _with(place=lambda relevant: relevant[:, None, :, None]),
        ),
        Mistake(
            "lined_up_from_the_right",
            "`relevant` (batch, key) met the last two axes of the weights, (query, key). With one sentence that "
            "happens to fit. It needs axes for heads and queries: relevant[:, None, None, :].",
            _with(place=lambda relevant: relevant),
        ),
        Mistake(
            "divided_by_the_row",
            "You divided the attention by what the row adds up to. What went to a null key went nowhere, and a filler "
            "spends nothing: the first number is the plain sum of the weights.",
            _with(mass=_share),
        ),
        Mistake(
            "relevant_instead",
            "These are the shares of what *matters*. Asked are those of the irrelevant keys: ~relevant.",
            _with(place=lambda relevant: ~_keys(relevant)),
        ),
        Mistake(
            "not_divided",
            "Your second number is a length, Σ A · ‖v‖ over the irrelevant keys. A share needs the same sum over all "
            "keys below the line.",
            _divided_by(lambda weights, lengths, each, idle: torch.ones_like(each[..., 0])),
        ),
        Mistake(
            "divided_by_the_relevant",
            "Below the line you added up the relevant keys only. That is noise to signal, and has no upper end; a "
            "share is of *all* that is written.",
            _divided_by(lambda weights, lengths, each, idle: (each * ~idle).sum(-1)),
        ),
        Mistake(
            "divided_by_all_lengths",
            "Below the line the lengths of all values were added up, without the weights: as if each key were "
            "looked at fully. It is Σ A · ‖v‖ in both places.",
            _divided_by(lambda weights, lengths, each, idle: lengths.expand_as(each).sum(-1)),
        ),
        Mistake(
            "squares",
            "You weigh by ‖v‖², which makes long values count twice over. ‖v‖ is the root of the sum of squares.",
            _with(length=lambda v: v.square().sum(-1)[..., None, :]),
        ),
        Mistake(
            "sum_of_sizes",
            "You took Σ|v| for the length of a value. It is the root of the sum of squares.",
            _with(length=lambda v: v.abs().sum(-1)[..., None, :]),
        ),
        Mistake(
            "no_weights",
            "Your second number knows only the values: Σ ‖v‖ over Σ ‖v‖. A key that nobody looks at writes nothing: "
            "A · ‖v‖.",
            _unweighted,
        ),
        Mistake(
            "mean_over_the_irrelevant",
            "You took the mean over the irrelevant keys: what *one* of them gets. Asked is what all of them get: the "
            "sum.",
            _with(mass=lambda weights, idle: _safe((weights * idle).sum(-1), idle.sum(-1).to(weights.dtype))),
        ),
        Mistake(
            "exchanged",
            "The two are exchanged: first the share of the attention, then that of what is written.",
            _with(join=lambda mass, written: torch.stack([written, mass], dim=-1)),
        ),
        Mistake(
            "not_a_number",
            "Where nothing is written at all, 0 / 0 is not a number: a filler's row, or values that are all zero. The "
            "share is 0 there: divide by 1 where the sum is 0.",
            _with(share=lambda each, idle: (each * idle).sum(-1) / each.sum(-1)),
        ),
    ),
)
