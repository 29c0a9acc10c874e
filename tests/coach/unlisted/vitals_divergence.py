"""Answers to vitals.divergence: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import numpy as np
import torch


def first(sick, healthy, tolerance, parts):
    for (name, a), (_, b) in zip(sick, healthy, strict=True):
        if a.shape != b.shape or parts(a, b, tolerance):
            return name
    return "nowhere"


def right(a, b, tolerance):
    same = (a == b) | (a.isnan() & b.isnan())
    gap = (a - b).masked_fill(same, 0)
    return not gap.isfinite().all() or bool(gap.norm() > tolerance * b.masked_fill(~b.isfinite(), 0).norm())


def what_counts(a, b, tolerance):
    """Right: where either is not finite they must be alike; elsewhere norms decide."""
    finite = a.isfinite() & b.isfinite()
    if not torch.equal(a.isfinite(), b.isfinite()):
        return True
    odd = zip(a[~finite].tolist(), b[~finite].tolist(), strict=True)
    if any(x != y and not (math.isnan(x) and math.isnan(y)) for x, y in odd):
        return True
    return float((a[finite] - b[finite]).norm()) > tolerance * float(b[finite].norm())


def in_numpy(sick, healthy, tolerance):
    """Right, by numpy."""
    for (name, a), (_, b) in zip(sick, healthy, strict=True):
        a, b = a.numpy(), b.numpy()
        if a.shape != b.shape:
            return name
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            gap = np.where(same, 0.0, a - b)
        if not np.isfinite(gap).all():
            return name
        if np.linalg.norm(gap) > tolerance * np.linalg.norm(np.where(np.isfinite(b), b, 0.0)):
            return name
    return "nowhere"


def number(sick, healthy, tolerance):
    return [name for name, _ in sick].index(first(sick, healthy, tolerance, right))


WRONG = [
    # its number in the list
    (number, "Your function should return a string, it returned a number"),
    # all of them
    (
        lambda s, h, t: [name for (name, a), (_, b) in zip(s, h, strict=True) if a.shape != b.shape or right(a, b, t)],
        "Your function should return a string, it returned a list",
    ),
    # name and difference
    (lambda s, h, t: (first(s, h, t, right), 0.0), "Your function should return a string, it returned a tuple"),
    # nothing where nothing parts
    (
        lambda s, h, t: None if first(s, h, t, right) == "nowhere" else first(s, h, t, right),
        "Your function returns None.",
    ),
    # the module before it
    (
        lambda s, h, t: ("nowhere", *(name for name, _ in s))[
            max(0, number(s, h, t)) if first(s, h, t, right) != "nowhere" else 0
        ],
        'it should be "w_q"',
    ),
    # allclose as it comes
    (
        lambda s, h, t: first(s, h, t, lambda a, b, t: not torch.allclose(a, b, rtol=t)),
        'Your answer is "w_q", it should be "mechanism"',
    ),
    # allclose with NaN equal
    (
        lambda s, h, t: first(s, h, t, lambda a, b, t: not torch.allclose(a, b, rtol=t, equal_nan=True)),
        'it should be "w_q"',
    ),
    # the mean of the differences, which cancel
    (
        lambda s, h, t: first(s, h, t, lambda a, b, t: bool((a - b).mean().abs() > t * b.abs().mean())),
        'it should be "w_k"',
    ),
    # the greatest difference, whatever the size
    (
        lambda s, h, t: first(s, h, t, lambda a, b, t: not bool((a - b).abs().nan_to_num(0).amax() <= t)),
        'it should be "w_v"',
    ),
    # stops at infinity
    (
        lambda s, h, t: first(
            s,
            h,
            t,
            lambda a, b, t: (
                right(a.nan_to_num(0, 0, 0), b.nan_to_num(0, 0, 0), t)
                or bool((a.isnan() != b.isnan()).any() or b.isinf().any())
            ),
        ),
        'Your answer is "w_k", it should be "w_o"',
    ),
    # a tolerance of its own
    (lambda s, h, t: first(s, h, 0.3, right), 'it should be "'),
    # always the first
    (lambda s, h, t: s[0][0], 'it should be "w_q"'),
    # shapes compared by their number of axes
    (
        lambda s, h, t: next(
            (n for (n, a), (_, b) in zip(s, h, strict=True) if a.dim() != b.dim() or right(a, b, t)), "nowhere"
        ),
        "subtract without a look at the shapes",
    ),
]

RIGHT = [lambda s, h, t: first(s, h, t, right), lambda s, h, t: first(s, h, t, what_counts), in_numpy]
