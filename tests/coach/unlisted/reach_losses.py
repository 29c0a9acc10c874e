"""Answers to reach.losses: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def right(encoder, decoder, text, masked):
    """Right: by log-probabilities and gather."""
    hidden = encoder.log_softmax(-1).gather(-1, text[..., None])[..., 0]
    following = decoder.log_softmax(-1)[:, :-1].gather(-1, text[:, 1:, None])[..., 0]
    return -torch.stack([hidden[masked].mean(), following.mean()])


def by_labels(encoder, decoder, text, masked):
    """Right: as libraries do it, with −100 for what does not count."""
    labels = text.masked_fill(~masked, -100)
    ends = torch.full_like(text[:, :1], -100)
    following = torch.cat([text[:, 1:], ends], dim=1)
    return torch.stack([F.cross_entropy(s.transpose(1, 2), y) for s, y in ((encoder, labels), (decoder, following))])


def one_hot(encoder, decoder, text, masked):
    """Right: with one-hot targets."""
    wanted = F.one_hot(text, encoder.shape[-1]).to(encoder.dtype)
    hidden = -(encoder.log_softmax(-1) * wanted).sum(-1)
    following = -(decoder[:, :-1].log_softmax(-1) * wanted[:, 1:]).sum(-1)
    return torch.stack([(hidden * masked).sum() / masked.sum(), following.mean()])


WRONG = [
    # in bits
    (lambda *a: right(*a) / torch.log(torch.tensor(2.0, dtype=torch.float64)), "The largest difference is at loss"),
    # the two added up
    (lambda *a: right(*a).sum(), "Your output has shape (), it should have (2,): (…, loss)"),
    # two numbers in a tuple
    (lambda *a: tuple(right(*a)), "Your function should return a torch tensor, it returned a tuple"),
    # the sign forgotten
    (lambda *a: -right(*a), "The largest difference is at loss"),
    # two steps ahead
    (
        lambda e, d, t, m: torch.stack(
            [right(e, d, t, m)[0], F.cross_entropy(d[:, :-2].flatten(0, 1), t[:, 2:].flatten())]
        ),
        "The encoder's loss is right, the decoder's is not.",
    ),
    # a softmax too many
    (lambda e, d, t, m: right(e.softmax(-1), d.softmax(-1), t, m), "The largest difference is at loss"),
    # probabilities without a logarithm
    (lambda *a: 1 - (-right(*a)).exp(), "The largest difference is at loss"),
    # both wrong ways at once: every position, and not shifted
    (
        lambda e, d, t, m: torch.stack([F.cross_entropy(s.flatten(0, 1), t.flatten()) for s in (e, d)]),
        "The largest difference is at loss",
    ),
    # the first sentence only
    (lambda e, d, t, m: right(e[:1], d[:1], t[:1], m[:1]), "The largest difference is at loss"),
    # the encoder learns nothing
    (lambda e, d, t, m: right(e.detach(), d, t, m), "no gradient reaches encoder"),
    # masked tokens are hidden in the decoder's targets as well
    (
        lambda e, d, t, m: torch.stack([right(e, d, t, m)[0], right(e, d, t.masked_fill(m, 0), m)[1]]),
        "The encoder's loss is right, the decoder's is not.",
    ),
    # the mask moved by one
    (
        lambda e, d, t, m: torch.stack([right(e, d, t, m.roll(1, dims=1))[0], right(e, d, t, m)[1]]),
        "The decoder's loss is right, the encoder's is not.",
    ),
]

RIGHT = [right, by_labels, one_hot]
