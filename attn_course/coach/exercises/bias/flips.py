"""How many answers hang on a mark: exchange it and count."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random

Model = Callable[[Tensor], Tensor]


def slow_flips(model: Model, tokens: Tensor, marks: tuple[int, int]) -> float:
    """Row by row: each token that is one mark becomes the other; rows without a mark are passed over."""
    other = {marks[0]: marks[1], marks[1]: marks[0]}
    changed = []
    for row in tokens:
        exchanged = torch.tensor([other.get(token, token) for token in row.tolist()])
        if exchanged.equal(row):
            continue
        before, after = model(row[None])[0], model(exchanged[None])[0]
        changed.append(int(before.argmax()) != int(after.argmax()))
    return sum(changed) / len(changed) if changed else 0.0


def _swapped(tokens: Tensor, marks: tuple[int, int]) -> Tensor:
    a, b = marks
    return torch.where(tokens == a, b, torch.where(tokens == b, a, tokens))


def _marked(tokens: Tensor, marks: tuple[int, int]) -> Tensor:
    return ((tokens == marks[0]) | (tokens == marks[1])).any(-1)


def _answers_differ(before: Tensor, after: Tensor) -> Tensor:
    return before.argmax(-1) != after.argmax(-1)


def _with(
    swap: Callable = _swapped,
    differ: Callable = _answers_differ,
    among: Callable = _marked,
    turn: Callable = lambda share: share,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(model, tokens, marks):
        changed = differ(model(tokens), model(swap(tokens, marks))).double()
        counted = among(tokens, marks).double()
        return turn((changed * counted).sum() / counted.sum().clamp(min=1)).item()

    return answer


def _everybody(tokens: Tensor, marks: tuple[int, int]) -> Tensor:
    return torch.ones(len(tokens), dtype=torch.bool)


def _first_place(tokens: Tensor, marks: tuple[int, int]) -> Tensor:
    swapped = tokens.clone()
    swapped[:, 0] = _swapped(tokens, marks)[:, 0]
    return swapped


def _one_a_row(tokens: Tensor, marks: tuple[int, int]) -> Tensor:
    """Only the first mark of each row is exchanged."""
    is_mark = (tokens == marks[0]) | (tokens == marks[1])
    first = is_mark & (is_mark.cumsum(-1) == 1)
    return torch.where(first, _swapped(tokens, marks), tokens)


def _total_variation(before: Tensor, after: Tensor) -> Tensor:
    return (before.softmax(-1) - after.softmax(-1)).abs().sum(-1) / 2


def _without(model: Model, tokens: Tensor, marks: tuple[int, int]) -> float:
    changed = []
    for row in tokens:
        kept = row[(row != marks[0]) & (row != marks[1])]
        if len(kept) < len(row):
            changed.append(int(model(row[None]).argmax()) != int(model(kept[None]).argmax()))
    return sum(changed) / len(changed) if changed else 0.0


def _reader(seed: int, words: int, classes: int, pull: float) -> Model:
    """A bag of words in which tokens 0 and 1 pull, in opposite directions, at classes 0 and 1."""
    table = random(words, classes, seed=seed)
    table[0], table[1] = 0, 0
    table[0, 0], table[1, 1] = pull, pull

    def model(tokens: Tensor) -> Tensor:
        if tokens.dim() != 2:
            raise ValueError(f"The model takes tokens of shape (row, place), it got {tuple(tokens.shape)}.")
        return table[tokens].sum(-2)

    return model


def _rows(seed: int, rows: int, length: int, words: int, marked: float = 1.0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(2, words, (rows, length), generator=rng)
    at = torch.randint(length, (rows,), generator=rng)
    mark = torch.randint(2, (rows,), generator=rng)
    has = torch.rand(rows, generator=rng) < marked
    tokens[has, at[has]] = mark[has]
    return tokens


def _case(name: str, rows: list[list[int]], seed: int, pull: float, marks: tuple[int, int] = (0, 1)) -> Case:
    return Case(
        name, (_reader(seed, 6, 2, pull), torch.tensor(rows), marks), tolerance=1e-6
    )  # a share in float32 is as right


TASK = Task(
    id="bias.flips",
    reference=slow_flips,
    cases=(
        _case("2 rows of 2 tokens, each with a mark", [[0, 2], [1, 3]], 1, 3.0),
        _case("3 rows, one of them without a mark", [[0, 2], [3, 4], [5, 1]], 2, 4.0),
        _case("3 rows, one of them with two marks", [[0, 2, 0], [1, 3, 4], [5, 4, 0]], 3, 2.0),
        _case("2 rows, none of them with a mark (expected: 0)", [[2, 3], [4, 5]], 4, 3.0),
        _case("3 rows, the marks named in the other order", [[0, 2], [1, 3], [0, 4]], 5, 3.0, marks=(1, 0)),
        Case("20 rows of 5 tokens, 3 classes", (_reader(6, 12, 3, 2.0), _rows(7, 20, 5, 12), (0, 1)), 1e-6),
        Case("60 rows, two in three with a mark", (_reader(8, 30, 2, 2.5), _rows(9, 60, 8, 30, 0.67), (0, 1)), 1e-6),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "all_the_second",
            "After you, every row holds the second mark. Either you exchange only one of the two, or one after the "
            "other, so that the first step is undone by the second. Exchange both at once, from the tokens as they "
            "were.",
            _with(swap=lambda tokens, marks: torch.where(tokens == marks[0], marks[1], tokens)),
        ),
        Mistake(
            "all_the_first",
            "After you, every row holds the first mark: an a that had become b was turned back with the others, or the "
            "first mark was never exchanged. Exchange both at once, from the tokens as they were.",
            _with(swap=lambda tokens, marks: torch.where(tokens == marks[1], marks[0], tokens)),
        ),
        Mistake(
            "over_all_rows",
            "You divided by all rows. One that holds no mark cannot change: it would make a model that hangs on the "
            "mark look better, the more of them there are.",
            _with(among=_everybody),
        ),
        Mistake(
            "scores_differ",
            "You counted every row whose *scores* change. They nearly always do; asked is whether the answer does.",
            _with(differ=lambda before, after: (before != after).any(-1)),
        ),
        Mistake(
            "how_far",
            "This is how far the probabilities move on average. Asked is the share of the rows in which the answer "
            "becomes another.",
            _with(differ=_total_variation),
        ),
        Mistake(
            "unchanged",
            "This is the share of answers that *stay*.",
            lambda model, tokens, marks: _with(differ=lambda before, after: before.argmax(-1) == after.argmax(-1))(
                model, tokens, marks
            ),
        ),
        Mistake(
            "one_less",
            "This is 1 less the share that change: the share of answers that *stay*.",
            lambda model, tokens, marks: 1 - _with()(model, tokens, marks),
        ),
        Mistake(
            "first_place_only",
            "Only the first place of each row is looked at. A mark may stand anywhere.",
            _with(swap=_first_place),
        ),
        Mistake(
            "one_mark_a_row",
            "Not every mark of a row is exchanged at once. A row with two of them would hold both kinds afterwards: "
            "exchange all of its marks, then ask the model once.",
            _with(swap=_one_a_row),
        ),
        Mistake(
            "taken_away",
            "You took the marks out. That asks what the model says without one; a counterfactual asks what it says "
            "with the other one.",
            _without,
        ),
        Mistake(
            "counted",
            "This is how many answers change, not what share: divide by the rows that hold a mark.",
            lambda model, tokens, marks: (
                _with()(model, tokens, marks) * _marked(tokens, marks).sum().clamp(min=1).item()
            ),
        ),
    ),
)
