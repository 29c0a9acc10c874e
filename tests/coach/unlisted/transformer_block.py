"""Answers to transformer.block: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def norm(x, unbiased=False, eps=1e-5):
    away = x - x.mean(-1, keepdim=True)
    return away / (x.var(-1, keepdim=True, unbiased=unbiased) + eps).sqrt()


def right(x, attend, w_1, w_2, norm=norm, gelu=F.gelu, weight=1.0):
    x = x + weight * attend(norm(x))
    return x + gelu(norm(x) @ w_1) @ w_2


def in_place(x, attend, w_1, w_2):
    x += attend(norm(x))
    return x + F.gelu(norm(x) @ w_1) @ w_2


def modules(x, attend, w_1, w_2):
    """Right: torch's modules, without learned parts."""
    first = torch.nn.LayerNorm(x.shape[-1], elementwise_affine=False)
    x = x + attend(first(x))
    return x + torch.nn.GELU()(first(x) @ w_1) @ w_2


WRONG = [
    (in_place, "Your function changes x in place"),
    # the network before attention
    (
        lambda x, attend, w_1, w_2: (lambda y: y + attend(norm(y)))(x + F.gelu(norm(x) @ w_1) @ w_2),
        "The largest difference is at",
    ),
    # root mean square, not mean and spread
    (lambda *a: right(*a, norm=lambda x: x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt()), "difference is at"),
    # n − 1 in the spread
    (lambda *a: right(*a, norm=lambda x: norm(x, unbiased=True)), "The largest difference is at"),
    # a large number for safety
    (lambda *a: right(*a, norm=lambda x: norm(x, eps=1e-2)), "The largest difference is at"),
    # residual added twice
    (lambda x, *rest: right(x, *rest) + x, "The largest difference is at"),
    # attention is never called
    (lambda x, attend, w_1, w_2: x + F.gelu(norm(x) @ w_1) @ w_2, "The largest difference is at"),
    # the stream is half of each
    (lambda *a: right(*a, weight=0.5), "The largest difference is at"),
    # a sigmoid
    (lambda *a: right(*a, gelu=torch.sigmoid), "The largest difference is at"),
    # normalised once more at the end
    (lambda *a: norm(right(*a)), "The largest difference is at"),
    # the attention is not trained
    (lambda x, attend, *w: right(x, lambda y: attend(y).detach(), *w), "gradient"),
]

RIGHT = [right, modules]
