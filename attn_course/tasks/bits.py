"""Strings of bits, and two questions about them that a child can answer: PARITY and FIRST.

PARITY depends on every bit: flip any one, and the answer flips. FIRST depends on one bit and on no other. Both are
regular languages, and a machine with two states decides them at any length.
"""

import torch
from jaxtyping import Int
from torch import Tensor

Bits = Int[Tensor, "batch bit"]
MOST = 20  # 2^20 strings are a million


def random_bits(generator: torch.Generator, batch: int, length: int) -> Bits:
    """Draw strings; each bit is 0 or 1 with equal chances, so that both answers are as likely."""
    if batch < 1 or length < 1:
        raise ValueError(f"There should be at least one string of at least one bit, got {batch} of {length}.")
    return torch.randint(2, (batch, length), generator=generator)


def every_bits(length: int) -> Bits:
    """All 2^length strings, in the order of the numbers that they spell."""
    if not 1 <= length <= MOST:
        raise ValueError(f"All strings of 1 to {MOST} bits can be listed (2^{MOST} is a million); got {length}.")
    return torch.arange(2**length)[:, None] >> torch.arange(length - 1, -1, -1) & 1


def parity(bits: Bits) -> Int[Tensor, "batch"]:
    """1 where the number of ones is odd."""
    return bits.sum(dim=-1) % 2


def first(bits: Bits) -> Int[Tensor, "batch"]:
    """The first bit."""
    return bits[:, 0]


def flipped(bits: Bits, at: int) -> Bits:
    """The strings with the bit at this place (0 is the first) turned over."""
    if not -bits.shape[1] <= at < bits.shape[1]:
        raise ValueError(f"There is no bit at place {at} in strings of {bits.shape[1]}.")
    other = bits.clone()
    other[:, at] ^= True  # bools as well as numbers
    return other
