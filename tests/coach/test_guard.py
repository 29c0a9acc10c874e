"""Limits in the main thread, in another thread, and everything put back afterwards."""

import contextlib
import resource
import signal
import sys
import threading
import time

import pytest

from attn_course.coach.guard import Limit, TooMuchText, TooSlow, guarded


def test_a_loop_is_stopped_in_another_thread_too():
    caught = []

    def work():
        try:
            with guarded(seconds=0.3):
                while True:
                    pass
        except TooSlow as limit:
            caught.append(limit)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert len(caught) == 1


def test_a_sleep_is_cut_short():
    began = time.monotonic()
    with pytest.raises(TooSlow), guarded(seconds=0.2):
        time.sleep(30)
    assert time.monotonic() - began < 2


def test_a_limit_cannot_be_swallowed_by_except_exception():
    with pytest.raises(TooMuchText), guarded(characters=10), contextlib.suppress(Exception):
        print("more than ten characters")
    assert not issubclass(Limit, Exception)


def test_everything_is_put_back():
    def mine(*_): ...

    before = signal.signal(signal.SIGALRM, mine)
    lid = resource.getrlimit(resource.RLIMIT_AS)
    out = sys.stdout
    try:
        with guarded() as printed:
            print("hello")
        assert printed.getvalue() == "hello\n"
        assert signal.getsignal(signal.SIGALRM) is mine and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        assert resource.getrlimit(resource.RLIMIT_AS) == lid and sys.stdout is out
    finally:
        signal.signal(signal.SIGALRM, before)
