"""In which order do heads go, if each time the one goes that is missed least by then?"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Loss = Callable[[Iterable[int]], float]


def slow_greedy(loss: Loss, heads: int) -> Tensor:
    """Step by step: try each head that is left, and take out the one that leaves the smallest loss."""
    gone: list[int] = []
    while len(gone) < heads:
        best, least = -1, float("inf")
        for head in range(heads):
            if head not in gone and loss([*gone, head]) < least:
                best, least = head, loss([*gone, head])
        gone.append(best)
    return torch.tensor(gone)


class Pretend:
    """A loss with a known truth. Groups of heads do one job together: it is lost when all of a group are gone.

    jobs   (heads of the group, what the loss grows by); a negative number: without them it is better
    """

    def __init__(self, *jobs: tuple[tuple[int, ...], float]):
        self.jobs = jobs

    def __call__(self, gone: Iterable[int]) -> float:
        out = {int(head) for head in gone}
        return 1.0 + sum(price for group, price in self.jobs if out.issuperset(group))


class Tangled:
    """A loss in which every pair of heads has something to do with each other."""

    def __init__(self, heads: int, seed: int):
        self.alone = random(heads, seed=seed).abs()
        pairs = random(heads, heads, seed=seed + 1)
        self.pairs = (pairs + pairs.T).fill_diagonal_(0)

    def __call__(self, gone: Iterable[int]) -> float:
        out = torch.zeros_like(self.alone)
        out[[int(head) for head in gone]] = 1
        return float(2 + out @ self.alone + 0.5 * out @ self.pairs @ out)


def _by(pick: Callable[[Loss, list[int], list[int]], int]) -> Callable:
    """The solution with another choice of the next head: pick(loss, gone, left)."""

    def answer(loss, heads):
        gone: list[int] = []
        while len(gone) < heads:
            gone.append(pick(loss, gone, [head for head in range(heads) if head not in gone]))
        return torch.tensor(gone)

    return answer


def _once_and_for_all(loss: Loss, heads: int) -> Tensor:
    return torch.tensor(sorted(range(heads), key=lambda head: loss([head])))


def _places(loss: Loss, heads: int) -> Tensor:
    """Where the head stands among those that are left, which is its number only as long as none is gone."""
    gone, left, places = [], list(range(heads)), []
    while left:
        place = min(range(len(left)), key=lambda at: loss([*gone, left[at]]))
        places.append(place)
        gone.append(left.pop(place))
    return torch.tensor(places)


def _grown(loss: Loss, heads: int) -> Tensor:
    """From nothing: put back the head that helps most, and so on; the order turned round."""
    back: list[int] = []
    while len(back) < heads:
        others = [head for head in range(heads) if head not in back]
        back.append(min(others, key=lambda head: loss([h for h in others if h != head])))
    return torch.tensor(back[::-1])


def _each_once(out: Tensor, loss: Loss, heads: int) -> str | None:
    if sorted(out.flatten().tolist()) != list(range(heads)):
        return f"Each of the heads 0 to {heads - 1} goes once; your order is {out.tolist()}."
    return None


TASK = Task(
    id="waste.greedy",
    reference=slow_greedy,
    cases=(
        Case("3 heads, each with a job of its own", (Pretend(((0,), 0.5), ((1,), 0.1), ((2,), 0.3)), 3)),
        Case("3 heads, of which two stand in for each other", (Pretend(((0, 1), 2.0), ((2,), 0.3)), 3)),
        Case("3 heads, one of which does harm", (Pretend(((0,), 0.2), ((1,), 0.4), ((2,), -0.3)), 3)),
        Case(
            "4 heads, two of which are missed by nobody: the lower number goes first",
            (Pretend(((1,), 0.1), ((3,), 0.2)), 4),
        ),
        Case("1 head", (Pretend(((0,), 0.5)), 1)),
        Case("6 heads that have to do with each other", (Tangled(6, seed=8), 6)),
        Case("7 heads that have to do with each other", (Tangled(7, seed=0), 7)),
    ),
    axes=("step",),
    gradients=False,
    properties=(_each_once,),
    mistakes=(
        Mistake(
            "once_and_for_all",
            "Each head was tried alone, and the order read off that. When two heads stand in for each other, neither "
            "is missed alone; once one of them is gone, the other is needed. Measure again after each step.",
            _once_and_for_all,
        ),
        Mistake(
            "most_missed_first",
            "The head that is missed *most* goes first. That is the worst order there is.",
            _by(lambda loss, gone, left: max(left, key=lambda head: loss([*gone, head]))),
        ),
        Mistake(
            "smallest_change",
            "You take the head whose loss differs least, in either direction. A head without which the loss is *lower* "
            "should go before all others: no absolute value.",
            _by(lambda loss, gone, left: min(left, key=lambda head: abs(loss([*gone, head]) - loss(gone)))),
        ),
        Mistake(
            "grown_from_nothing",
            "You begin with no head and put back the one that helps most. That is a good order too, and another one: "
            "here heads go from the whole model, one at a time.",
            _grown,
        ),
        Mistake(
            "places_in_what_is_left",
            "You return where each head stands among those that are left. Once one is gone the others have moved up, "
            "and their places are no longer their numbers: left[place] is the head.",
            _places,
        ),
        Mistake(
            "higher_number_first",
            "Of two heads that are missed alike, the lower number should go first.",
            _by(lambda loss, gone, left: min(reversed(left), key=lambda head: loss([*gone, head]))),
        ),
        Mistake(
            "turned_round",
            "The order is turned round: the first number should be the head that goes first.",
            lambda loss, heads: slow_greedy(loss, heads).flip(0),
        ),
        Mistake(
            "kept_alone",
            "You ask what the loss is if one head is left and all others are gone. Asked is: these are gone, and one "
            "more.",
            _by(
                lambda loss, gone, left: max(
                    left, key=lambda head: loss([h for h in range(len(gone + left)) if h != head])
                )
            ),
        ),
        Mistake(
            "ranks",
            "You return, for each head, when it goes. Asked are the heads in the order in which they go.",
            lambda loss, heads: slow_greedy(loss, heads).argsort(),
        ),
    ),
)
