"""A language with one letter: a, aa, aaa, … How many there are, modulo a period, is all there is to know.

(aa)*: may the text end here? After an even number of letters. Every machine with two states knows; attention averages,
and an average of equal things says nothing about how many there are. The start alone is unlike them, and its share of
an average over n letters, 1/(n + 1), shrinks without ever telling even from odd.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

START, LETTER = 0, 1
VOCABULARY = 2


def letters(length: int) -> Int[Tensor, "1 token"]:
    """The start, and so many letters: the only text of this length."""
    if length < 1:
        raise ValueError(f"A text has at least one letter, got length={length}.")
    return F.pad(torch.full((1, length), LETTER), (1, 0), value=START)


def may_end(length: int, period: int = 2) -> Int[Tensor, "1 token"]:
    """1 where the letters so far are a multiple of the period. At the start there are none, which is one."""
    if length < 1 or period < 1:
        raise ValueError(f"A text has at least one letter and a period at least one, got {length} and {period}.")
    return (torch.arange(length + 1) % period == 0).long()[None]
