"""Does a model know in which order its tokens stand?"""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def _bag(x: Tensor) -> Tensor:
    """Attention without positions: every token reads all, whatever the order."""
    return (x @ x.transpose(-2, -1)).softmax(-1) @ x


def _alone(x: Tensor) -> Tensor:
    """Each token by itself; its features are not alike."""
    return torch.tanh(x) + x.square() * torch.arange(x.shape[-1], dtype=x.dtype)


def _mean(x: Tensor) -> Tensor:
    """Every token gets the mean of all: equivariant and invariant at once."""
    return x.mean(-2, keepdim=True).expand_as(x).clone()


def _pooled(x: Tensor) -> Tensor:
    """Each token beside the mean of all."""
    return torch.tanh(x + x.mean(-2, keepdim=True))


def _placed(x: Tensor) -> Tensor:
    """Positions added: no longer a bag."""
    place = torch.arange(x.shape[-2], dtype=x.dtype)[:, None]
    return _bag(x + 0.3 * place)


def _faintly_placed(x: Tensor) -> Tensor:
    return _bag(x) + 1e-4 * torch.arange(x.shape[-2], dtype=x.dtype)[:, None]


def _causal(x: Tensor) -> Tensor:
    n = x.shape[-2]
    hidden = torch.ones(n, n, dtype=torch.bool).triu(1)
    return (x @ x.transpose(-2, -1)).masked_fill(hidden, -torch.inf).softmax(-1) @ x


def _by_distance(x: Tensor) -> Tensor:
    """A penalty on |i − j|: turned round, the text is read alike."""
    place = torch.arange(x.shape[-2], dtype=x.dtype)
    return (x @ x.transpose(-2, -1) - (place[:, None] - place).abs()).softmax(-1) @ x


def _ring(x: Tensor) -> Tensor:
    """Each token reads its neighbour, and the last one the first: shifted, the text is read alike."""
    return x + torch.tanh(x.roll(1, dims=-2))


def _last_is_special(x: Tensor) -> Tensor:
    """A bag, but for the last token, which is doubled."""
    out = _bag(x)
    return torch.cat([out[..., :-1, :], 2 * out[..., -1:, :]], dim=-2)


def _middle_is_special(x: Tensor) -> Tensor:
    out, n = _bag(x), x.shape[-2]
    weight = torch.ones(n, 1, dtype=x.dtype)
    weight[n // 2] = 2
    return out * weight


def _sorted(x: Tensor) -> Tensor:
    """Always the same rows in the same order: what comes out does not care, and is not moved along."""
    return x.sort(dim=-2).values


def slow_equivariant(model: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Exchange every pair of tokens in turn: their outputs have to change places, and all others to stay."""
    before, n = model(x), x.shape[-2]
    for a in range(n):
        for b in range(a):
            order = list(range(n))
            order[a], order[b] = b, a
            if not torch.allclose(model(x[..., order, :]), before[..., order, :], atol=1e-9):
                return False
    return True


def _tested(orders: Callable[[int], list[list[int]]], compare: Callable = lambda out, order: out[..., order, :]):
    """A test that tries only some orders, or compares with something else."""

    def equivariant(model: Callable, x: Tensor) -> bool:
        before = model(x)
        return all(
            torch.allclose(model(x[..., order, :]), compare(before, order), atol=1e-9) for order in orders(x.shape[-2])
        )

    return equivariant


def _shuffled(n: int) -> list[list[int]]:
    """Two orders that are not their own inverse."""
    rng = torch.Generator().manual_seed(3)
    drawn = [torch.randperm(n, generator=rng).tolist() for _ in range(4)]
    return [*drawn, [*range(1, n), 0]]


def _swapped(n: int) -> list[list[int]]:
    return [[1, 0, *range(2, n)]]


def _back(order: list[int]) -> list[int]:
    return torch.tensor(order).argsort().tolist()


def _features(model: Callable, x: Tensor) -> bool:
    return torch.allclose(model(x.flip(-1)), model(x).flip(-1), atol=1e-9)


_X = random(6, 3, seed=5)

TASK = Task(
    id="order.equivariant",
    reference=slow_equivariant,
    cases=(
        Case("attention without positions (expected: True)", (_bag, _X)),
        Case("each token by itself (expected: True)", (_alone, _X)),
        Case("attention with positions added (expected: False)", (_placed, _X)),
        Case("causal attention without positions (expected: False)", (_causal, _X)),
        Case("a penalty on distance, the same to both sides (expected: False)", (_by_distance, _X)),
        Case("each token reads the one before it, in a ring (expected: False)", (_ring, _X)),
        Case("a bag in which the last place counts double (expected: False)", (_last_is_special, _X)),
        Case("a bag in which the middle place counts double (expected: False)", (_middle_is_special, _X)),
        Case("a model that sorts its tokens (expected: False)", (_sorted, _X)),
        Case("every token gets the mean of all (expected: True)", (_mean, _X)),
        Case("positions a ten-thousandth as strong (expected: False)", (_faintly_placed, _X)),
        Case("the mean of all beside each token, a batch of 2 (expected: True)", (_pooled, random(2, 5, 3, seed=6))),
        Case("9 tokens, the last counts double (expected: False)", (_last_is_special, random(9, 3, seed=7))),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "invariance",
            "You asked whether the outputs stay as they are when the tokens are put in another order. That is "
            "*in*variance. A bag's outputs move along with their tokens: compare model(x[order]) with model(x)[order].",
            _tested(_shuffled, lambda out, order: out),
        ),
        Mistake(
            "reversed_only",
            "You tried one order, the reverse. A model that minds the distance but not the direction passes that test: "
            "try orders that are no mirror image.",
            _tested(lambda n: [list(range(n))[::-1]]),
        ),
        Mistake(
            "shifted_only",
            "You only shifted the tokens round. A model that reads its neighbour in a ring passes that test: try "
            "orders that tear neighbours apart.",
            _tested(lambda n: [[*range(1, n), 0]]),
        ),
        Mistake(
            "first_two_only",
            "You only exchanged the first two tokens. What is special about a place farther on gets past you: try "
            "orders that move every token.",
            _tested(_swapped),
        ),
        Mistake(
            "put_back_the_wrong_way",
            "You put the outputs in the inverse order. If token order[i] now stands at place i, its output has to "
            "stand there too: model(x)[order], by the same order.",
            _tested(_shuffled, lambda out, order: out[..., _back(order), :]),
        ),
        Mistake(
            "features_moved",
            "You put the features (the last axis) in another order. The tokens are to move: axis −2.",
            _features,
        ),
        Mistake(
            "sums_compared",
            "You compared sums or means over the tokens. They forget which output belongs to which token: compare row "
            "by row.",
            lambda model, x: all(
                torch.allclose(model(x[..., order, :]).sum(-2), model(x).sum(-2), atol=1e-9)
                for order in _shuffled(x.shape[-2])
            ),
        ),
        Mistake(
            "turned_round",
            "Your answer is turned round: return True when the outputs do nothing but move along.",
            lambda model, x: not slow_equivariant(model, x),
        ),
    ),
)
