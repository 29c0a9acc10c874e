"""Answers to sinks.underload: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def over(part, total):
    return torch.where(total > 0, part / total.masked_fill(total == 0, 1), 0.0)


def right(weights, values, relevant):
    idle = ~relevant[:, None, None, :]
    written = weights * torch.linalg.vector_norm(values, dim=-1).unsqueeze(-2)
    return torch.stack([(weights * idle).sum(-1), over((written * idle).sum(-1), written.sum(-1))], dim=-1)


def by_products(weights, values, relevant):
    """Right: both as matrix products with a column for the irrelevant."""
    idle = (~relevant).to(weights.dtype)[:, None, :, None]  # (batch, 1, key, 1)
    lengths = values.norm(dim=-1, keepdim=True)  # (batch, head, key, 1)
    mass = weights @ idle.expand(-1, weights.shape[1], -1, -1)
    return torch.cat([mass, over(weights @ (lengths * idle), weights @ lengths)], dim=-1)


def by_sentence(weights, values, relevant):
    """Right: sentence by sentence, with the irrelevant columns cut out."""
    found = []
    for w, v, keep in zip(weights, values, relevant, strict=True):
        written = w * v.square().sum(-1).sqrt()[:, None, :]
        found.append(torch.stack([w[..., ~keep].sum(-1), over(written[..., ~keep].sum(-1), written.sum(-1))], -1))
    return torch.stack(found)


def by_filling(weights, values, relevant):
    """Right: less what matters."""
    matters = relevant[:, None, None, :].expand_as(weights)
    written = torch.einsum("bhij,bhj->bhij", weights, values.norm(dim=-1))
    return torch.stack(
        [
            weights.masked_fill(matters, 0).sum(-1),
            (written.masked_fill(matters, 0).sum(-1) / written.sum(-1)).nan_to_num(0.0),
        ],
        dim=-1,
    )


def second(change):
    """The first number right, the second `change(written, idle, weights, values)`."""

    def answer(weights, values, relevant):
        idle = ~relevant[:, None, None, :]
        written = weights * values.norm(dim=-1)[:, :, None, :]
        return torch.stack([(weights * idle).sum(-1), change(written, idle, weights, values)], dim=-1)

    return answer


def in_place(weights, values, relevant):
    weights.masked_fill_(relevant[:, None, None, :], 0.0)
    return right(weights, values, relevant)


WRONG = [
    # the two apart
    (lambda w, v, r: right(w, v, r).unbind(-1), "Your function should return a torch tensor, it returned a tuple"),
    # stacked in front
    (
        lambda w, v, r: right(w, v, r).movedim(-1, 0),
        "Your output has shape (2, 1, 1, 1), it should have (1, 1, 1, 2): (…, query, index)",
    ),
    # one number
    (lambda w, v, r: right(w, v, r)[..., 1], "Your output has shape (1, 1, 1), it should have (1, 1, 1, 2)"),
    # averaged over the queries
    (lambda w, v, r: right(w, v, r).mean(-2), "Your output has shape (1, 1, 2), it should have (1, 1, 1, 2)"),
    # rest or noise: True and False
    (lambda w, v, r: right(w, v, r) > 0.5, "Your output should hold floating-point numbers, it holds bool"),
    # in per cent
    (lambda w, v, r: 100 * right(w, v, r), "Both numbers are shares, from 0 to 1; one of yours is 75."),
    # a small number against 0 / 0
    (
        second(lambda c, idle, w, v: (c * idle).sum(-1) / (c.sum(-1) + 1e-6)),
        "Nearly: your output is off by up to",
    ),
    # the greatest irrelevant key
    (
        lambda w, v, r: torch.stack([(w * ~r[:, None, None]).amax(-1), right(w, v, r)[..., 1]], -1),
        "The case: 1 query, 3 keys, two of them irrelevant.",
    ),
    # a threshold: keys with a short value write nothing
    (
        second(lambda c, idle, w, v: over((c * idle * (c > 0.1)).sum(-1), c.sum(-1))),
        "The largest difference is at query 0, index 1: it should be 0.1304, yours is 0.",
    ),
    # the output with and without the irrelevant keys
    (
        second(lambda c, idle, w, v: over((w @ v - (w * ~idle) @ v).norm(dim=-1), ((w * ~idle) @ v).norm(dim=-1))),
        "The largest difference is at query 0, index 1: it should be 0.1304, yours is 0.15.",
    ),
    # the mean of the lengths, then the mass
    (
        second(lambda c, idle, w, v: (w * idle).sum(-1) * v.norm(dim=-1).mean(-1, keepdim=True)),
        "The largest difference is at query 0, index 1",
    ),
    # the first feature for the length
    (
        lambda w, v, r: right(w, v[..., :1], r),
        "The largest difference is at query 0, index 1",
    ),
    # lengths over the tokens, not over the features
    (
        lambda w, v, r: torch.stack(
            [right(w, v, r)[..., 0], (w * v.norm(dim=-2)[..., None, : w.shape[-1]] * ~r[:, None, None]).sum(-1)], -1
        ),
        "Both numbers are shares, from 0 to 1; one of yours is",
    ),
    # the batch's relevance for the first sentence only
    (
        lambda w, v, r: right(w, v, r[:1].expand_as(r)),
        "The case: 2 sentences, 3 heads, 4 queries, 4 keys.",
    ),
    # True and False subtracted
    (lambda w, v, r: right(w, v, 1 - r), "Subtraction, the `-` operator, with a bool tensor is not supported"),
    # the relevant keys' share of what is written
    (
        second(lambda c, idle, w, v: over((c * ~idle).sum(-1), c.sum(-1))),
        "The largest difference is at query 0, index 1: it should be 0.1304, yours is 0.8696.",
    ),
    # what all queries write below the line
    (
        second(lambda c, idle, w, v: over((c * idle).sum(-1), c.sum((-2, -1))[..., None])),
        "The case: 3 queries, 3 keys.",
    ),
    # the root of a sum of squares
    (
        second(lambda c, idle, w, v: over((c * idle).norm(dim=-1), c.norm(dim=-1))),
        "The largest difference is at query 0, index 1: it should be 0.1304, yours is 0.1483.",
    ),
    # a line that cannot be short
    (
        second(lambda c, idle, w, v: (c * idle).sum(-1) / c.sum(-1).clamp(min=1)),
        "The largest difference is at query 0, index 1: it should be 0.1304, yours is 0.075.",
    ),
    # a mean over all keys
    (lambda w, v, r: right(w, v, r) / w.shape[-1], "The largest difference is at query 0, index 0: it should be 0.75"),
    # the difference of the two
    (
        lambda w, v, r: torch.stack([(x := right(w, v, r))[..., 0], x[..., 0] - x[..., 1]], -1),
        "The largest difference is at query 0, index 1",
    ),
    # over the length of the output
    (
        second(lambda c, idle, w, v: over((c * idle).sum(-1), (w @ v).norm(dim=-1))),
        "The largest difference is at query 0, index 1",
    ),
    # the sentences' axis met the heads
    (
        lambda w, v, r: torch.stack(
            [
                (w * ~r[:, None, :]).sum(-1),
                over(
                    (w * v.norm(dim=-1)[..., None, :] * ~r[:, None, :]).sum(-1),
                    (w * v.norm(dim=-1)[..., None, :]).sum(-1),
                ),
            ],
            -1,
        ),
        "`relevant` (batch, key) met the last two axes of the weights",
    ),
    (in_place, "Your function changes weights in place"),
]

RIGHT = [right, by_products, by_sentence, by_filling]
