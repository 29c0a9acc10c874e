"""Odd or even, computed by attention: count, pick, and compare odd places with even ones."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import FUSED, Case, Mistake, Task


def slow_parity(bits: Tensor, c: float) -> Tensor:
    """Chiang and Cholak (2022, 2202.12172), string by string and token by token."""
    found = []
    for string in bits.tolist():
        n = len(string)
        ones = sum(string) / (n + 1)  # what an even look at the n bits and [CLS] gathers
        lit = []
        for i in range(n + 1):
            a = ones - i / (n + 1)
            lit.append(max(a - 1 / (n + 1), 0.0) - 2 * max(a, 0.0) + max(a + 1 / (n + 1), 0.0))
        looked = {}
        for head, sign in (("even", 1), ("odd", -1)):
            powers = [math.exp(sign * c * (-1) ** i) for i in range(n + 1)]
            looked[head] = sum(power * each for power, each in zip(powers, lit, strict=True)) / sum(powers)
        found.append(looked["odd"] - looked["even"])
    return torch.tensor(found, dtype=torch.float64)


def _count(bits: Tensor) -> Tensor:
    """(string, 1): the mean over the bits and [CLS]."""
    return bits.sum(-1, keepdim=True) / (bits.shape[-1] + 1)


def _places(bits: Tensor) -> Tensor:
    return torch.arange(bits.shape[-1] + 1, dtype=bits.dtype) / (bits.shape[-1] + 1)


def _one(bits: Tensor) -> float:
    return 1 / (bits.shape[-1] + 1)


def _pick(a: Tensor, one: float) -> Tensor:
    return (a - one).relu() - 2 * a.relu() + (a + one).relu()


def _sides(bits: Tensor) -> Tensor:
    """(token,): 1 at even places, −1 at odd ones."""
    return 1 - 2 * (torch.arange(bits.shape[-1] + 1) % 2).to(bits.dtype)


def _look(scores: Tensor, lit: Tensor) -> Tensor:
    return (scores.softmax(-1) * lit).sum(-1)


def _with(
    count: Callable = _count,
    places: Callable = _places,
    one: Callable = _one,
    pick: Callable = _pick,
    sides: Callable = _sides,
    look: Callable = _look,
    compare: Callable = lambda odd, even: odd - even,
    last: Callable = lambda logit, bits: logit,
) -> Callable[[Tensor, float], Tensor]:
    """The solution with one part exchanged for a wrong one."""

    def answer(bits, c):
        lit = pick(count(bits) - places(bits), one(bits))
        odd, even = look(-c * sides(bits), lit), look(c * sides(bits), lit)
        return last(compare(odd, even), bits)

    return answer


def _hard(scores: Tensor, lit: Tensor) -> Tensor:
    won = (scores == scores.amax(-1, keepdim=True)).to(lit.dtype)
    return (won * lit).sum(-1) / won.sum(-1)


def _added_up(scores: Tensor, lit: Tensor) -> Tensor:
    return (scores.exp() * lit).sum(-1)


def _without_cls(bits: Tensor, c: float) -> Tensor:
    """The whole construction on the n bits alone."""
    n = bits.shape[-1]
    lit = _pick(bits.mean(-1, keepdim=True) - torch.arange(n, dtype=bits.dtype) / n, 1 / n)
    sides = 1 - 2 * (torch.arange(n) % 2).to(bits.dtype)
    return _look(-c * sides, lit) - _look(c * sides, lit)


def _one_softmax(bits: Tensor, c: float) -> Tensor:
    lit = _pick(_count(bits) - _places(bits), _one(bits))
    return (-(c * _sides(bits)).softmax(-1) * _sides(bits) * lit).sum(-1)


def _right_side(out: Tensor, bits: Tensor, c: float) -> str | None:
    odd = bits.sum(-1) % 2 == 1
    wrong = (out > 0) != odd
    if not wrong.any():
        return None
    at = int(wrong.nonzero()[0])
    ones = int(bits[at].sum())
    return (
        f"String {at} has {ones} one{'' if ones == 1 else 's'}, which is {'odd' if odd[at] else 'even'}, so its logit "
        f"should be {'above' if odd[at] else 'below'} 0; yours is {out[at].item():.3g}."
    )


def _case(name: str, *strings: str, c: float) -> Case:
    bits = torch.tensor([[float(bit) for bit in string] for string in strings], dtype=torch.float64)
    return Case(name, (bits, c), 1e-13)


def _long_case(strings: int, n: int, c: float) -> Case:
    bits = torch.randint(0, 2, (strings, n), generator=torch.Generator().manual_seed(n)).double()
    return Case(f"{strings} strings of {n} bits, c = {c:.3g}", (bits, c), 1e-13)


TASK = Task(
    id="limits.parity",
    reference=slow_parity,
    cases=(
        _case("1 string, 1 0, c = 1", "10", c=1.0),
        _case("1 string, 1 1, c = 1", "11", c=1.0),
        _case("1 string, 0 0 0, c = 1", "000", c=1.0),
        _case("2 strings, 1 1 1 and 0 1 0, c = 0.5", "111", "010", c=0.5),
        _case("4 strings of 5 bits, c = 2", "10110", "00000", "11111", "01001", c=2.0),
        _long_case(8, 20, 5**-0.5),
        _long_case(4, 301, 5**-0.5),
    ),
    axes=("string",),
    gradients=False,  # the three networks have their kinks where the answer stands
    refused=FUSED,
    properties=(_right_side,),
    mistakes=(
        Mistake(
            "even_above",
            "All signs are turned round: a positive logit should mean an odd number of ones. Either you took even "
            "minus odd, or you count places from 1 and so exchanged them: place 0, the first bit, is even.",
            _with(compare=lambda odd, even: even - odd),
        ),
        Mistake(
            "cls_left_out",
            "You left [CLS] out. It is a token like the others: it takes 1/(n + 1) of every row, and places go from "
            "0 to n. A string has n + 1 possible counts, and each needs a place of its own.",
            _without_cls,
        ),
        Mistake(
            "cls_not_counted",
            "The count is off: an even look goes to n + 1 tokens, the n bits and [CLS], so it gathers k/(n + 1), not "
            "k/n.",
            _with(count=lambda bits: bits.mean(-1, keepdim=True)),
        ),
        Mistake(
            "cls_is_a_one",
            "You counted [CLS] among the ones, so every string is answered as if it had one more. It takes its share "
            "of the look like every token, and brings 0 home: k/(n + 1).",
            _with(count=lambda bits: (bits.sum(-1, keepdim=True) + 1) / (bits.shape[-1] + 1)),
        ),
        Mistake(
            "cls_not_looked_at",
            "Your second look leaves [CLS] out. It looks at itself too, at place n, and a string of nothing but ones "
            "points there.",
            _with(look=lambda scores, lit: _look(scores[:-1], lit[:, :-1])),
        ),
        Mistake(
            "one_sided_scores",
            "Your heads score c on one side and 0 on the other. The other side has −c, so the weights stand as e^c to "
            "e^{−c}.",
            _with(look=lambda scores, lit: _look(scores.relu(), lit)),
        ),
        Mistake(
            "from_one",
            "You count places from 1. The first is 0, or a string without a one would have nowhere to point.",
            _with(places=lambda bits: _places(bits) + _one(bits)),
        ),
        Mistake(
            "one_step_missing",
            "You took one ReLU where there are three, so every place below the count is lit, the farther the more. "
            "The second takes away twice what rises, and the third lets it end: relu(a − 1/(n+1)) − 2 relu(a) + "
            "relu(a + 1/(n+1)).",
            _with(pick=lambda a, one: a.relu()),
        ),
        Mistake(
            "two_steps",
            "You took two ReLUs: relu(a + 1/(n+1)) − relu(a) rises and stays, so all places below the count are lit, "
            "and not the one at it. The third lets it end.",
            _with(pick=lambda a, one: (a + one).relu() - a.relu()),
        ),
        Mistake(
            "not_twice",
            "The middle ReLU counts twice, with a minus: 1, −2, 1. With 1, −1, 1 the hat never ends.",
            _with(pick=lambda a, one: (a - one).relu() - a.relu() + (a + one).relu()),
        ),
        Mistake(
            "lit_with_one",
            "The place that is picked has a 1 in yours. Attention gives shares, k/(n + 1), and on their scale three "
            "ReLUs make a hat that is 1/(n + 1) high; no network of fixed weights could make it 1 at every length.",
            _with(pick=lambda a, one: _pick(a, one) / one),
        ),
        Mistake(
            "steps_of_one",
            "Your steps are 1 wide. On the scale of a, which is a count divided by n + 1, one token is 1/(n + 1).",
            _with(one=lambda bits: 1.0),
        ),
        Mistake(
            "hard_heads",
            "Your two heads look at even or odd places alone. With scores of ±c a softmax gives both sides something, "
            "in the ratio e^c : e^{−c}.",
            _with(look=_hard),
        ),
        Mistake(
            "not_divided",
            "Your heads add up e^score · value and do not divide by Σ e^score. A row of weights sums to one.",
            _with(look=_added_up),
        ),
        Mistake(
            "one_head",
            "You took one softmax and gave its values a sign. Each head has a softmax of its own, with its own "
            "denominator.",
            _one_softmax,
        ),
        Mistake(
            "odd_head_alone",
            "This is what the odd head sees. It is positive for every string, a little more for odd counts: take the "
            "even head's away.",
            _with(compare=lambda odd, even: odd),
        ),
        Mistake(
            "probability",
            "This is the probability, 1 / (1 + e^{−logit}). Asked is the logit itself.",
            _with(last=lambda logit, bits: logit.sigmoid()),
        ),
        Mistake(
            "sign_alone",
            "These are the right answers, and not the logits: how *far* from 0 each of them stands is the subject of "
            "this lesson.",
            _with(last=lambda logit, bits: logit.sign()),
        ),
        Mistake(
            "remainder",
            "You took the remainder by 2. Right, and it is what a softmax does not have: count by a mean, pick with "
            "three ReLUs, compare by two heads.",
            _with(last=lambda logit, bits: bits.sum(-1) % 2),
        ),
    ),
)
