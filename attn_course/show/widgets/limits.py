"""Lesson 13: PARITY and FIRST, by weights that were set by hand. Everything is computed in the browser."""

from statistics import mean

import torch
import traitlets

from attn_course.show.widgets.base import Widget, module, style
from attn_course.training.recorded import recorded

LONGEST, MOST = 1000, 16
QUESTIONS = ("parity", "first")
NORMS = ("none", "0", "1e-5")


class LimitsWidget(Widget):
    """The model of `models.parity` or `models.first` on a string of bits.

    question   "parity" (is the number of ones odd?) or "first" (is the first bit a 1?)
    bits       the beginning of the string, up to 16 bits that can be turned over
    length     of the whole string, up to 1,000: what is missing is filled in at random, always with the same bits
    norm       "none" (no layer norm), or its ε: "0", "1e-5"
    log_n      whether scores are multiplied by log n instead of by 1/√d
    """

    _esm = module("limits_numbers", "limits_pictures", "limits")
    _css = style("limits")

    question = traitlets.Enum(QUESTIONS, default_value="parity").tag(sync=True)
    bits = traitlets.List(traitlets.Int(min=0, max=1), [1, 0, 1, 1, 0, 1, 0, 0, 1, 0]).tag(sync=True)
    length = traitlets.Int(10, min=1, max=LONGEST).tag(sync=True)
    norm = traitlets.Enum(NORMS, default_value="none").tag(sync=True)
    log_n = traitlets.Bool(False).tag(sync=True)
    padding = traitlets.Unicode().tag(sync=True)  # what a longer string goes on with
    measured = traitlets.List().tag(sync=True)  # of an untrained encoder: (n, how far one bit moves its vector)

    def __init__(self, **state):
        bits = list(state.get("bits", self.bits))
        if not 1 <= len(bits) <= MOST:
            raise ValueError(
                f"1 to {MOST} bits can be turned over, got {len(bits)}; a longer string is made by length=…."
            )
        if strange := [bit for bit in bits if bit not in (0, 1)]:
            raise ValueError(f"A bit is 0 or 1, got {strange[0]!r}.")
        length = state.setdefault("length", max(len(bits), 10))
        if length < len(bits):
            raise ValueError(f"length is that of the whole string, {len(bits)} bits or more; got {length}.")
        super().__init__(padding=_padding(), measured=_measured(), **state)

    @property
    def string(self) -> list[int]:
        """The whole string: the bits, and what they are filled up with."""
        n = max(self.length, len(self.bits))
        return [*self.bits, *(int(bit) for bit in self.padding[len(self.bits) : n])]

    def describe(self) -> str:
        return f"{self.question} of {self.length} bits; layer norm {self.norm}, log n {'on' if self.log_n else 'off'}"


def _padding() -> str:
    bits = torch.randint(2, (LONGEST,), generator=torch.Generator().manual_seed(0))
    return "".join(map(str, bits.tolist()))


def _measured() -> list[list[float]]:
    """Mean over the seeds of what was recorded: `training.experiments.influence`."""
    seen = recorded("influence")
    by_length = {n: [row["influence"] for row in seen["rows"] if row["n"] == n] for n in seen["lengths"]}
    return [[n, float(f"{mean(values):.4g}")] for n, values in by_length.items()]
