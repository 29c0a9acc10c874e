"""Answers to entropy-collapse.first: wrong ones, each with a part of what is said, and right ones in other words."""

import math

import numpy as np
import torch


def crossing(curve, bar, side):
    beyond = (curve > bar) if side == "above" else (curve < bar)
    return beyond.nonzero()[0].item() if beyond.any() else math.inf


def said(steps):
    earliest = min(steps.values())
    if earliest == math.inf:
        return "nobody"
    second = min((at for at in steps.values() if at > earliest), default=math.inf)
    names = " and ".join(name for name in steps if steps[name] == earliest)
    return f"{names} alone" if second == math.inf else f"{names} by {second - earliest}"


def with_infinity(signals):
    """Right: never is infinity."""
    return said({name: crossing(*signal) for name, signal in signals.items()})


def with_a_sign(signals):
    """Right: a curve with its side turned up, in numpy."""
    steps = {}
    for name, (curve, bar, side) in signals.items():
        sign = 1 if side == "above" else -1
        found = np.flatnonzero(sign * curve.numpy() > sign * bar)
        steps[name] = int(found[0]) if found.size else math.inf
    return said(steps)


def step_by_step(signals):
    """Right: all curves at once, one step after the other."""
    first, at = [], None
    crossed = set()
    for step in range(len(next(iter(signals.values()))[0])):
        new = []
        for name, (curve, bar, side) in signals.items():
            value = curve[step].item()
            if name not in crossed and (value > bar if side == "above" else value < bar):
                new.append(name)
        crossed |= set(new)
        if new and not first:
            first, at = new, step
        elif new:
            return f"{' and '.join(first)} by {step - at}"
    return f"{' and '.join(first)} alone" if first else "nobody"


WRONG = [
    # its name alone
    (lambda s: with_infinity(s).split(" by ")[0].removesuffix(" alone"), 'it should be "loss by 2"'),
    # name and number
    (
        lambda s: (with_infinity(s).split()[0], 2),
        "Your function should return a string, it returned a tuple",
    ),
    # the number alone
    (lambda s: 2, "Your function should return a string, it returned a number"),
    # nothing for nobody
    (
        lambda s: None if with_infinity(s) == "nobody" else with_infinity(s),
        "Your function returns None.",
    ),
    # raises where none crosses
    (
        lambda s: said({name: at for name, at in ((n, crossing(*x)) for n, x in s.items()) if at < math.inf}),
        "Your function raised ValueError",
    ),
    # infinity steps ahead
    (lambda s: with_infinity(s).replace("alone", "by inf"), 'Your answer is "gradient by inf"'),
    # ties in alphabetical order
    (
        lambda s: said(dict(sorted((name, crossing(*signal)) for name, signal in s.items()))),
        'Your answer is "entropy and loss by 2", it should be "loss and entropy by 2"',
    ),
    # a comma between
    (lambda s: with_infinity(s).replace(" and ", ", "), 'Your answer is "loss, entropy by 2"'),
    # counted from one
    (
        lambda s: with_infinity(s).replace("by 2", "by 3").replace("by 1", "by 2"),
        'Your answer is "loss by 3", it should be "loss by 2"',
    ),
    # the last to cross
    (
        lambda s: said({n: -at if (at := crossing(*x)) < math.inf else math.inf for n, x in s.items()}),
        'Your answer is "gradient by 2", it should be "loss by 2"',
    ),
    # NaN made zero: a listed mistake, in other words
    (
        lambda s: with_infinity({n: (c.nan_to_num(0.0, math.inf), bar, side) for n, (c, bar, side) in s.items()}),
        "What was not measured lies beyond nothing.",
    ),
    # infinity cut down with the NaN
    (
        lambda s: with_infinity({n: (c.nan_to_num(bar, bar, bar), bar, side) for n, (c, bar, side) in s.items()}),
        'it should be "loss by 1"',
    ),
    # always the same
    (lambda s: "loss by 2", 'it should be "entropy by 1"'),
    # curves smoothed
    (
        lambda s: with_infinity(
            {
                n: (torch.stack([c[max(0, i - 1) : i + 1].mean() for i in range(len(c))]), b, side)
                for n, (c, b, side) in s.items()
            }
        ),
        "it should be",
    ),
]

RIGHT = [with_infinity, with_a_sign, step_by_step]
