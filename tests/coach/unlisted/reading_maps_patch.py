"""Answers to reading-maps.patch: wrong ones, each with a part of what is said, and right ones in other words."""

import torch
import torch.nn.functional as F


def right(clean, corrupted, head, readout):
    good, bad = (F.scaled_dot_product_attention(*qkv) for qkv in (clean, corrupted))
    patched = bad.clone()
    patched[:, head] = good[:, head]
    good, bad, patched = readout(good), readout(bad), readout(patched)
    return (patched - bad) / (good - bad)


def the_input_exchanged(clean, corrupted, head, readout):
    """Right: a head depends on its own q, k and v alone, so these may be exchanged, in a copy."""
    mixed = corrupted.clone()
    mixed[:, :, head] = clean[:, :, head]
    good, bad, patched = (readout(F.scaled_dot_product_attention(*qkv)).item() for qkv in (clean, corrupted, mixed))
    return 1 - (good - patched) / (good - bad)


def by_the_difference(clean, corrupted, head, readout):
    """Right: the difference of the runs, let through in one head only."""
    outputs = [(q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v for q, k, v in (clean, corrupted)]
    only = torch.eye(clean.shape[2], dtype=clean.dtype)[head][:, None, None]
    good, bad = map(readout, outputs)
    return ((readout(outputs[1] + only * (outputs[0] - outputs[1])) - bad) / (good - bad)).item()


def in_place(clean, corrupted, head, readout):
    good, bad = (readout(F.scaled_dot_product_attention(*qkv)) for qkv in (clean, corrupted))
    corrupted[:, :, head] = clean[:, :, head]
    return (readout(F.scaled_dot_product_attention(*corrupted)) - bad) / (good - bad)


def overwritten(clean, corrupted, head, readout):
    """The patch is written into the corrupted output before that is read."""
    good, bad = (F.scaled_dot_product_attention(*qkv) for qkv in (clean, corrupted))
    patched = bad
    patched[:, head] = good[:, head]
    return (readout(patched) - readout(bad)) / (readout(good) - readout(bad))


def queries_only(clean, corrupted, head, readout):
    mixed = corrupted.clone()
    mixed[0, :, head] = clean[0, :, head]
    good, bad, patched = (readout(F.scaled_dot_product_attention(*qkv)) for qkv in (clean, corrupted, mixed))
    return (patched - bad) / (good - bad)


def of_outputs(clean, corrupted, head, readout):
    """Distances of the outputs, not of the answers: the readout is never asked."""
    good, bad = (F.scaled_dot_product_attention(*qkv) for qkv in (clean, corrupted))
    return (good - bad)[:, head].norm() / (good - bad).norm()


def head_removed(clean, corrupted, head, readout):
    good, bad = (F.scaled_dot_product_attention(*qkv) for qkv in (clean, corrupted))
    patched = bad.clone()
    patched[:, head] = 0
    return (readout(patched) - readout(bad)) / (readout(good) - readout(bad))


def from_the_end(clean, corrupted, head, readout):
    return right(clean, corrupted, clean.shape[2] - 1 - head, readout)


WRONG = [
    (in_place, "Your function changes corrupted in place"),
    (overwritten, "Your answer is 0, it should be 0.443705"),
    (queries_only, "it should be 0.443705"),
    (of_outputs, "it should be 0.443705"),
    (head_removed, "it should be 0.443705"),
    (from_the_end, "The case: head 0 of 2, 1 sentence of 2 tokens."),
    # in per cent
    (lambda *a: 100 * right(*a), "it should be 0.443705"),
    # always the first head
    (
        lambda clean, corrupted, head, readout: right(clean, corrupted, 0, readout),
        "it should be 1. The case: only head 1 of 2 was corrupted",
    ),
    # clean and corrupted exchanged
    (
        lambda clean, corrupted, head, readout: right(corrupted, clean, head, readout),
        "corrupted head into the clean run",
    ),
    # the patched output itself
    (
        lambda clean, corrupted, head, readout: F.scaled_dot_product_attention(*clean)[:, head],
        "Your function should return a number, it returned a tensor of shape (1, 2, 2)",
    ),
    # one share for each sentence, read apart
    (
        lambda clean, corrupted, head, readout: torch.stack(
            [right(clean[:, b : b + 1], corrupted[:, b : b + 1], head, readout) for b in range(clean.shape[1])]
        ).mean(),
        "2 sentences of 3 tokens",
    ),
    # every head, in a list
    (lambda clean, corrupted, head, readout: [0.5, 0.5], "Your function should return a number, it returned a list"),
]

RIGHT = [right, the_input_exchanged, by_the_difference]
