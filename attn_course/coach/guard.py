"""Run a learner's code so that it can neither hang, nor flood the page, nor eat the memory."""

import ctypes
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import psutil

TICK = 0.05  # seconds between two looks at the clock and the memory
HERE = str(Path(__file__).parent)


class Limit(BaseException):
    """A limit was passed. Not an Exception, so that a learner's `except Exception` cannot swallow it."""


class TooSlow(Limit):
    pass


class TooBig(Limit):
    pass


class TooMuchText(Limit):
    pass


class Printed(io.StringIO):
    """What the guarded code printed; raises TooMuchText past `most` characters."""

    def __init__(self, most: int):
        super().__init__()
        self.most = most

    def write(self, text: str) -> int:
        if self.tell() + len(text) > self.most:
            raise TooMuchText
        return super().write(text)


@contextmanager
def guarded(seconds: float = 10, megabytes: int = 2000, characters: int = 20_000) -> Iterator[Printed]:
    """Raise TooSlow, TooBig or TooMuchText in the block when it runs too long, grows too much or prints too much."""
    process = psutil.Process()
    deadline = time.monotonic() + seconds
    ceiling = process.memory_info().rss + megabytes * 2**20
    printed = Printed(characters)

    def passed() -> type[Limit] | None:
        if time.monotonic() > deadline:
            return TooSlow
        return TooBig if process.memory_info().rss > ceiling else None

    on_main = threading.current_thread() is threading.main_thread()
    watch = _alarm(passed) if on_main and hasattr(signal, "setitimer") else _watcher(passed)
    with redirect_stdout(printed), redirect_stderr(printed), _address_space(megabytes), watch:
        try:
            yield printed
        finally:
            if os.getpid() != process.pid:  # the block forked: there must not be two notebooks
                os._exit(0)


@contextmanager
def _alarm(passed) -> Iterator[None]:
    """Look at the limits from a timer signal: it also ends `time.sleep` and waits for input."""

    outside, raised = set(_stack(sys._getframe())), 0

    def look(_, frame):
        nonlocal raised
        limit = passed()
        if limit is None:
            return
        raised += 1
        if raised > 1:  # a bare `except:` swallowed the first: let the handler's own line raise it again
            _raise_on_next_line((f for f in _stack(frame) if f not in outside), limit)
        raise limit

    before, trace = signal.signal(signal.SIGALRM, look), sys.gettrace()
    timer = signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)
        if raised > 1:
            sys.settrace(trace)


def _stack(frame) -> Iterator:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _raise_on_next_line(frames: Iterator, limit: type[Limit]) -> None:
    def again(_, event, __):
        if event == "line":
            raise limit
        return again

    for frame in frames:
        if not frame.f_code.co_filename.startswith(HERE):  # our own `finally` must run to its end
            frame.f_trace = again
    sys.settrace(lambda *_: None)


@contextmanager
def _watcher(passed) -> Iterator[None]:
    """Where there is no timer signal (Windows, other threads): a thread that raises in this one."""
    target = ctypes.c_ulong(threading.get_ident())
    done = threading.Event()

    def look():
        while not done.wait(TICK):
            limit = passed()
            if limit is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(target, ctypes.py_object(limit))
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def _address_space(megabytes: int) -> Iterator[None]:
    """On Linux, a lid on the address space: one huge allocation fails at once, as an error the check can explain."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    lid = psutil.Process().memory_info().vms + 2 * megabytes * 2**20
    if soft != resource.RLIM_INFINITY:
        lid = min(lid, soft)
    resource.setrlimit(resource.RLIMIT_AS, (lid, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
