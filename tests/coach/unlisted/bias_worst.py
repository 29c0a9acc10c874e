"""Answers to bias.worst: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def accuracies(said, labels, marks):
    """By pairs that occur."""
    return {
        (label, mark): (said == label)[(labels == label) & (marks == mark)].double().mean().item()
        for label in labels.unique().tolist()
        for mark in marks.unique().tolist()
        if ((labels == label) & (marks == mark)).any()
    }


def right(said, labels, marks):
    return min(accuracies(said, labels, marks).values())


def by_unique(said, labels, marks):
    """Right: torch finds the pairs."""
    _, group = torch.stack([labels, marks]).unique(dim=1, return_inverse=True)
    hits = torch.zeros(int(group.max()) + 1).index_add(0, group, (said == labels).float())
    return (hits / group.bincount()).min()


def with_infinity(said, labels, marks):
    """Right: an empty group counts as more than one."""
    table = torch.full((int(labels.max()) + 1, int(marks.max()) + 1), torch.inf)
    for label in range(table.shape[0]):
        for mark in range(table.shape[1]):
            mine = (labels == label) & (marks == mark)
            if mine.any():
                table[label, mark] = (said[mine] == label).float().mean()
    return table.min().item()


WRONG = [
    # which group it is
    (lambda *x: (lambda found: found.index(min(found)))(list(accuracies(*x).values())), "An accuracy lies"),
    # all groups
    (lambda *x: torch.tensor(list(accuracies(*x).values())), "Your function should return"),
    (lambda *x: min(accuracies(*x).items()), "Your function should return a number, it returned a tuple"),
    # in per cent
    (lambda *x: 100 * right(*x), "An accuracy lies between 0 and 1; yours is 50."),
    # the second worst
    (lambda *x: sorted(accuracies(*x).values())[1], "Your answer is 1, it should be 0."),
    # the median group
    (lambda *x: torch.tensor(sorted(accuracies(*x).values())).median().item(), "Your answer is"),
    # how often the answer is the mark
    (lambda said, labels, marks: (said == marks).double().mean().item(), "Your answer is"),
    # two labels and two marks, typed in
    (
        lambda said, labels, marks: min(
            (said == label)[(labels == label) & (marks == mark)].double().mean().item()
            for label in (0, 1)
            for mark in (0, 1)
            if ((labels == label) & (marks == mark)).any()
        ),
        "Your answer is",
    ),
    # mean of the worst label and the worst mark
    (
        lambda said, labels, marks: min(
            (said == labels)[of == one].double().mean().item() for of in (labels, marks) for one in of.unique()
        ),
        "Your answer is",
    ),
    # the gap between best and worst
    (lambda *x: max(accuracies(*x).values()) - right(*x), "Your answer is"),
    (lambda said, labels, marks: None, "Your function returns None."),
]

RIGHT = [right, by_unique, with_infinity]
