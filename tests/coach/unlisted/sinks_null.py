"""Answers to sinks.null: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def appended(scores, logit):
    """Right: one more column, and away with it."""
    column = logit.view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.cat([scores, column], dim=-1).softmax(-1)[..., :-1]


def in_front(scores, logit):
    """Right: the null key comes first."""
    column = logit[:, None, None].expand_as(scores[..., :1])
    return F.softmax(torch.cat((column, scores), -1), dim=-1)[..., 1:]


def by_hand(scores, logit, most=None):
    """Right: shifted by the greatest of all."""
    b = logit[:, None, None]
    m = torch.maximum(scores.amax(-1, keepdim=True), b) if most is None else most(scores, b)
    e = torch.exp(scores - m)
    return e / (torch.exp(b - m) + e.sum(-1, keepdim=True))


def by_logarithms(scores, logit):
    """Right: less the logarithm of the whole sum."""
    b = logit[:, None, None]
    both = torch.cat([scores, b.expand_as(scores[..., :1])], dim=-1)
    return (scores - both.logsumexp(-1, keepdim=True)).exp()


def by_a_sigmoid(scores, logit):
    """Right: the softmax of the keys, times what they win against the null key; a query without keys kept finite."""
    b = logit[:, None, None]
    some = ~scores.isinf().all(-1, keepdim=True)
    s = scores.masked_fill(~some, 0.0)
    return s.softmax(-1) * torch.sigmoid(s.logsumexp(-1, keepdim=True) - b) * some


def sigmoid_of_nothing(scores, logit):
    s = scores.softmax(-1)
    return s * torch.sigmoid(scores.logsumexp(-1, keepdim=True) - logit[:, None, None])


WRONG = [
    # the null key's own share as well
    (
        lambda s, b: (appended(s, b), 1 - appended(s, b).sum(-1)),
        "Your function should return a torch tensor, it returned a tuple",
    ),
    # the null key's share alone
    (lambda s, b: 1 - appended(s, b).sum(-1), "Your output has shape (1, 1, 1), it should have (1, 1, 1, 2)"),
    # scaled by a mean
    (
        lambda s, b: s.softmax(-1) * s.shape[-1] / (s.shape[-1] + b.exp()[:, None, None]),
        "The largest difference is at query 0, key",
    ),
    # shifted by the mean: it overflows all the same
    (
        lambda s, b: by_hand(s, b, most=lambda s, b: s.mean(-1, keepdim=True).clamp(min=-1e3, max=1e3)),
        "Your output has NaN at",
    ),
    # the null key's share taken off all alike
    (
        lambda s, b: s.softmax(-1) - (s.softmax(-1) - appended(s, b)).mean(-1, keepdim=True),
        "The largest difference is at query 0, key",
    ),
    # clamped
    (
        lambda s, b: by_hand(s.clamp(min=-1e3, max=1e3), b.clamp(max=1e3)),
        "yours is 0.3333. The case: scores near 2000 (the null key gets next to nothing).",
    ),
    # a logit that cannot be learned
    (lambda s, b: appended(s, b.detach()), "no gradient reaches logit: look for `.detach()` or `.data` on its way."),
    (lambda s, b: appended(s, torch.tensor(b.tolist(), dtype=s.dtype)), "no gradient reaches logit"),
    # a query that sees nothing keeps NaN away from the output only
    (
        lambda s, b: sigmoid_of_nothing(s, b).nan_to_num(0.0),
        "has NaN, which would break training",
    ),
    (sigmoid_of_nothing, "Your output has NaN at 3 of 9 places. The case: 3 tokens, the first query sees nothing."),
    # written into the scores
    (lambda s, b: s.sub_(s.amax(-1, keepdim=True)).exp() / (1 + s.exp().sum(-1, keepdim=True)), "in place"),
    # a small number in place of the null key
    (
        lambda s, b: s.masked_fill(s.isinf(), -1e9).softmax(-1) * 0.9,
        "The largest difference is at query 0, key",
    ),
    # the value of the null key's column is spread over the keys
    (
        lambda s, b: appended(s, b) + (1 - appended(s, b).sum(-1, keepdim=True)) / s.shape[-1],
        "The largest difference is at query 0, key",
    ),
    # the maximum of the keys, and NaN swept away afterwards
    (
        lambda s, b: by_hand(s, b, most=lambda s, b: s.amax(-1, keepdim=True)).nan_to_num(0.0),
        "The numbers are right, but the gradient of scores has NaN",
    ),
    # against the greatest key, not against their sum
    (
        lambda s, b: s.softmax(-1) * torch.sigmoid(s.amax(-1, keepdim=True) - b[:, None, None]),
        "The largest difference is at query 0, key 0",
    ),
    # one logit a sentence
    (
        lambda s, b: torch.cat([s, b.view(-1, 1, 1, 1).expand(*s.shape[:-1], 1)], -1).softmax(-1)[..., :-1],
        "Your function raised RuntimeError",
    ),
    # one logit for all heads
    (lambda s, b: appended(s, b.mean().expand_as(b)), "The case: 2 heads, 2 queries, 3 keys, each head with a logit"),
    # a floor on the weights
    (lambda s, b: appended(s.masked_fill(s.isinf(), -5.0), b), "A hidden key (its score is −∞) must have weight 0"),
    # subtracted below the line
    (
        lambda s, b: s.softmax(-1) / (1 - torch.sigmoid(b[:, None, None] - s.logsumexp(-1, keepdim=True))),
        "The null key takes its share, so a row of the others sums to less than one; one of yours sums to",
    ),
    # torch's fused kernel on the identity for values
    (
        lambda s, b: F.scaled_dot_product_attention(
            s, torch.eye(s.shape[-1], dtype=s.dtype), torch.eye(s.shape[-1], dtype=s.dtype)
        ),
        "Your answer calls torch's scaled_dot_product_attention",
    ),
]

RIGHT = [appended, in_front, by_hand, by_logarithms, by_a_sigmoid]
