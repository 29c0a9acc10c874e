"""How much of the context is used: the smallest window that costs next to nothing."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_window(losses: Tensor, tolerance: float) -> Tensor:
    """Row by row: go back from the whole context as long as the loss stays near."""
    found = []
    for row in losses.reshape(-1, losses.shape[-1]).tolist():
        w = len(row)
        while w > 1 and row[w - 2] <= row[-1] + tolerance:
            w -= 1
        found.append(w)
    return torch.tensor(found).reshape(losses.shape[:-1])


def _near(losses: Tensor, tolerance: float) -> Tensor:
    return losses <= losses[..., -1:] + tolerance


def _after_the_last_far_one(near: Tensor) -> Tensor:
    """1 + how many places lie up to the last one that is not near."""
    places = torch.arange(1, near.shape[-1] + 1)
    return torch.where(near, 0, places).amax(-1) + 1


def _first_near(near: Tensor) -> Tensor:
    return near.long().argmax(-1) + 1


def _with(
    near: Callable = _near, pick: Callable = _after_the_last_far_one, last: Callable = lambda w, losses: w
) -> Callable[[Tensor, float], Tensor]:
    """The solution with one part exchanged for a wrong one."""
    return lambda losses, tolerance: last(pick(near(losses, tolerance)), losses)


def _gains_little(losses: Tensor, tolerance: float) -> Tensor:
    gain = losses[..., :-1] - losses[..., 1:]
    far = torch.zeros_like(losses[..., :1], dtype=torch.bool)
    return torch.cat([gain <= tolerance, ~far], dim=-1)


def _in_range(out: Tensor, losses: Tensor, tolerance: float) -> str | None:
    n = losses.shape[-1]
    if ((out >= 1) & (out <= n)).all():
        return None
    return f"A window has 1 to {n} tokens here; one of yours has {int(out[(out < 1) | (out > n)][0])}."


def _case(name: str, losses: list, tolerance: float) -> Case:
    rows = torch.tensor(losses, dtype=torch.float64)
    return Case(name, (rows if rows.dim() > 1 else rows[None], tolerance))


TASK = Task(
    id="limits.window",
    reference=slow_window,
    cases=(
        _case("1 model, losses 3 2 2, tolerance 0.1", [3.0, 2.0, 2.0], 0.1),
        _case("losses 3 2.5 2.0625 2, tolerance 0.125", [3.0, 2.5, 2.0625, 2.0], 0.125),
        _case("losses 3 2.25 2, tolerance 0.25: just inside", [3.0, 2.25, 2.0], 0.25),
        _case("losses 4 3 2 1, tolerance 0.1: all of it is used", [4.0, 3.0, 2.0, 1.0], 0.1),
        _case("losses 2 2 2, tolerance 0.1: one token is enough", [2.0, 2.0, 2.0], 0.1),
        _case("losses that come near, leave, and come back", [3.0, 2.0, 2.5, 2.0625, 2.0], 0.125),
        _case("losses that fall below the last one, which is worse for more context", [3.0, 2.0, 1.5, 1.75, 2.0], 0.1),
        _case("losses ten times larger, the tolerance as it was", [30.0, 21.0, 20.25, 20.0], 0.125),
        _case("a slow slope, no step above the tolerance", [2.5, 2.375, 2.25, 2.125, 2.0], 0.125),
        _case(
            "2 models, 3 layers, 6 contexts",
            [
                [[5.0, 4.0, 3.0, 2.5, 2.25, 2.0], [5.0, 2.0, 2.0, 2.0, 2.0, 2.0], [5.0, 4.0, 2.0, 3.0, 2.0, 2.0]],
                [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [3.0, 2.0, 1.0, 2.0, 3.0, 2.0], [4.0, 3.0, 2.125, 2.25, 2.25, 2.0]],
            ],
            0.25,
        ),
    ),
    axes=("model",),
    gradients=False,
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "first_near",
            "You took the first context that comes near. Losses are noisy: this one may be near by chance, and a "
            "longer one far again. From w on, *all* contexts must be near.",
            _with(pick=_first_near),
        ),
        Mistake(
            "an_index",
            "One too few: this is the last length that is too short, or an index counted from 0. losses[0] belongs to "
            "a context of 1 token, so add 1.",
            _with(last=lambda w, losses: w - 1),
        ),
        Mistake(
            "one_too_far",
            "One too many: the smallest context that is near, itself.",
            _with(last=lambda w, losses: (w + 1).clamp(max=losses.shape[-1])),
        ),
        Mistake(
            "strict",
            "A loss that is above the last by the tolerance exactly is within it: ≤, not <.",
            _with(near=lambda losses, t: losses < losses[..., -1:] + t),
        ),
        Mistake(
            "both_sides",
            "You took the absolute difference. A loss that is *lower* than that of the whole context does not count "
            "against a window.",
            _with(near=lambda losses, t: (losses - losses[..., -1:]).abs() <= t),
        ),
        Mistake(
            "from_the_best",
            "You compare with the smallest loss. The question is what the whole context brings: compare with the last "
            "one.",
            _with(near=lambda losses, t: losses <= losses.amin(-1, keepdim=True) + t),
        ),
        Mistake(
            "relative",
            "Your tolerance is a share of the loss. It is in the loss's own units, nats or bits: add it.",
            _with(near=lambda losses, t: losses <= losses[..., -1:] * (1 + t)),
        ),
        Mistake(
            "share_of_the_gain",
            "Your tolerance is a share of what the context brings in all, from the first loss to the last. It is in "
            "the loss's own units: add it to the last loss.",
            _with(near=lambda losses, t: losses <= losses[..., -1:] + t * (losses[..., :1] - losses[..., -1:])),
        ),
        Mistake(
            "step_by_step",
            "You stop where one more token brings less than the tolerance. Many small steps can add up to much: "
            "compare with the loss of the whole context.",
            _with(near=_gains_little, pick=_first_near),
        ),
        Mistake(
            "step_by_step_to_the_end",
            "You ask of every further token whether it brings less than the tolerance. Many small steps can add up to "
            "much: compare with the loss of the whole context.",
            _with(near=_gains_little),
        ),
        Mistake(
            "the_longest",
            "You took the longest context that is near. That is always all of it; asked is the smallest.",
            _with(pick=lambda near: (near * torch.arange(1, near.shape[-1] + 1)).amax(-1)),
        ),
        Mistake(
            "counted_from_the_end",
            "This is how many contexts at the end are near. The first of them is asked for: of n contexts, n less that "
            "number, and one more.",
            _with(pick=lambda near: near.flip(-1).long().cumprod(-1).sum(-1)),
        ),
        Mistake(
            "tolerance_taken_away",
            "You took the tolerance away from the last loss, so that not even the whole context is near. A window may "
            "cost a little more: add it.",
            _with(near=lambda losses, t: losses <= losses[..., -1:] - t),
        ),
        Mistake(
            "how_many_near",
            "This is how many contexts are near. Asked is the smallest of them from which on all are.",
            _with(pick=lambda near: near.long().sum(-1)),
        ),
        Mistake(
            "far_ones_counted",
            "You count the contexts that are far and add one. That is the answer while the losses only fall; where one "
            "comes near by chance and leaves again, it is too short.",
            _with(pick=lambda near: (~near).long().sum(-1) + 1),
        ),
    ),
)
