"""What a margin costs: cross-entropy in bits of a yes-or-no answer."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_bits(logits: Tensor, odd: Tensor) -> Tensor:
    """String by string; the exponential is always of a negative number."""
    found = []
    for logit, truth in zip(logits.flatten(), odd.flatten().tolist(), strict=True):
        margin = logit if truth else -logit
        nats = (1 + (-margin).exp()).log() if margin > 0 else (1 + margin.exp()).log() - margin
        found.append(nats / math.log(2))
    return torch.stack(found).reshape(logits.shape)


def _margin(logits: Tensor, odd: Tensor) -> Tensor:
    return torch.where(odd, logits, -logits)


def _nats(margin: Tensor) -> Tensor:
    return torch.logaddexp(torch.zeros_like(margin), -margin)


def _with(
    margin: Callable = _margin, loss: Callable = lambda m: _nats(m) / math.log(2)
) -> Callable[[Tensor, Tensor], Tensor]:
    """The solution with one part exchanged for a wrong one."""
    return lambda logits, odd: loss(margin(logits, odd))


def _at_least_what_it_is_wrong_by(out: Tensor, logits: Tensor, odd: Tensor) -> str | None:
    """log₂(1 + e^{−m}) is greater than −m / log 2, and than 0."""
    least = (-_margin(logits, odd) / math.log(2)).clamp(min=0)
    low = out < least - 1e-6 * least.clamp(min=1)
    if not low.any():
        return None
    at = tuple(low.nonzero()[0].tolist())
    return (
        f"Whoever is sure and wrong pays for it: a logit of {logits[at].item():g} for "
        f"{'an odd' if odd[at] else 'an even'} string costs at least {least[at].item():.4g} bits, yours "
        f"{out[at].item():.4g}."
    )


def _case(name: str, logits: list, odd: list) -> Case:
    return Case(name, (torch.tensor(logits, dtype=torch.float64), torch.tensor(odd)))


TASK = Task(
    id="limits.bits",
    reference=slow_bits,
    cases=(
        _case("1 odd string, logit 0.5", [0.5], [True]),
        _case("1 even string, logit −0.5", [-0.5], [False]),
        _case("1 even string, logit 2: wrong", [2.0], [False]),
        _case("4 strings, sure and unsure, right and wrong", [3.0, -3.0, -0.7, 1.3], [True, True, False, False]),
        _case("4 strings, logits of a thousandth", [1e-3, -1e-3, 2e-3, -2e-3], [True, False, False, True]),
        _case("2 strings, right, logits in the thousands", [2000.0, -3000.0], [True, False]),
        _case("2 strings, wrong, logits in the thousands", [-2000.0, 3000.0], [True, False]),
        _case(
            "2 batches of 3 strings",
            [[0.2, -40.0, 40.0], [-1.0, 5.0, 800.0]],
            [[True, True, True], [False, False, False]],
        ),
    ),
    axes=("string",),
    refused=(
        "softplus",
        "logsigmoid",
        "log_softmax",
        "cross_entropy",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "soft_margin_loss",
    ),
    properties=(_at_least_what_it_is_wrong_by,),
    mistakes=(
        Mistake(
            "nats",
            "This is in nats. A bit is log 2 of them: divide by log 2.",
            _with(loss=_nats),
        ),
        Mistake(
            "multiplied_by_log_2",
            "You multiplied by log 2. One bit is 0.69 nats, so there are more bits than nats: divide.",
            _with(loss=lambda m: _nats(m) * math.log(2)),
        ),
        Mistake(
            "overflows",
            "Right until a logit is large and wrong: then e^{−m} is infinite, or the probability is 0 and its "
            "logarithm −∞, where the loss is about −m / log 2. Take the exponential of negative numbers only: for "
            "m < 0, log(1 + e^{−m}) = −m + log(1 + e^m).",
            _with(loss=lambda m: (1 + (-m).exp()).log2()),
        ),
        Mistake(
            "clamped",
            "Nothing overflows, but you stop the probability at 1e-12, and so the loss at 40 bits. Whoever is wrong by "
            "m pays m / log 2. (And a clamped loss has no gradient: the worst strings would teach nothing.)",
            _with(loss=lambda m: -m.sigmoid().clamp(min=1e-12).log2()),
        ),
        Mistake(
            "both_branches",
            "The numbers are right, and the gradient has NaN where a logit is large: `torch.where` computes both "
            "branches, and the infinity of the one not taken comes back as 0 · ∞. Let no branch overflow: the "
            "exponential of −|m| in both.",
            _with(loss=lambda m: torch.where(m > 0, (1 + (-m).exp()).log(), (1 + m.exp()).log() - m) / math.log(2)),
        ),
        Mistake(
            "one_minus_p",
            "You go by the two probabilities, P and 1 − P. From a logit of 37 on P is 1 to the last digit and 1 − P "
            "nothing, so its logarithm is −∞ (and the gradient NaN). Stay with the logit: log(1 + e^{−m}).",
            lambda logits, odd: -torch.where(odd, logits.sigmoid().log2(), (1 - logits.sigmoid()).log2()),
        ),
        Mistake(
            "zero_times_infinity",
            "You multiply both logarithms by the truth, 0 and 1. Where a probability is 0 its logarithm is −∞, and "
            "0 · (−∞) is NaN. Take the one logarithm that counts, log(1 + e^{−m}).",
            lambda logits, odd: -(odd * logits.sigmoid().log() + ~odd * (1 - logits.sigmoid()).log()) / math.log(2),
        ),
        Mistake(
            "truth_unused",
            "You treat every string as odd. The margin is the logit for an odd string, and minus the logit for an even "
            "one.",
            _with(margin=lambda logits, odd: logits),
        ),
        Mistake(
            "odd_alone",
            "Even strings cost you nothing. For them the model's probability is 1 − P(odd), and they pay for that.",
            lambda logits, odd: torch.where(odd, _nats(logits) / math.log(2), 0.0 * logits),
        ),
        Mistake(
            "turned_round",
            "The sign: you charge the right answers. The greater the margin, the smaller the loss: log(1 + e^{−m}).",
            _with(margin=lambda logits, odd: -_margin(logits, odd)),
        ),
        Mistake(
            "size_of_the_margin",
            "In yours sure and wrong is as good as sure and right. Either you took the size of the logit, and a margin "
            "has a sign; or you took log(1 + e^{−|m|}) alone, which for m < 0 has still to be given its −m.",
            _with(margin=lambda logits, odd: logits.abs()),
        ),
        Mistake(
            "powers_of_two",
            "You took 2^{−m}. The model's P is 1 / (1 + e^{−logit}), with e; bits come in by the logarithm alone.",
            _with(loss=lambda m: torch.logaddexp2(torch.zeros_like(m), -m)),
        ),
        Mistake(
            "probability",
            "This is the probability of the right answer. What it costs is minus its logarithm, to base 2.",
            _with(loss=lambda m: m.sigmoid()),
        ),
        Mistake(
            "errors_counted",
            "This is 1 for a wrong answer and 0 for a right one. It cannot tell sure from unsure, which the "
            "cross-entropy is there for.",
            _with(loss=lambda m: (m < 0).to(m.dtype)),
        ),
        Mistake(
            "hinge",
            "This is the hinge, max(0, 1 − m), another loss. It thinks a margin of 1 is enough; the cross-entropy of "
            "an answer with probability p is −log₂ p.",
            _with(loss=lambda m: (1 - m).clamp(min=0)),
        ),
        Mistake(
            "margin_itself",
            "This is −m / log 2, which the loss comes near to when an answer is wrong by much. A right one would cost "
            "less than nothing: log₂(1 + e^{−m}).",
            _with(loss=lambda m: -m / math.log(2)),
        ),
        Mistake(
            "squared_error",
            "This is the squared distance from certainty, (1 − p)². The cross-entropy is −log₂ p.",
            _with(loss=lambda m: (-m).sigmoid().square()),
        ),
    ),
)
