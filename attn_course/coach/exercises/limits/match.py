"""Which bracket does this one close?"""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task


def slow_match(opens: Tensor) -> Tensor:
    """With a stack, row by row."""
    rows = []
    for row in opens.reshape(-1, opens.shape[-1]).tolist():
        stack, found = [], []
        for i, open in enumerate(row):
            if open:
                stack.append(i)
                found.append(-1)
            else:
                found.append(stack.pop() if stack else -1)
        rows.append(found)
    return torch.tensor(rows).reshape(opens.shape)


def _depth(opens: Tensor) -> Tensor:
    """How many are open after each place."""
    return torch.where(opens, 1, -1).cumsum(-1)


def _level(opens: Tensor) -> Tensor:
    """The depth outside a bracket: before it opens, or after it closes."""
    return _depth(opens) - opens.long()


def _candidates(opens: Tensor, level: Tensor) -> Tensor:
    """(…, query, key): opening brackets before a closing one, on its level."""
    n = opens.shape[-1]
    before = torch.ones(n, n, dtype=torch.bool).tril(-1)
    return (level[..., :, None] == level[..., None, :]) & opens[..., None, :] & ~opens[..., :, None] & before


def _last(fits: Tensor) -> Tensor:
    n = fits.shape[-1]
    return torch.where(fits, torch.arange(n), -1).amax(-1)


def _first(fits: Tensor) -> Tensor:
    return torch.where(fits.any(-1), fits.long().argmax(-1), -1)


def _with(
    level: Callable = _level,
    pick: Callable = _last,
    fits: Callable = _candidates,
    last: Callable = lambda found, opens: found,
) -> Callable[[Tensor], Tensor]:
    """The solution by depth, with one part exchanged for a wrong one."""
    return lambda opens: last(pick(fits(opens, level(opens))), opens)


def _with_a_stack(take: Callable, empty: Callable = lambda stack: -1, fresh: bool = True) -> Callable:
    def answer(opens):
        rows, stack = [], []
        for row in opens.reshape(-1, opens.shape[-1]).tolist():
            stack, found = ([] if fresh else stack), []
            for i, open in enumerate(row):
                if open:
                    stack.append(i)
                found.append(-1 if open else take(stack) if stack else empty(stack))
            rows.append(found)
        return torch.tensor(rows).reshape(opens.shape)

    return answer


def _both_ways(found: Tensor, opens: Tensor) -> Tensor:
    return torch.where(found >= 0, found, _closers(found, opens))


def _closers(found: Tensor, opens: Tensor) -> Tensor:
    """For each opening bracket the place of the one that closes it."""
    n = opens.shape[-1]
    closed_by = torch.full((*opens.shape[:-1], n + 1), -1)
    at = torch.arange(n).expand(opens.shape)
    closed_by.scatter_(-1, torch.where(found >= 0, found, n), torch.where(found >= 0, at, -1))
    return closed_by[..., :n]


def _never_below_zero(opens: Tensor) -> Tensor:
    """A depth that stays at 0 where nothing is open, and the level that goes with it."""
    rows = []
    for row in opens.reshape(-1, opens.shape[-1]).tolist():
        depth, levels = 0, []
        for open in row:
            levels.append(depth if open else max(depth - 1, 0))
            depth = depth + 1 if open else max(depth - 1, 0)
        rows.append(levels)
    return torch.tensor(rows).reshape(opens.shape)


def _closes_an_opening_before(out: Tensor, opens: Tensor) -> str | None:
    n = opens.shape[-1]
    for row, open in zip(out.reshape(-1, n).tolist(), opens.reshape(-1, n).tolist(), strict=True):
        for i, j in enumerate(row):
            if open[i] and j != -1:
                return f"The bracket at place {i} opens, so it closes nothing: −1. Yours says {j}."
            if j != -1 and not 0 <= j < i:
                return f"A bracket closes one that stands before it. Yours at place {i} closes place {j}."
            if j != -1 and not open[j]:
                return f"Only an opening bracket can be closed. Yours at place {i} closes place {j}, which closes too."
        closed = [j for j in row if j != -1]
        for j in closed:
            if closed.count(j) > 1:
                return f"A bracket is closed once. Yours at place {j} is closed {closed.count(j)} times."
    return None


