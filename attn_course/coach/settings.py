"""What a call may change for everybody, put back afterwards: a check leaves the notebook as it found it."""

import builtins
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy
import torch


class Asked(Exception):
    """The learner's code waits for somebody at the keyboard."""


@contextmanager
def put_back() -> Iterator[None]:
    """Random state, torch's default type and device, grad mode and the recursion limit are as before after the block.

    Inside it `input()` and `breakpoint()` raise Asked instead of waiting.
    """
    dtype, device, grad = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    seeds = torch.get_rng_state(), random.getstate(), numpy.random.get_state()
    asks = builtins.input, sys.breakpointhook
    depth = sys.getrecursionlimit()
    builtins.input = sys.breakpointhook = _nobody_there
    try:
        yield
    finally:
        builtins.input, sys.breakpointhook = asks
        sys.setrecursionlimit(depth)
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)  # None: as if it had never been set
        torch.set_grad_enabled(grad)
        torch.set_rng_state(seeds[0])
        random.setstate(seeds[1])
        numpy.random.set_state(seeds[2])


def _nobody_there(*_, **__):
    raise Asked
