"""A softmax in which a row may spend itself on nothing."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task, random


def slow_null(scores: Tensor, logit: Tensor) -> Tensor:
    """Row by row: e^s of each key over e^b + Σ e^s, every exponent less the greatest of all, b included."""
    heads = []
    for h in range(scores.shape[1]):
        rows = []
        for i in range(scores.shape[2]):
            s = scores[:, h, i]  # (batch, key)
            most = torch.maximum(s.amax(-1), logit[h]).detach()  # one number off the whole row: no share changes
            powers = (s - most[:, None]).exp()
            rows.append(powers / ((logit[h] - most).exp() + powers.sum(-1))[:, None])
        heads.append(torch.stack(rows, dim=1))
    return torch.stack(heads, dim=1)


def _per_head(logit: Tensor) -> Tensor:
    return logit[:, None, None]


def _of_all(scores: Tensor, b: Tensor) -> Tensor:
    return torch.maximum(scores.amax(-1, keepdim=True), b)


def _of_the_keys(scores: Tensor, b: Tensor) -> Tensor:
    return scores.amax(-1, keepdim=True)


def _of_the_keys_mended(scores: Tensor, b: Tensor) -> Tensor:
    most = scores.amax(-1, keepdim=True)
    return most.masked_fill(most.isinf(), 0)


def _with(
    b: Callable = _per_head,
    most: Callable = _of_all,
    nothing: Callable = lambda b, most: (b - most).exp(),
    of_powers: Callable = lambda powers, nothing: powers / (nothing + powers.sum(-1, keepdim=True)),
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(scores, logit):
        each = b(logit)
        top = most(scores, each).detach()
        return of_powers((scores - top).exp(), nothing(each, top))

    return answer


def _appended(keep: Callable, b: Callable = lambda logit: logit[:, None, None]) -> Callable:
    """One more column of scores, and `keep` of the softmax."""

    def answer(scores, logit):
        column = b(logit).expand(*scores.shape[:-1], 1)
        return keep(torch.cat([scores, column], dim=-1).softmax(-1))

    return answer


def _zero_column(scores: Tensor, logit: Tensor) -> Tensor:
    return torch.cat([scores, torch.zeros_like(scores[..., :1])], dim=-1).softmax(-1)[..., :-1]


def _multiplied(scores: Tensor, logit: Tensor) -> Tensor:
    return _with(nothing=lambda b, top: 0 * b)(scores, logit) * (1 - _per_head(logit).sigmoid())


def _hidden_get_nothing(weights: Tensor, scores: Tensor, logit: Tensor) -> str | None:
    leak = weights.masked_fill(~scores.isinf(), 0).abs().max().item()
    return f"A hidden key (its score is −∞) must have weight 0; one of yours has {leak:.3g}." if leak > 0 else None


def _rows_below_one(weights: Tensor, scores: Tensor, logit: Tensor) -> str | None:
    most = weights.sum(-1).max().item()
    if most <= 1 + 1e-9:
        return None
    return (
        f"The null key takes its share, so a row of the others sums to less than one; one of yours sums to {most:.4g}."
    )


def _case(
    name: str, *shape: int, logit: list[float], seed: int, hidden: Tensor | None = None, shift: float | Tensor = 0.0
):
    scores = random(*shape, seed=seed) + shift
    if hidden is not None:
        scores = scores.masked_fill(hidden, -torch.inf)
    return Case(name, (scores, torch.tensor(logit, dtype=torch.float64)))


_APART = torch.tensor([[2000.0], [0.0]], dtype=torch.float64)
_FUTURE = torch.ones(3, 3, dtype=torch.bool).triu(1)
_FIRST_SEES_NOTHING = torch.tensor([[True, True, True], [True, False, True], [False, False, True]])

TASK = Task(
    id="sinks.null",
    reference=slow_null,
    cases=(
        _case("1 head, 1 query, 2 keys", 1, 1, 1, 2, logit=[0.5], seed=1),
        _case("2 heads, 2 queries, 3 keys, each head with a logit of its own", 1, 2, 2, 3, logit=[-1.0, 2.0], seed=2),
        _case("1 head, 3 tokens, causal", 1, 1, 3, 3, logit=[1.0], seed=3, hidden=_FUTURE),
        _case("3 tokens, the first query sees nothing", 1, 1, 3, 3, logit=[0.3], seed=4, hidden=_FIRST_SEES_NOTHING),
        _case("scores near 2000 (the null key gets next to nothing)", 1, 1, 2, 3, logit=[0.5], seed=5, shift=2000.0),
        _case("scores near 2000, and the logit too", 1, 1, 2, 3, logit=[2000.5], seed=6, shift=2000.0),
        _case("one query's scores near 2000, the other's near 0", 1, 1, 2, 3, logit=[0.5], seed=10, shift=_APART),
        _case("scores near −2000 (all goes to the null key)", 1, 1, 2, 3, logit=[0.5], seed=7, shift=-2000.0),
        _case("a logit of 1500 (all goes to the null key)", 1, 1, 2, 3, logit=[1500.0], seed=8),
        _case("2 sentences, 3 heads, 3 tokens, causal", 2, 3, 3, 3, logit=[0.0, -2.0, 3.0], seed=9, hidden=_FUTURE),
    ),
    axes=("query", "key"),
    refused=FUSED,
    properties=(_hidden_get_nothing, _rows_below_one),
    mistakes=(
        Mistake(
            "not_shifted",
            "Right until a score or the logit is large: e^2000 is infinite, and ∞/∞ is NaN. Take one number off the "
            "whole row first, off the logit too: the greatest of them all.",
            lambda scores, logit: (powers := scores.exp()) / (_per_head(logit).exp() + powers.sum(-1, keepdim=True)),
        ),
        Mistake(
            "one_not_shifted",
            "You added 1 to the sum, which is a null key whose logit is 0. Here each head has its own: e^b. And where "
            "scores are large e^s is infinite: take the greatest of the scores and the logit off first.",
            lambda scores, logit: (powers := scores.exp()) / (1 + powers.sum(-1, keepdim=True)),
        ),
        Mistake(
            "shifted_by_the_logit",
            "Right until scores are large: e^(s − b) / (1 + Σ e^(s − b)) is the same fraction, but a score far above "
            "the logit is infinite in it. Take off the greatest of the scores *and* the logit.",
            _with(most=lambda scores, b: b),
        ),
        Mistake(
            "logit_not_shifted",
            "You took the maximum off the scores, and added e^b as it was. Then the null key moves against the others "
            "by as much as you took off: it has to be e^(b − m), with the same m.",
            _with(nothing=lambda b, top: b.exp()),
        ),
        Mistake(
            "one_added_after_the_shift",
            "You shifted the scores and added 1. That is the null key at e^0 *after* the shift, as if its logit were "
            "always the row's maximum. It has to be e^(b − m).",
            _with(nothing=lambda b, top: torch.ones_like(b)),
        ),
        Mistake(
            "logit_of_zero",
            "Your null key has the logit 0, whatever is passed (softmax-off-by-one). Here each head has its own: "
            "e^b in place of e^0.",
            _zero_column,
        ),
        Mistake(
            "logit_added_not_its_exponential",
            "You added the logit itself to the sum. It is a score: what counts in the sum is e^b.",
            _with(nothing=lambda b, top: b * (-top).exp()),
        ),
        Mistake(
            "kept",
            "The null key is still there as one more column. It takes its share and has no value: leave it out of "
            "what you return.",
            _appended(lambda weights: weights),
        ),
        Mistake(
            "sign_of_the_logit",
            "Your null key takes the more, the smaller its logit is: the sign is turned round. It is a score like the "
            "others, and counts as e^b.",
            _appended(lambda weights: weights[..., :-1], b=lambda logit: -logit[:, None, None]),
        ),
        Mistake(
            "exponential_twice",
            "You appended e^b as a score, and the softmax takes its exponential once more. The null key's score is b.",
            _appended(lambda weights: weights[..., :-1], b=lambda logit: logit.exp()[:, None, None]),
        ),
        Mistake(
            "all_logits",
            "Every head competes with the null keys of *all* heads: you appended one column a logit. Head h has one, "
            "logit[h].",
            lambda scores, logit: torch.cat([scores, logit.expand(*scores.shape[:-1], -1)], dim=-1).softmax(-1)[
                ..., : scores.shape[-1]
            ],
        ),
        Mistake(
            "the_wrong_column",
            "You appended the null key at the end and cut off the first column, which is a real key's: it is the last "
            "one that has to go.",
            _appended(lambda weights: weights[..., 1:]),
        ),
        Mistake(
            "added_to_the_scores",
            "You added the logit to all scores of its head. A number that is added to a whole row changes no softmax: "
            "the null key is one *more* score, beside the others.",
            lambda scores, logit: (scores + _per_head(logit)).softmax(-1),
        ),
        Mistake(
            "each_key_alone",
            "Each of your keys competes with the null key alone, σ(s − b). (Sigmoid attention, which is an idea too.) "
            "Here all of them share one sum: e^b + Σ e^s.",
            lambda scores, logit: (scores - _per_head(logit)).sigmoid(),
        ),
        Mistake(
            "shared_out_again",
            "What the null key took was shared out again: your rows sum to one. Leave them as they are, that is its "
            "use: a row can say less.",
            lambda scores, logit: scores.softmax(-1),
        ),
        Mistake(
            "maximum_of_the_keys",
            "The maximum that you take off ignores the logit. Where a query sees no key it is −∞, and −∞ − (−∞) is "
            "NaN. Take the greatest of the scores *and* the logit.",
            _with(most=_of_the_keys),
        ),
        Mistake(
            "logit_overflows",
            "The weights are right, but the maximum that you take off ignores the logit. Where that is far above the "
            "scores, e^(b − m) is infinite, and the gradient NaN: nothing could train. Take the greatest of the scores "
            "*and* the logit.",
            _with(most=_of_the_keys_mended),
        ),
        Mistake(
            "greatest_of_all_rows",
            "You took the greatest score of the *whole* tensor off every row. A row that lies far below it is left "
            "with e^(−2000) = 0 above the line and below it. Each row has a maximum of its own: amax along −1.",
            _with(most=lambda scores, b: torch.maximum(scores.amax(), b.amax())),
        ),
        Mistake(
            "logit_along_the_queries",
            "The logits (one a head) met the axis of the queries: torch lines axes up from the right. It needs the "
            "shape (head, 1, 1): logit[:, None, None].",
            _with(b=lambda logit: logit[:, None]),
        ),
        Mistake(
            "first_heads_logit",
            "All heads use the first one's logit. Each has its own: shape (head, 1, 1) beside the scores.",
            _with(b=lambda logit: logit[:1, None, None]),
        ),
        Mistake(
            "a_gate",
            "You scaled the plain softmax by 1 − σ(b), the same for every row. A null key *competes*: where a real key "
            "scores high it takes next to nothing. It belongs into the sum under the line.",
            _multiplied,
        ),
        Mistake(
            "over_the_queries",
            "The sum runs over the queries (axis −2). Each query spends itself on its keys and on the null key: add up "
            "along the keys.",
            lambda scores, logit: torch.cat(
                [scores, _per_head(logit).expand(*scores.shape[:2], 1, scores.shape[-1])], dim=-2
            ).softmax(-2)[..., :-1, :],
        ),
    ),
)
