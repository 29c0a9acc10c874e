"""Answers to rank-collapse.skip: wrong ones, each with a part of what is said, and right ones in other words."""

import torch


def right(x, maps, skip, branch):
    parts = [x]
    for a in maps:
        zero = torch.zeros_like(x)
        through = [zero, *(branch * a @ part for part in parts)]
        parts = [skip * part + new for part, new in zip([*parts, zero], through, strict=True)]
    return torch.stack(parts)


def from_above(x, maps, skip, branch):
    """Right: in place, from the longest paths to the shortest."""
    parts = [x, *(torch.zeros_like(x) for _ in maps)]
    for a in maps:
        for k in range(len(parts) - 1, 0, -1):
            parts[k] = skip * parts[k] + branch * a @ parts[k - 1]
        parts[0] = skip * parts[0]
    return torch.stack(parts)


def path_by_path(x, maps, skip, branch):
    """Right: all 2^L paths, one by one."""
    parts = [torch.zeros_like(x) for _ in range(len(maps) + 1)]
    for number in range(2 ** len(maps)):
        path, count = x, 0
        for layer, a in enumerate(maps):
            goes = number >> layer & 1
            path, count = (branch * a @ path, count + 1) if goes else (skip * path, count)
        parts[count] = parts[count] + path
    return torch.stack(parts)


def matrices(x, maps, skip, branch):
    """Right: the matrices taken apart first, the tokens last."""
    n = maps.shape[-1]
    eye = torch.eye(n, dtype=x.dtype)
    return right(eye, maps, skip, branch) @ x


WRONG = [
    # the output alone
    (
        lambda *a: right(*a).sum(0),
        "Your output has shape (2, 1), it should have (2, 2, 1): (…, attentions, token, feature)",
    ),
    # no row for the path past everything
    (lambda *a: right(*a)[1:], "Your output has shape (1, 2, 1), it should have (2, 2, 1)"),
    # the skip's strength twice
    (lambda x, maps, skip, branch: right(x, maps, skip**2, branch), "skip 0.5, branch 2"),
    # the strengths exchanged
    (lambda x, maps, skip, branch: right(x, maps, branch, skip), "skip 0.5, branch 2"),
    # every path has the same weight in the end
    (lambda x, maps, skip, branch: right(x, maps, 1.0, 1.0), "skip 0.5, branch 2"),
    # one map for all layers
    (lambda x, maps, skip, branch: right(x, maps[:1].expand_as(maps), skip, branch), "2 layers, 2 tokens, 1 feature"),
    # columns for rows
    (lambda x, maps, skip, branch: right(x, maps.mT, skip, branch), "1 layer, 2 tokens, 1 feature"),
    # the rest all in the last
    (
        lambda *a: torch.cat([(r := right(*a))[:1], torch.zeros_like(r[1:-1]), r[1:].sum(0, keepdim=True)]),
        "2 layers, 2 tokens, 1 feature",
    ),
    # a list of parts
    (lambda *a: list(right(*a)), "it returned a list"),
    # the path past everything forgotten
    (
        lambda *a: torch.cat([torch.zeros_like((r := right(*a))[:1]), r[1:]]),
        "All parts together should be the output",
    ),
]

RIGHT = [right, from_above, path_by_path, matrices]
