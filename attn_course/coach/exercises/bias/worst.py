"""The accuracy of the group that is served worst."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_worst(said: Tensor, labels: Tensor, marks: Tensor) -> float:
    """Example by example, into drawers that exist only once something lies in them."""
    groups: dict[tuple[int, int], list[bool]] = {}
    for answer, label, mark in zip(said.tolist(), labels.tolist(), marks.tolist(), strict=True):
        groups.setdefault((label, mark), []).append(answer == label)
    return min(sum(right) / len(right) for right in groups.values())


def _by_pair(said: Tensor, labels: Tensor, marks: Tensor) -> Tensor:
    return labels * (int(marks.max()) + 1) + marks


def _accuracies(said: Tensor, labels: Tensor, groups: Tensor, n: int | None = None) -> tuple[Tensor, Tensor]:
    """Right answers and examples by group, empty groups included."""
    n = n or int(groups.max()) + 1
    right = torch.bincount(groups, (said == labels).double(), n)
    return right, torch.bincount(groups, minlength=n)


def _with(
    groups: Callable = _by_pair,
    share: Callable = lambda right, count: (right / count)[count > 0],
    pick: Callable = torch.min,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(said, labels, marks):
        right, count = _accuracies(said, labels, groups(said, labels, marks))
        return pick(share(right, count)).item()

    return answer


def _smallest_group(said: Tensor, labels: Tensor, marks: Tensor) -> float:
    right, count = _accuracies(said, labels, _by_pair(said, labels, marks))
    few = torch.where(count > 0, count, len(said) + 1).argmin()
    return (right[few] / count[few]).item()


def _all_pairs(share: Callable) -> Callable:
    """With every pair of a label and a mark that occur, whether or not they occur together."""

    def answer(said, labels, marks):
        n = (int(labels.max()) + 1) * (int(marks.max()) + 1)
        return share(*_accuracies(said, labels, _by_pair(said, labels, marks), n)).min().item()

    return answer


def _python_min(said: Tensor, labels: Tensor, marks: Tensor) -> float:
    """Every pair in turn, empty ones too, under the min that passes NaN over unless it comes first."""
    pairs = [(label, mark) for label in range(int(labels.max()) + 1) for mark in range(int(marks.max()) + 1)]
    return min((said == labels)[(labels == a) & (marks == b)].double().mean().item() for a, b in pairs)


def _sum_as_key(said: Tensor, labels: Tensor, marks: Tensor) -> Tensor:
    return labels + marks


def _in_range(out: float, said: Tensor, labels: Tensor, marks: Tensor) -> str | None:
    if -1e-9 <= out <= 1 + 1e-9:
        return None
    return f"An accuracy lies between 0 and 1; yours is {out:.3g}."


def _of(said: list[int], labels: list[int], marks: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    return torch.tensor(said), torch.tensor(labels), torch.tensor(marks)


def _drawn(n: int, seed: int, without: tuple[int, int] | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Three labels, three marks; answers that mostly follow the mark. One pair may never occur."""
    rng = torch.Generator().manual_seed(seed)
    labels, marks, other = (torch.randint(3, (n,), generator=rng) for _ in range(3))
    marks = torch.where(torch.rand(n, generator=rng) < 0.6, labels, marks)
    if without is not None:
        label, mark = without
        marks = torch.where((labels == label) & (marks == mark), (mark + 1) % 3, marks)
    lean = torch.rand(n, generator=rng)
    said = torch.where(lean < 0.2, marks, torch.where(lean < 0.85, labels, other))
    return said, labels, marks


def _case(name: str, *args) -> Case:
    return Case(name, args, tolerance=1e-6)  # counting in float32 is as right


