"""Answers to reach.prompt: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def right(learned, x, model, visible=None, keep=None):
    p, n = len(learned), len(learned) + x.shape[1]
    longer = torch.cat([learned[None].repeat(len(x), 1, 1), x], dim=1)
    i = torch.arange(n)
    seen = i[None, :] <= i[:, None] if visible is None else visible(i[:, None], i[None, :], p)
    out = model(longer, seen)
    return out[:, -x.shape[1] :] if keep is None else keep(out, p)


def sentence_by_sentence(learned, x, model):
    """Right: a list and a stack."""
    rows = []
    for sentence in x:
        n = len(learned) + len(sentence)
        out = model(torch.vstack([learned, sentence])[None], ~torch.ones(n, n, dtype=torch.bool).triu(1))
        rows.append(out[0].split([len(learned), len(sentence)])[1])
    return torch.stack(rows)


WRONG = [
    # without the learned vectors
    (
        lambda learned, x, model: model(x, torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()),
        "The learned vectors change nothing: they were left out,",
    ),
    # the mask is the wrong way round
    (lambda *a: right(*a, visible=lambda i, j, p: j >= i), "The largest difference is at token"),
    # a window: later tokens lose the learned vectors
    (
        lambda *a: right(*a, visible=lambda i, j, p: (j <= i) & (i - j < 2)),
        "Your outputs are right up to token 0, and wrong from there on.",
    ),
    # the text sees the learned vectors, and itself, and no other token
    (
        lambda *a: right(*a, visible=lambda i, j, p: ((j < p) & (j <= i)) | (i == j)),
        "Your outputs are right up to token 0, and wrong from there on.",
    ),
    # one output dropped, whatever the number of vectors
    (lambda *a: right(*a, keep=lambda out, p: out[:, 1:]), "Your output has shape (1, 4, 3), it should have (1, 3, 3)"),
    # only the first learned vector is used
    (
        lambda learned, x, model: right(learned[:1], x, model),
        "The largest difference is at token",
    ),
    # the learned vectors in the other order
    (lambda learned, x, model: right(learned.flip(0), x, model), "The largest difference is at token"),
    # the learned vectors never learn
    (lambda learned, x, model: right(learned.detach(), x, model), "no gradient reaches learned"),
    # one prompt for the batch, not one for each sentence
    (
        lambda learned, x, model: right(learned, x[:1], model),
        "Your output has shape (1, 5, 4), it should have (2, 5, 4)",
    ),
    # the batch is not mentioned
    (
        lambda learned, x, model: model(torch.cat([learned[None], x], 1), torch.ones(3, 3, dtype=torch.bool).tril())[
            :, 1:
        ],
        "Your function raised RuntimeError",
    ),
    # a mask of numbers
    (lambda *a: right(*a, visible=lambda i, j, p: (j <= i).long()), "Your function raised"),
    # the text, unread
    (lambda learned, x, model: x, "The largest difference is at token"),
]

RIGHT = [right, sentence_by_sentence]
