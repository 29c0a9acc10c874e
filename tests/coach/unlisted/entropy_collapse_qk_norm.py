"""Answers to entropy-collapse.qk_norm: wrong ones, each with a part of what is said, and right ones in other words."""

import torch
import torch.nn.functional as F

from attn_course.attention.options import QKNorm


def with_tiny(q, k, gain):
    """Right: a number below anything that these vectors hold."""
    q, k = (x / x.norm(dim=-1, keepdim=True).clamp(min=1e-300) for x in (q, k))
    return torch.einsum("bhid,bhjd,h->bhij", q, k, gain).softmax(-1)


def lengths_after(q, k, gain):
    """Right: dot products first, divided by both lengths afterwards."""
    lengths = q.norm(dim=-1)[..., None] * k.norm(dim=-1)[..., None, :]
    cosines = torch.where(lengths > 0, q @ k.transpose(-2, -1) / lengths, 0.0)
    scores = gain.view(1, -1, 1, 1) * cosines
    return (scores - scores.logsumexp(-1, keepdim=True)).exp()


def by_torch(q, k, gain):
    """Right: torch's normalize, told that nothing here is too short."""
    q, k = F.normalize(q, dim=-1, eps=1e-300), F.normalize(k, dim=-1, eps=1e-300)
    return torch.softmax(q * gain[:, None, None] @ k.mT, dim=-1)


def in_place(q, k, gain):
    q.div_(q.norm(dim=-1, keepdim=True).clamp(min=1e-300))
    return with_tiny(q, k, gain)


WRONG = [
    # scores, not weights
    (
        lambda q, k, gain: gain[:, None, None] * F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT,
        "Rows of weights sum to one, and yours do not",
    ),
    # the largest of all vectors is the measure
    (
        lambda q, k, gain: (
            gain[:, None, None] * (q / q.norm(dim=-1).max()) @ (k / k.norm(dim=-1).max()).transpose(-2, -1)
        ).softmax(-1),
        "The largest difference is at query",
    ),
    # divided by the largest entry
    (
        lambda q, k, gain: (
            gain[:, None, None]
            * (q / q.abs().amax(-1, keepdim=True).clamp(min=1e-300))
            @ (k / k.abs().amax(-1, keepdim=True).clamp(min=1e-300)).mT
        ).softmax(-1),
        "The case: 1 head, 2 tokens",
    ),
    # no angle at all
    (lambda q, k, gain: (gain[:, None, None] * q @ k.mT).softmax(-1), "1 head, 2 tokens"),
    # torch's default for a vector that is too short
    (
        lambda q, k, gain: (
            gain[:, None, None] * F.normalize(q, dim=-1, eps=1e-4) @ F.normalize(k, dim=-1, eps=1e-4).mT
        ).softmax(-1),
        "very short vectors",
    ),
    # the exponential without a shift
    (
        lambda q, k, gain: (e := (2 * lengths_scores(q, k, gain)).exp() ** 2) / e.sum(-1, keepdim=True),
        "The case: 1 head, 2 tokens",
    ),
    # bounded by a tanh instead
    (
        lambda q, k, gain: (gain[:, None, None] * (q @ k.mT / gain[:, None, None]).tanh()).softmax(-1),
        "The case: 1 head, 2 tokens",
    ),
    (in_place, "Your function changes q in place"),
    (lambda q, k, gain: with_tiny(q.float(), k.float(), gain.float()), "keep their type, nothing need convert it"),
    # torch's cosine
    (
        lambda q, k, gain: (
            gain[:, None, None] * F.cosine_similarity(q[..., :, None, :], k[..., None, :, :], dim=-1)
        ).softmax(-1),
        "Your answer calls torch's cosine_similarity",
    ),
    # the package's own
    (
        lambda q, k, gain: QKNorm(len(gain), gain=1.0).normalised(q, k)[0] @ k.mT,
        "Your answer calls the course's own",
    ),
]


def lengths_scores(q, k, gain):
    return gain[:, None, None] * F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT


RIGHT = [with_tiny, lengths_after, by_torch]
