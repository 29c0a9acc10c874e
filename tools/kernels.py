"""Kernels that start.

A kernel's ports are chosen before it binds them. Where several start at once, now and then another program has taken
one in between (1 start in 150 with five at a time, measured), and the kernel dies or is never heard. Such a start is
tried again; an error in a cell is not.
"""

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
TRIES = 3
NOT_STARTED = ("Kernel died before replying", "Kernel didn't respond")


def never_started(text: str) -> bool:
    """Does this error or log say that the kernel did not start?"""
    return any(words in text for words in NOT_STARTED)


def with_a_kernel(work: Callable[[], Result]) -> Result:
    """What `work` returns; it starts a kernel first, and is called again if the kernel did not start."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except RuntimeError as error:
            if attempt == TRIES or not never_started(str(error)):
                raise
