"""Answers to transformer.shift: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch


def right(words, bos, eos, pad=0):
    rows = []
    for row in words.tolist():
        kept = [word for word in row if word != 0]
        fill = [pad] * (len(row) - len(kept))
        rows.append([[bos, *kept, *fill], [*kept, eos, *fill]])
    return torch.tensor(rows)


def in_place(words, bos, eos):
    out = right(words, bos, eos)
    words[:, 0] = bos
    return out


def scattered(words, bos, eos):
    """Right: two blank pages, filled in."""
    out = words.new_zeros(len(words), 2, words.shape[1] + 1)
    out[:, 0, 0], out[:, 0, 1:], out[:, 1, :-1] = bos, words, words
    last = (words != 0).sum(1)
    out[torch.arange(len(words)), 1, last] = eos
    return out


WRONG = [
    (in_place, "Your function changes words in place"),
    # a pair of tensors
    (
        lambda w, b, e: tuple(right(w, b, e).unbind(1)),
        "Your function should return a torch tensor, it returned a tuple",
    ),
    # read and wanted along another axis
    (lambda w, b, e: right(w, b, e).transpose(1, 2), "Your output has shape (1, 3, 2), it should have (1, 2, 3)"),
    # no place for EOS
    (lambda w, b, e: right(w, b, e)[..., :-1], "Your output has shape (1, 2, 2), it should have (1, 2, 3)"),
    # BOS and EOS as they are in the lesson, whatever is passed
    (lambda w, b, e: right(w, 1, 2), "The largest difference is at read or wanted 1, step 3"),
    # filled up with EOS
    (lambda w, b, e: right(w, b, e, pad=e), "The largest difference is at"),
    # filled up in front
    (
        lambda w, b, e: torch.stack([r.roll(int((r[1] == 0).sum()), -1) for r in right(w, b, e)]),
        "What is read at one step should be what was wanted at the step before.",
    ),
    # shifted by two
    (lambda w, b, e: right(w, b, e).roll(1, -1), "What is read at one step should"),
    # floating point
    (lambda w, b, e: right(w, b, e).float(), "whole numbers"),
    # only the first sentence
    (lambda w, b, e: right(w[:1], b, e), "Your output has shape (1, 2, 3), it should have (2, 2, 3)"),
]

RIGHT = [right, scattered]
