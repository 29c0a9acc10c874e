"""How far one bit moves an answer: flip each in turn."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_influence(model: Callable[[Tensor], Tensor], bits: Tensor) -> Tensor:
    """Place by place, one string at a time."""
    found = []
    for i in range(len(bits)):
        other = [1 - bit if at == i else bit for at, bit in enumerate(bits.tolist())]
        change = model(torch.tensor([other]))[0] - model(bits[None])[0]
        found.append(sum(x * x for x in change.tolist()) ** 0.5)
    return torch.tensor(found, dtype=torch.float64)


def reader(seed: int, d: int = 3, sharp: float = 0.0) -> Callable[[Tensor], Tensor]:
    """(string, token) of bits → (string, d): one query looks at all tokens, its keys made of bits and places."""
    embed, place, out = random(2, 4, seed=seed), random(64, 4, seed=seed + 1), random(4, d, seed=seed + 2)

    def model(bits: Tensor) -> Tensor:
        if bits.dim() != 2 or bits.is_floating_point():
            raise ValueError(
                f"This model reads whole numbers of shape (string, token), got {bits.dtype} of {tuple(bits.shape)}."
            )
        x = embed[bits] + place[: bits.shape[1]]  # (string, token, 4)
        scores = (1 + sharp) * x[..., 0]
        mixed = (scores.softmax(-1)[..., None] * x).sum(-2)
        return mixed.tanh() @ out

    return model


def mean_of_ones(bits: Tensor) -> Tensor:
    """The plainest: (string, token) → (string, 1)."""
    if bits.dim() != 2:
        raise ValueError(f"This model reads strings in a batch, (string, token); got {tuple(bits.shape)}.")
    return bits.double().mean(-1, keepdim=True)


def _flipped(bits: Tensor) -> Tensor:
    """(place, token): row i with bit i flipped."""
    return bits[None] ^ torch.eye(len(bits), dtype=bits.dtype)


def _with(
    strings: Callable = _flipped,
    size: Callable = lambda after, before: (after - before).norm(dim=-1),
    last: Callable = lambda found, bits: found,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(model, bits):
        return last(size(model(strings(bits)), model(bits[None])), bits)

    return answer


def _adding_up(bits: Tensor) -> Tensor:
    """Row i with the bits 0 … i flipped: nobody puts them back."""
    n = len(bits)
    return bits[None] ^ torch.ones(n, n, dtype=bits.dtype).tril()


def _all_but(bits: Tensor) -> Tensor:
    return (1 - bits)[None] ^ torch.eye(len(bits), dtype=bits.dtype)


def _removed(model: Callable, bits: Tensor) -> Tensor:
    without = torch.stack([torch.cat([bits[:i], bits[i + 1 :]]) for i in range(len(bits))])
    return (model(without) - model(bits[None])).norm(dim=-1)


def _not_negative(out: Tensor, model: Callable, bits: Tensor) -> str | None:
    if (out >= 0).all():
        return None
    return "An influence is the size of a change: it has no sign. Take the norm of the difference."


def _string(n: int, seed: int) -> Tensor:
    return torch.randint(0, 2, (n,), generator=torch.Generator().manual_seed(seed))


TASK = Task(
    id="limits.influence",
    reference=slow_influence,
    cases=(
        Case("the mean of 2 bits, 1 and 0", (mean_of_ones, torch.tensor([1, 0]))),
        Case("the mean of 4 bits, 0 1 1 0", (mean_of_ones, torch.tensor([0, 1, 1, 0]))),
        Case("a head that reads 3 bits, 1 0 1", (reader(1), torch.tensor([1, 0, 1]))),
        Case("a head that reads 4 bits, all 0", (reader(4), torch.tensor([0, 0, 0, 0]))),
        Case("a sharp head that reads 6 bits", (reader(7, d=1, sharp=4.0), _string(6, 7))),
        Case("a head that reads 20 bits", (reader(10, d=5), _string(20, 10))),
    ),
    axes=("place",),
    gradients=False,
    properties=(_not_negative,),
    mistakes=(
        Mistake(
            "adding_up",
            "Your flips add up: at place i the bits before it are flipped as well, for they were never put back. Flip "
            "one bit of a fresh copy each time.",
            _with(strings=_adding_up),
        ),
        Mistake(
            "all_but_one",
            "You flipped every bit but the one at the place. One bit alone is to change.",
            _with(strings=_all_but),
        ),
        Mistake(
            "set_to_zero",
            "You set the bit to 0, so that one which is 0 already has no influence. Flip it: 1 − bit.",
            _with(strings=lambda bits: bits[None] & ~torch.eye(len(bits), dtype=torch.bool)),
        ),
        Mistake(
            "set_to_one",
            "You set the bit to 1, so that one which is 1 already has no influence. Flip it: 1 − bit.",
            _with(strings=lambda bits: bits[None] | torch.eye(len(bits), dtype=bits.dtype)),
        ),
        Mistake(
            "negated",
            "You turned the sign: 1 became −1, which is no bit, and 0 stayed 0. The other bit is 1 − bit.",
            _with(strings=lambda bits: bits[None] * (1 - 2 * torch.eye(len(bits), dtype=bits.dtype))),
        ),
        Mistake(
            "not_of_a_whole_number",
            "`~` turns every binary digit of a whole number: ~0 is −1 and ~1 is −2, and neither is a bit. The other "
            "bit is 1 − bit, or bit ^ 1.",
            _with(strings=lambda bits: bits[None] ^ -torch.eye(len(bits), dtype=bits.dtype)),
        ),
        Mistake(
            "removed",
            "You took the token out, which makes the string shorter and moves all that follow. Flip it, and leave the "
            "rest where it is.",
            _removed,
        ),
        Mistake(
            "squared",
            "This is the square of the change. Its size is the root of the sum of squares.",
            _with(size=lambda after, before: (after - before).square().sum(-1)),
        ),
        Mistake(
            "root_mean_square",
            "This is the root of the *mean* of squares. The norm is the root of their sum.",
            _with(size=lambda after, before: (after - before).square().mean(-1).sqrt()),
        ),
        Mistake(
            "sum_of_the_changes",
            "You added up the changes of the features, with or without their signs. The norm is the root of the sum of "
            "their squares.",
            _with(size=lambda after, before: (after - before).abs().sum(-1)),
        ),
        Mistake(
            "greatest_change",
            "This is the change of the feature that changes most. The norm takes all of them: the root of the sum of "
            "squares.",
            _with(size=lambda after, before: (after - before).abs().amax(-1)),
        ),
        Mistake(
            "difference_of_norms",
            "You compare how long two outputs are. They may be equally long and point elsewhere: take the norm of "
            "their difference.",
            _with(size=lambda after, before: (after.norm(dim=-1) - before.norm(dim=-1)).abs()),
        ),
        Mistake(
            "relative",
            "You divided by the size of the output. Asked is the change itself.",
            _with(size=lambda after, before: (after - before).norm(dim=-1) / before.norm(dim=-1)),
        ),
        Mistake(
            "shared_out",
            "You divided by n. That the influence of one bit falls with n is for the experiment to find, not for the "
            "measure to put in.",
            _with(last=lambda found, bits: found / len(bits)),
        ),
        Mistake(
            "the_flipped_output",
            "This is the size of the output after the flip. Asked is how far it moved: take the output before it away.",
            _with(size=lambda after, before: after.norm(dim=-1)),
        ),
    ),
)
