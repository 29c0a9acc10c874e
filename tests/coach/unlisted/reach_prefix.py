"""Answers to reach.prefix: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def last_places(tokens):
    """(batch, token): the last earlier place of the same token, −1 if there is none."""
    n = tokens.shape[1]
    same = (tokens[:, :, None] == tokens[:, None, :]) & torch.ones(n, n, dtype=torch.bool).tril(-1)
    return torch.where(same, torch.arange(n), -1).amax(-1)


def by_gather(weights, tokens):
    """Right: gather the wanted key of every query, and leave out what has none."""
    last = last_places(tokens)
    keys = (last + 1).clamp(max=tokens.shape[1] - 1)
    picked = weights.gather(-1, keys[:, None, :, None].expand(*weights.shape[:3], 1))[..., 0]  # (batch, head, query)
    known = (last >= 0)[:, None].to(weights.dtype)
    return (picked * known).sum((0, 2)) / known.sum()


def by_dictionary(weights, tokens):
    """Right: read the text once, and remember where each token stood last."""
    rows = []
    for b, sentence in enumerate(tokens.tolist()):
        stood = {}
        for i, token in enumerate(sentence):
            if token in stood:
                rows.append(weights[b, :, i, stood[token] + 1])
            stood[token] = i
    return sum(rows) / len(rows)


def with_itself(weights, tokens):
    """The diagonal counts as an occurrence: every token's last place is its own."""
    n = tokens.shape[1]
    same = (tokens[:, :, None] == tokens[:, None, :]) & torch.ones(n, n, dtype=torch.bool).tril()
    keys = torch.where(same, torch.arange(n), -1).amax(-1) + 1
    return weights.gather(-1, keys.clamp(max=n - 1)[:, None, :, None].expand(*weights.shape[:3], 1)).mean((0, 2, 3))


WRONG = [
    (with_itself, "The largest difference is at head 0"),
    # how often it comes first, not how much it gets
    (
        lambda w, t: by_gather((w == w.amax(-1, keepdim=True)).to(w.dtype), t),
        "The largest difference is at head 0",
    ),
    # one number for all heads
    (lambda w, t: by_gather(w, t).mean(), "Your output has shape (), it should have (1,): (…, head)"),
    # the best head
    (lambda w, t: by_gather(w, t).max(), "Your output has shape (), it should have (1,): (…, head)"),
    # only the first sentence
    (lambda w, t: by_gather(w[:1], t[:1]), "The largest difference is at head"),
    # the last occurrence, two places on
    (lambda w, t: by_gather(w.roll(-1, dims=-1), t), "The largest difference is at head 0"),
    # a fixed distance: half of the length
    (lambda w, t: w.diagonal(-(t.shape[1] // 2) + 1, -2, -1).mean((0, 2)), "The largest difference is at head 0"),
    # a list
    (lambda w, t: by_gather(w, t).tolist(), "Your function should return a torch tensor, it returned a list"),
    # without gradient
    (lambda w, t: by_gather(w.detach(), t), "The numbers are right, but no gradient flows back"),
    # single precision
    (lambda w, t: by_gather(w, t).float(), "Your output is float32, the inputs are float64"),
    # per sentence: NaN where nothing comes twice
    (
        lambda w, t: torch.stack([by_gather(w[b : b + 1], t[b : b + 1]) for b in range(len(t))]).mean(0),
        "Your output has NaN at 2 of 2 places",
    ),
]

RIGHT = [by_gather, by_dictionary]
