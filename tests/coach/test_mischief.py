"""Answers that do more than answer: each ends in one sentence or does no harm, and the notebook stays as it was."""

import builtins
import os
import random
import sys
import threading
import time
import warnings

import pytest
import torch

from attn_course.coach import check


def right(q, k):
    return q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5


def after(action):
    """The right answer, once `action` is done."""

    def answer(q, k):
        action()
        return right(q, k)

    return answer


def refused(answer, **kwargs):
    result = check("formula.scores", answer, **kwargs)
    assert not result.passed
    return result.message


def settings():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.get_rng_state().tolist(),
        random.getstate(),
        sys.getrecursionlimit(),
        builtins.input,
        sys.breakpointhook,
        sys.gettrace(),
    )


CHANGES = {
    "default type": lambda: torch.set_default_dtype(torch.float64),
    "default device": lambda: torch.set_default_device("meta"),
    "seed": lambda: (torch.manual_seed(3), random.seed(3)),
    "recursion limit": lambda: sys.setrecursionlimit(50_000),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_an_answer_sets_for_everybody_is_put_back(name):
    before = settings()
    assert check("formula.scores", after(CHANGES[name])).passed
    assert settings() == before


def test_gradients_switched_off_in_the_answer_are_missed_there_and_on_again_afterwards():
    assert "no gradient flows back" in refused(after(lambda: torch.set_grad_enabled(False)))
    assert torch.is_grad_enabled()


def test_a_patched_comparison_does_not_help(monkeypatch):
    honest = torch.allclose

    def patched(q, k):
        torch.allclose = lambda *_, **__: True
        return right(q, k) + 1

    monkeypatch.setattr(torch, "allclose", honest)
    assert "The largest difference" in refused(patched)


@pytest.mark.parametrize("ask", [lambda: input("how many? "), lambda: breakpoint()])
def test_nobody_is_asked(ask):
    assert "waits at input() or breakpoint()" in refused(after(ask))


def test_a_bare_except_cannot_hold_the_limit_off():
    def stubborn(q, k):
        while True:
            try:
                q @ k.mT
                time.sleep(0.01)
            except:  # noqa: E722
                pass

    began, trace = time.monotonic(), sys.gettrace()
    assert "still running after 0.5 seconds" in refused(stubborn, seconds=0.5)
    assert time.monotonic() - began < 3 and sys.gettrace() is trace


def test_long_work_in_torch_is_stopped_between_two_calls():
    big = torch.ones(300, 300)

    def busy(q, k):
        for _ in range(10**9):
            big @ big

    assert "still running after 0.5 seconds" in refused(busy, seconds=0.5)


def test_deep_recursion_ends_in_a_sentence():
    def deep(n):
        return n if n == 0 else deep(n - 1)

    limit = sys.getrecursionlimit()
    assert "RecursionError" in refused(after(lambda: deep(10**6)))
    assert check("formula.scores", after(lambda: (sys.setrecursionlimit(20_000), deep(5_000)))).passed
    assert sys.getrecursionlimit() == limit


def test_a_forked_child_does_not_return_to_the_notebook():
    parent, children = os.getpid(), []

    def forks(q, k):
        if not children:
            children.append(os.fork())
        return right(q, k)

    result = check("formula.scores", forks)
    if os.getpid() != parent:  # the child must never come this far
        os._exit(3)
    assert result.passed and os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


def test_threads_of_an_answer_do_no_harm():
    gate, threads = threading.Event(), []

    def starts():
        threads.append(threading.Thread(target=gate.wait, daemon=True))
        threads[-1].start()

    assert check("formula.scores", after(starts)).passed
    gate.set()
    assert "still running after 0.5 seconds" in refused(after(lambda: threading.Event().wait()), seconds=0.5)


def test_a_base_exception_of_ones_own_is_explained():
    class Mine(BaseException):
        pass

    def raises(q, k):
        raise Mine("no more")

    assert "raised Mine on line" in refused(raises) and "no more" in refused(raises)


def test_async_functions_generators_and_classes_say_what_to_change():
    async def later(q, k):
        return right(q, k)

    def lazily(q, k):
        yield right(q, k)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "take the word `async` away" in refused(later)
    assert "put `return` where `yield` is" in refused(lazily)
    assert "the class dict" in refused(lambda q, k: dict)


def test_odd_tensors_are_refused_in_words():
    assert "sparse or nested" in refused(lambda q, k: right(q, k).detach().to_sparse())
    assert "is complex" in refused(lambda q, k: right(q, k) + 0j)
    assert "on meta" in refused(lambda q, k: right(q, k).detach().to("meta"))
    assert "sparse or nested" in refused(lambda q, k: torch.nested.nested_tensor([right(q, k).detach().flatten()]))


def test_torch_saying_not_implemented_is_not_taken_for_the_stub():
    def unsupported(q, k):
        raise NotImplementedError("Could not run 'aten::nonzero' on this backend")

    assert "Could not run" in refused(unsupported)
