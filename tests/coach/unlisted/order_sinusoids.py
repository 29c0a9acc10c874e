"""Answers to order.sinusoids: wrong ones, each with a part of what the check says, and right ones in other words."""

import math

import numpy
import torch


def angles(at, d, base=10_000.0):
    return at[:, None] * base ** (-torch.arange(0, d, 2, dtype=at.dtype) / d)


def turns(angle):
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def in_place(at, d):
    at += 0.5
    return turns(angles(at - 0.5, d))


def filled(at, d):
    """Right: every second column."""
    out = torch.zeros(len(at), d, dtype=at.dtype)
    out[:, 0::2], out[:, 1::2] = angles(at, d).sin(), angles(at, d).cos()
    return out


def complex_turns(at, d):
    """Right: sine and cosine as the parts of e^(i·angle)."""
    return torch.view_as_real(torch.polar(torch.ones_like(angles(at, d)), angles(at, d))).flip(-1).flatten(-2)


WRONG = [
    (in_place, "Your function changes at in place"),
    # another base
    (lambda at, d: turns(angles(at, d, 1000.0)), "The largest difference is at"),
    # minus sine
    (lambda at, d: turns(-angles(at, d)), "The largest difference is at"),
    # the places themselves
    (lambda at, d: 2 + at[:, None].expand(-1, d), "A sine or a cosine lies between −1 and 1"),
    # angles, not their sines
    (lambda at, d: angles(at, d).repeat_interleave(2, -1), "The largest difference is at"),
    # features by places
    (lambda at, d: turns(angles(at, d)).T, "The largest difference is at"),
    # single precision
    (lambda at, d: turns(angles(at.float(), d)), "Your output is float32, the inputs are float64"),
    # only the sines
    (lambda at, d: angles(at, d).sin(), "Your output has shape (2, 1), it should have (2, 2)"),
    # a numpy array
    (lambda at, d: turns(angles(at, d)).numpy(), "Your function should return a torch tensor, it returned"),
    # with a batch in front
    (lambda at, d: turns(angles(at, d))[None], "Your output has shape (1, 2, 2), it should have (2, 2)"),
    # degrees
    (lambda at, d: turns(torch.deg2rad(angles(at, d))), "The largest difference is at"),
]

RIGHT = [
    filled,
    complex_turns,
    lambda at, d: torch.tensor(
        [[(math.cos if f % 2 else math.sin)(p / 10_000 ** ((f - f % 2) / d)) for f in range(d)] for p in at.tolist()],
        dtype=at.dtype,
    ),
    lambda at, d: torch.from_numpy(numpy.asarray(turns(angles(at, d)))),
]
