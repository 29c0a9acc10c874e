"""A kernel that did not start is started again; whatever else goes wrong is not tried twice."""

import pytest

from tools.kernels import TRIES, with_a_kernel


def failing(times, message):
    calls = []

    def work():
        calls.append(1)
        if len(calls) <= times:
            raise RuntimeError(message)
        return "done"

    return work, calls


def test_a_start_that_failed_is_tried_again_and_not_for_ever():
    work, calls = failing(TRIES - 1, "Kernel died before replying to kernel_info")
    assert with_a_kernel(work) == "done" and len(calls) == TRIES
    work, calls = failing(TRIES, "Kernel didn't respond in 30 seconds")
    with pytest.raises(RuntimeError, match="didn't respond"):
        with_a_kernel(work)
    assert len(calls) == TRIES


def test_an_error_of_the_lesson_is_not_tried_again():
    work, calls = failing(1, "Cell 3 raised ClaimFailed")
    with pytest.raises(RuntimeError, match="ClaimFailed"):
        with_a_kernel(work)
    assert len(calls) == 1