TASK = Task(
    id="bias.worst",
    reference=slow_worst,
    cases=(
        _case("4 examples, one of each pair", *_of([0, 0, 1, 0], [0, 0, 1, 1], [0, 1, 1, 0])),
        _case(
            "6 examples, two groups of two and two of one",
            *_of([0, 1, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0]),
        ),
        _case("5 examples, every answer right in one group", *_of([0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0, 1, 0, 1, 1])),
        _case("5 examples, label 1 never with mark 0", *_of([0, 0, 1, 1, 0], [0, 0, 0, 1, 1], [0, 1, 1, 1, 1])),
        _case("4 examples, label 0 never with mark 0", *_of([0, 1, 1, 0], [0, 1, 1, 1], [1, 0, 0, 1])),
        _case(
            "9 examples, the smallest group is not the worst",
            *_of([0, 0, 0, 0, 1, 0, 0, 1, 1], [0, 0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 1, 1, 0]),
        ),
        _case(
            "8 examples, no group without a wrong answer",
            *_of([0, 0, 0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]),
        ),
        _case("40 examples, 3 labels and 3 marks", *_drawn(40, 3)),
        _case("90 examples, 3 labels and 3 marks, one pair never occurs", *_drawn(90, 5, without=(2, 0))),
        _case("200 examples, 3 labels and 3 marks", *_drawn(200, 7)),
    ),
    gradients=False,
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "accuracy",
            "This is the accuracy over all examples. A group of 2 % can be wrong throughout and cost it 0.02.",
            lambda said, labels, marks: (said == labels).double().mean().item(),
        ),
        Mistake(
            "by_label",
            "You grouped by the label alone. A model that follows the mark is wrong where mark and label disagree: a "
            "group is a pair (label, mark).",
            _with(groups=lambda said, labels, marks: labels),
        ),
        Mistake(
            "by_mark",
            "You grouped by the mark alone. A group is a pair (label, mark).",
            _with(groups=lambda said, labels, marks: marks),
        ),
        Mistake(
            "agree_or_not",
            "You made two groups, mark like label and mark unlike label. Each pair (label, mark) is a group of its "
            "own, and one of them can be worse than the rest of its half.",
            _with(groups=lambda said, labels, marks: (labels != marks).long()),
        ),
        Mistake(
            "by_answer",
            "You grouped by what the model *said* and the mark. That answers how far its word can be trusted; asked is "
            "how the examples with a true label and a mark fare.",
            _with(groups=lambda said, labels, marks: _by_pair(said, said, marks)),
        ),
        Mistake(
            "empty_is_zero",
            "A pair that never occurs counts as an accuracy of 0. Nobody is in it, so nobody is served badly: leave it "
            "out.",
            _all_pairs(lambda right, count: right / count.clamp(min=1)),
        ),
        Mistake(
            "empty_is_nan",
            "A pair that never occurs gives 0 / 0, and one NaN makes the minimum NaN. Leave empty groups out.",
            _all_pairs(lambda right, count: right / count),
        ),
        Mistake(
            "empty_by_order",
            "A pair that never occurs gives NaN, and what Python's min makes of it depends on the order: first it "
            "stays, later it is passed over. Leave empty groups out.",
            _python_min,
        ),
        Mistake(
            "one_number_for_two_pairs",
            "You added label and mark to number the groups. Then (0, 1) and (1, 0) are one group: give each pair a "
            "number of its own, label · (number of marks) + mark.",
            _with(groups=_sum_as_key),
        ),
        Mistake(
            "mean_of_groups",
            "You averaged over the groups. That is balanced accuracy, in which three good groups can hide a bad one: "
            "take the smallest.",
            _with(pick=torch.mean),
        ),
        Mistake(
            "best",
            "This is the best group's accuracy.",
            _with(pick=torch.max),
        ),
        Mistake(
            "error",
            "This is the worst group's share of *errors*. Asked is its accuracy, 1 less that.",
            lambda said, labels, marks: 1 - _with()(said, labels, marks),
        ),
        Mistake(
            "smallest_group",
            "This is the accuracy of the group with the fewest examples. Often that is the worst one, but not always.",
            _smallest_group,
        ),
        Mistake(
            "share_of_all",
            "You divided each group's right answers by the number of all examples. Divide by the size of the group.",
            lambda said, labels, marks: _with(share=lambda right, count: right[count > 0] / len(said))(
                said, labels, marks
            ),
        ),
    ),
)
