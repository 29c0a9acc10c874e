"""Group DRO: the weights of the groups after one batch."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_dro(weights: Tensor, losses: Tensor, groups: Tensor, step: float) -> Tensor:
    """q_g ← q_g e^(step · mean loss of g), then divided by their sum (Sagawa and others 2019, algorithm 1).

    A group that is not in the batch has a loss of 0. In powers of e relative to the largest, which cancels.
    """
    powers = []
    for group in range(len(weights)):
        mine = [float(loss) for loss, of in zip(losses, groups.tolist(), strict=True) if of == group]
        powers.append(step * sum(mine) / len(mine) if mine else 0.0)
    top = max(powers)
    raised = weights * (torch.tensor(powers, dtype=weights.dtype) - top).exp()
    return raised / raised.sum()


def _sums(losses: Tensor, groups: Tensor, n: int) -> tuple[Tensor, Tensor]:
    return losses.new_zeros(n).index_add(0, groups, losses), torch.bincount(groups, minlength=n)


def _mean(losses: Tensor, groups: Tensor, n: int) -> Tensor:
    total, count = _sums(losses, groups, n)
    return total / count.clamp(min=1)


def _raised(weights: Tensor, power: Tensor) -> Tensor:
    return weights * (power - power.max()).exp()


def _with(
    of_group: Callable = _mean,
    raised: Callable = _raised,
    normalise: Callable = lambda q: q / q.sum(),
    sign: int = 1,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(weights, losses, groups, step):
        return normalise(raised(weights, sign * step * of_group(losses, groups, len(weights))))

    return answer


def _absent_is_nothing(weights: Tensor, losses: Tensor, groups: Tensor, step: float) -> Tensor:
    count = torch.bincount(groups, minlength=len(weights))
    q = _with()(weights, losses, groups, step) * (count > 0)
    return q / q.sum()


def _absent_stays(weights: Tensor, losses: Tensor, groups: Tensor, step: float) -> Tensor:
    """Groups that are absent keep their weight; the others share what is left."""
    count = torch.bincount(groups, minlength=len(weights))
    here = _raised(weights, step * _mean(losses, groups, len(weights))) * (count > 0)
    return torch.where(count > 0, here / here.sum() * weights[count > 0].sum(), weights)


def _hard(weights: Tensor, losses: Tensor, groups: Tensor, step: float) -> Tensor:
    worst = _mean(losses, groups, len(weights)).argmax()
    return torch.nn.functional.one_hot(worst, len(weights)).to(weights.dtype)


def _sum_to_one(out: Tensor, *_) -> str | None:
    total = out.sum().item()
    if abs(total - 1) < 1e-9:
        return None
    return f"The weights should sum to one after the update; yours sum to {total:.4g}."


def _case(name: str, groups: list[int], n: int, step: float, seed: int, by: float = 1.0, uneven: bool = True) -> Case:
    weights = (random(n, seed=seed) if uneven else torch.zeros(n, dtype=torch.float64)).softmax(0)
    return Case(name, (weights, by * random(len(groups), seed=seed + 1).abs(), torch.tensor(groups), step))


TASK = Task(
    id="bias.dro",
    reference=slow_dro,
    cases=(
        _case("2 groups of equal weight, 2 examples, step 1", [0, 1], 2, 1.0, 1, uneven=False),
        _case("3 groups of different weights, 5 examples, step 0.5", [0, 1, 2, 2, 0], 3, 0.5, 11),
        _case("2 groups, five examples of one and one of the other, step 0.3", [0, 0, 0, 1, 0, 0], 2, 0.3, 21),
        _case("4 groups, one of them not in the batch, step 0.8", [0, 1, 3, 3, 0, 0], 4, 0.8, 31),
        _case("3 groups, losses in the thousands, step 1", [0, 1, 2, 1, 0], 3, 1.0, 41, by=2000.0),
        _case("4 groups, two of them not in the batch, step 0.01", [3, 3, 0, 3, 0, 0, 3, 3], 4, 0.01, 51),
        _case("6 groups, 30 examples, step 0.2", [(i * i + i // 3) % 6 for i in range(30)], 6, 0.2, 61),
    ),
    axes=("group",),
    gradients=False,
    properties=(_sum_to_one,),
    mistakes=(
        Mistake(
            "sign",
            "Groups with a large loss *lose* weight. It is the other way round: e^(+ step · loss), so that the worst "
            "group is heard most.",
            _with(sign=-1),
        ),
        Mistake(
            "not_normalised",
            "The weights are raised and not divided by their sum: they grow with every batch, and the learning rate "
            "with them.",
            _with(raised=lambda q, power: q * power.exp(), normalise=lambda q: q),
        ),
        Mistake(
            "added",
            "You added step · loss to the weights. They are *multiplied* by e^(step · loss).",
            _with(raised=lambda q, power: q + power),
        ),
        Mistake(
            "softmax_of_weights",
            "You put the old weights beside step · loss into a softmax. It takes e to the power of both: put their "
            "*logarithms* there.",
            _with(raised=lambda q, power: (q + power).softmax(0)),
        ),
        Mistake(
            "first_order",
            "You multiplied by 1 + step · loss. That is near e^(step · loss) for small steps only.",
            _with(raised=lambda q, power: q * (1 + power)),
        ),
        Mistake(
            "no_exponential",
            "You multiplied by step · loss itself. A group without loss, or not in the batch, would be at 0 for ever: "
            "multiply by e^(step · loss).",
            _with(raised=lambda q, power: q * power),
        ),
        Mistake(
            "summed",
            "You took the sum of a group's losses. Then a group weighs more for being larger, which is what the method "
            "is to undo: take the mean.",
            _with(of_group=lambda losses, groups, n: _sums(losses, groups, n)[0]),
        ),
        Mistake(
            "over_the_batch",
            "You divided a group's losses by the size of the batch. Divide by how many of the group are in it, or "
            "large groups count for more.",
            _with(of_group=lambda losses, groups, n: _sums(losses, groups, n)[0] / len(losses)),
        ),
        Mistake(
            "from_scratch",
            "You took a softmax of the losses alone. The weights remember: start from those that came in.",
            _with(raised=lambda q, power: _raised(torch.ones_like(q), power)),
        ),
        Mistake(
            "absent_nan",
            "A group that is not in the batch gives 0 / 0, and its NaN spreads to all weights. Its loss counts as 0.",
            _with(of_group=lambda losses, groups, n: torch.div(*_sums(losses, groups, n))),
        ),
        Mistake(
            "absent_is_nothing",
            "A group that is not in the batch gets weight 0, and once at 0 a weight never comes back. Its loss counts "
            "as 0, so its factor is 1.",
            _absent_is_nothing,
        ),
        Mistake(
            "absent_stays",
            "A group that is not in the batch keeps its weight to the last digit. Its factor is 1, but it is divided "
            "by the sum like the others.",
            _absent_stays,
        ),
        Mistake(
            "overflow",
            "Right for small losses; e^2000 is infinite, and infinite by infinite is NaN. Subtract the largest power "
            "from all of them first: it cancels.",
            _with(raised=lambda q, power: q * power.exp()),
        ),
        Mistake(
            "hard",
            "All weight goes to the worst group of this batch. The update is a gentle one: q · e^(step · loss), "
            "normalised.",
            _hard,
        ),
    ),
)
