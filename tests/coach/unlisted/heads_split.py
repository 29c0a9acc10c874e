"""Answers to heads.split: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def loops(x, heads):
    """Right, by slices."""
    d = x.shape[-1] // heads
    return torch.stack([x[..., h * d : (h + 1) * d] for h in range(heads)], dim=1)


def in_place(x, heads):
    x.mul_(1.0 + 1e-3)
    return loops(x, heads)


WRONG = [
    # the heads in the other order
    (lambda x, heads: loops(x, heads).flip(1), "The largest difference is at"),
    # the tokens in the other order
    (lambda x, heads: loops(x, heads).flip(2), "Head 0 holds numbers at token 0 that are not token 0's."),
    # each head's features in the other order
    (lambda x, heads: loops(x, heads).flip(-1), "The largest difference is at"),
    # heads become sentences
    (lambda x, heads: loops(x, heads).flatten(0, 1), "Your output has shape (2, 2, 2), it should have"),
    # two heads, typed in
    (lambda x, heads: loops(x, 2), "Your output has shape (1, 2, 3, 2), it should have (1, 4, 3, 1)"),
    # a list of heads
    (
        lambda x, heads: list(x.chunk(heads, dim=-1)),
        "Your function should return a torch tensor, it returned a list",
    ),
    (in_place, "Your function changes x in place"),
    # right, without gradient
    (lambda x, heads: loops(x.detach(), heads), "The numbers are right, but no gradient flows back"),
    # a learned projection that nobody asked for
    (lambda x, heads: loops(x.softmax(-1), heads), "Head 0 holds numbers at token 0 that are not token 0's."),
    # single precision
    (lambda x, heads: loops(x.float(), heads), "Your output is float32, the inputs are float64"),
]

RIGHT = [
    loops,
    lambda x, heads: x.view(*x.shape[:2], heads, -1).permute(0, 2, 1, 3),
    lambda x, heads: torch.stack(x.chunk(heads, dim=-1), dim=1),
    lambda x, heads: x.view(*x.shape[:2], heads, -1).transpose(1, 2).contiguous(),
]
