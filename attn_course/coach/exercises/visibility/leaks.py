"""Catch the leak."""

from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.exercises.visibility.causal import ones
from attn_course.coach.exercises.visibility.window import slow_window
from attn_course.coach.spec import Case, Mistake, Task, random


def _mixer(visible: Tensor) -> Callable[[Tensor], Tensor]:
    """A small model in which token i reads the tokens that row i shows it."""

    def model(x: Tensor) -> Tensor:
        n = x.shape[-2]
        rows = visible[:n, :n].to(x.dtype)
        return torch.tanh(rows @ x) + x

    return model


def _faintly(x: Tensor) -> Tensor:
    """Causal but for a thousandth of the next token."""
    return _mixer(ones(8, 8).tril())(x) + 1e-3 * x.roll(-1, dims=-2)


def _in_the_last_number(x: Tensor) -> Tensor:
    """Only the last number of each token has seen the future."""
    honest, open_ = _mixer(ones(8, 8).tril())(x), _mixer(ones(8, 8))(x)
    return torch.cat([honest[..., :-1], open_[..., -1:]], dim=-1)


def _causal_on_average(x: Tensor) -> Tensor:
    """Honest up to one thing: every output is shifted by the mean of the whole sequence."""
    return _mixer(ones(8, 8).tril())(x) + x.mean(dim=-2, keepdim=True)


def _strictly_before(x: Tensor) -> Tensor:
    """Honest: an output does not even depend on its own token."""
    n = x.shape[-2]
    return ones(n, n).tril(-1).to(x.dtype) @ x


def _peeks_at(position: int, offset: int, n: int = 8) -> Tensor:
    """Causal, but one token also sees `offset` steps ahead."""
    visible = ones(n, n).tril()
    visible[position, position + offset] = True
    return visible


def slow_leaks(model: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Change everything from `cut` on; whatever stands before must not move. Try every cut."""
    before = model(x)
    for cut in range(1, x.shape[-2]):
        changed = x.clone()
        changed[..., cut:, :] = random(*changed[..., cut:, :].shape, seed=99)
        if not torch.allclose(model(changed)[..., :cut, :], before[..., :cut, :], atol=1e-9):
            return True
    return False


def _probe(cuts: Callable[[int], list[int]], keep: Callable[[Tensor, int], Tensor]) -> Callable:
    """A probe that tries only some cuts, or compares only some outputs."""

    def leaks_(model: Callable, x: Tensor) -> bool:
        before = model(x)
        for cut in cuts(x.shape[-2]):
            changed = x.clone()
            changed[..., cut:, :] = random(*changed[..., cut:, :].shape, seed=99)
            if not torch.allclose(keep(model(changed), cut), keep(before, cut), atol=1e-9):
                return True
        return False

    return leaks_


def _past(out: Tensor, cut: int) -> Tensor:
    return out[..., :cut, :]


def _every_cut(n: int) -> list[int]:
    return list(range(1, n))


def _no_cut(model: Callable, x: Tensor) -> bool:
    return not torch.allclose(model(x), model(x), atol=1e-9)


_X = random(8, 3, seed=5)

TASK = Task(
    id="visibility.leaks",
    reference=slow_leaks,
    cases=(
        Case("an honest causal model (expected: False)", (_mixer(ones(8, 8).tril()), _X)),
        Case("a model with no mask at all (expected: True)", (_mixer(ones(8, 8)), _X)),
        Case("a model in which token 1 sees token 2 (expected: True)", (_mixer(_peeks_at(1, 1)), _X)),
        Case("a model in which token 6 sees token 7 (expected: True)", (_mixer(_peeks_at(6, 1)), _X)),
        Case("a model in which token 2 sees token 5 (expected: True)", (_mixer(_peeks_at(2, 3)), _X)),
        Case("a model in which token 3 sees token 4 (expected: True)", (_mixer(_peeks_at(3, 1)), _X)),
        Case("a model that adds the mean of the whole sequence (expected: True)", (_causal_on_average, _X)),
        Case("an honest model with a window of 2 (expected: False)", (_mixer(slow_window(8, 2)), _X)),
        Case("an honest model that sees only what came before (expected: False)", (_strictly_before, _X)),
        Case("a leak a thousandth as strong (expected: True)", (_faintly, _X)),
        Case("a leak in the last number of each token only (expected: True)", (_in_the_last_number, _X)),
        Case(
            "12 tokens, of which token 10 sees token 11 (expected: True)",
            (_mixer(_peeks_at(10, 1, 12)), random(12, 3, seed=7)),
        ),
        Case(
            "the honest model on a batch of 2 (expected: False)", (_mixer(ones(8, 8).tril()), random(2, 8, 3, seed=6))
        ),
    ),
    gradients=False,
    mistakes=(
        Mistake(
            "one_cut",
            "You changed the future from one place only. A leak can be as short as one step somewhere else: try every "
            "cut.",
            _probe(lambda n: [n // 2], _past),
        ),
        Mistake(
            "last_token_only",
            "You changed the last token only. A model in which token 1 sees token 2 passes that test: try every cut.",
            _probe(lambda n: [n - 1], _past),
        ),
        Mistake(
            "compares_everything",
            "You find a leak in every model, honest ones too. A changed token may change its own output and later "
            "ones: compare only what stands *before* the cut.",
            _probe(_every_cut, lambda out, cut: out),
        ),
        Mistake(
            "compares_the_cut_too",
            "You compared up to and including the first changed token. Its own output may move; the ones before may "
            "not.",
            _probe(_every_cut, lambda out, cut: out[..., : cut + 1, :]),
        ),
        Mistake(
            "skips_the_neighbour",
            "A leak of one step gets past you: the output just before the cut is the one that it moves. Compare all "
            "of them, `out[..., :cut, :]`.",
            _probe(_every_cut, lambda out, cut: out[..., : cut - 1, :]),
        ),
        Mistake(
            "first_token_only",
            "You compared only the first token's output. The leak may be anywhere before the cut.",
            _probe(_every_cut, lambda out, cut: out[..., :1, :]),
        ),
        Mistake(
            "nothing_changed",
            "You find no leak in any model, not even in one without a mask. Run the model twice, the second time with "
            "the tokens after the cut changed, and compare the outputs before it.",
            _no_cut,
        ),
        Mistake(
            "turned_round",
            "Your answer is turned round: return True when the past moves, that is, when there is a leak.",
            lambda model, x: not slow_leaks(model, x),
        ),
    ),
)