def _brackets(*texts: str) -> Tensor:
    rows = torch.tensor([[mark == "(" for mark in text] for text in texts])
    return rows[0] if len(texts) == 1 else rows


TASK = Task(
    id="limits.match",
    reference=slow_match,
    cases=(
        Case("()", (_brackets("()"),)),
        Case("()()", (_brackets("()()"),)),
        Case("(())", (_brackets("(())"),)),
        Case("(()())", (_brackets("(()())"),)),
        Case("(())(", (_brackets("(())("),)),
        Case("()), where the last one closes nothing", (_brackets("())"),)),
        Case(")()", (_brackets(")()"),)),
        Case("())(())", (_brackets("())(())"),)),
        Case("((((()))))", (_brackets("((((()))))"),)),
        Case("2 strings, ((( and )()", (_brackets("(((", ")()"),)),
        Case("3 strings of 12", (_brackets("(()((())))()", "()((()())())", "(((((((())))"),)),
    ),
    axes=("place",),
    gradients=False,
    properties=(_closes_an_opening_before,),
    mistakes=(
        Mistake(
            "nearest",
            "You took the nearest opening bracket before it. That one may be closed already: in (()) the last bracket "
            "closes the first. (With a stack: what is closed must be taken off, `pop()`.)",
            _with(fits=lambda opens, level: _candidates(opens, torch.zeros_like(level))),
        ),
        Mistake(
            "first_on_the_level",
            "You took the *first* opening bracket on the same level. In ()() both are on one level, and the first is "
            "closed already: take the last.",
            _with(pick=_first),
        ),
        Mistake(
            "in_a_queue",
            "You close what was opened first. Brackets close what was opened *last*: take from the end of the list "
            "(`pop()`), not from its beginning.",
            _with_a_stack(lambda stack: stack.pop(0)),
        ),
        Mistake(
            "depth_after",
            "You compare the depth *after* both brackets. An opening bracket is one deeper afterwards than outside; "
            "compare its depth before it opens with the other's after it has closed.",
            _with(level=_depth),
        ),
        Mistake(
            "stopped_at_zero",
            "Your depth stops at 0 when a bracket closes nothing. Then that bracket seems to be on the level of one "
            "that is closed already. Let the depth go below zero, or ask a stack.",
            _with(level=_never_below_zero),
        ),
        Mistake(
            "from_row_to_row",
            "What one string leaves open is closed in the next. Begin every row with an empty stack.",
            _with_a_stack(lambda stack: stack.pop(), fresh=False),
        ),
        Mistake(
            "depth_before",
            "You compare the depth *before* both brackets. A closing bracket is one deeper before than outside; "
            "compare its depth after it has closed with the other's before it opens.",
            _with(level=lambda opens: _depth(opens) - torch.where(opens, 1, -1)),
        ),
        Mistake(
            "place_in_the_list",
            "This is the partner's place in your list of open brackets. Asked is its place in the string: put that "
            "into the list, and answer with what you take off.",
            _with_a_stack(lambda stack: (len(stack) - 1, stack.pop())[0]),
        ),
        Mistake(
            "how_far_back",
            "This is how far back the partner stands. Asked is its place, counted from 0.",
            _with(last=lambda found, opens: torch.where(found >= 0, torch.arange(opens.shape[-1]) - found, -1)),
        ),
        Mistake(
            "counted_from_one",
            "You count places from 1. The first one is 0.",
            _with(last=lambda found, opens: torch.where(found >= 0, found + 1, -1)),
        ),
        Mistake(
            "who_closes_it",
            "You say for an opening bracket who closes it. Asked is the other way round: at a closing bracket, the "
            "place that it closes.",
            _with(last=_closers),
        ),
        Mistake(
            "both_ways",
            "Opening brackets have an answer too in yours, who closes them. They close nothing: −1.",
            _with(last=_both_ways),
        ),
        Mistake(
            "depth_itself",
            "This is the depth at each place. It is half of the answer: the partner is the last opening bracket on the "
            "same level.",
            lambda opens: _depth(opens),
        ),
    ),
)
