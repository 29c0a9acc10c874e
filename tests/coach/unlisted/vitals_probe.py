"""Answers to vitals.probe: wrong ones, each with a part of what the check says, and right ones in other words."""

import torch
import torch.nn.functional as F


def energy(attend, q, k, scale=None):
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    return scale * (q * attend(q, k, k, scale)).sum(-1, keepdim=True)


def share(attend, q, k, score, before=False, scale=None):
    """What one more key gets that scores `score` for each query."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    asks = torch.cat([q, score / scale], dim=-1)
    side = (0, 1, 1, 0) if before else (0, 1, 0, 1)
    keys = F.pad(k, side)
    at = 0 if before else -1
    keys[..., at, -1] = 1
    values = F.pad(torch.zeros_like(k[..., :1]), (0, 0, *side[2:]))
    values[..., at, 0] = 1
    return attend(asks, keys, values, scale)[..., 0]


def entropy(p):
    return (1 - p).log() - p.log()


def right(attend, q, k):
    return entropy(share(attend, q, k, energy(attend, q, k)))


def real_mass(attend, q, k):
    """Right: the mass of the real keys is asked for, and the probe's is what is left."""
    scale = q.shape[-1] ** -0.5
    feature = (q * attend(q, k, k, scale)).sum(-1, keepdim=True)  # E / scale, without ever dividing
    keys = torch.cat([F.pad(k, (0, 1)), F.pad(torch.zeros_like(k[..., :1, :]), (0, 1), value=1.0)], dim=-2)
    values = F.pad(torch.ones_like(k[..., :1]), (0, 0, 0, 1))
    mass = attend(torch.cat([q, feature], dim=-1), keys, values, scale)[..., 0]
    return torch.logit(mass)


def by_log_sum_exp(attend, q, k):
    """Right: a probe that scores 0 gives the log-sum-exp, and H is that less the energy."""
    p = share(attend, q, k, torch.zeros_like(q[..., :1]))
    return entropy(p) - energy(attend, q, k)[..., 0]


def two_columns(attend, q, k):
    """The kernel is asked, but the entropy comes from a map made beside it."""
    attend(q, k, k, 1.0)
    p = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
    return -torch.special.xlogy(p, p).sum(-1)


def swallows(attend, q, k):
    """Tries the map first, and catches whatever is raised."""
    try:
        return two_columns(attend, q, k)
    except Exception:
        return right(attend, q, k)


WRONG = [
    (two_columns, "you had the whole map"),
    (swallows, "you had the whole map"),
    # the probe scores twice the energy
    (
        lambda attend, q, k: entropy(share(attend, q, k, 2 * energy(attend, q, k))),
        "Over 2 keys the entropy lies between 0 and log n",
    ),
    # energy without the scale, then divided by it
    (
        lambda attend, q, k: entropy(share(attend, q, k, (q * attend(q, k, k, q.shape[-1] ** -0.5)).sum(-1, True))),
        "Over 2 keys the entropy lies between 0 and log n",
    ),
    # energy at another temperature
    (
        lambda attend, q, k: entropy(share(attend, q, k, energy(attend, q, k, 1.0))),
        "Over 2 keys the entropy lies between 0 and log n",
    ),
    # −p log p of the probe alone
    (
        lambda attend, q, k: torch.special.entr(share(attend, q, k, energy(attend, q, k))),
        "The largest difference is at",
    ),
    # minus the energy
    (
        lambda attend, q, k: entropy(share(attend, q, k, -energy(attend, q, k))),
        "Over 2 keys the entropy lies between 0 and log n",
    ),
    # the probe beside itself: asked with keys in the place of queries
    (lambda attend, q, k: right(attend, k, q), "it should have (1,)"),
    # keeps the axis
    (
        lambda attend, q, k: right(attend, q, k)[..., None],
        "Your output has shape (1, 1), it should have (1,)",
    ),
    # attend's output itself
    (lambda attend, q, k: attend(q, k, k, q.shape[-1] ** -0.5), "it should have (1,)"),
    # attend with three arguments
    (lambda attend, q, k: attend(q, k, k)[..., 0], "TypeError"),
    # the entropy of the mean row
    (
        lambda attend, q, k: right(attend, q.mean(-2, keepdim=True).expand_as(q), k),
        "The largest difference is at",
    ),
]

RIGHT = [
    right,
    real_mass,
    by_log_sum_exp,
    lambda attend, q, k: entropy(share(attend, q, k, energy(attend, q, k), before=True)),
    lambda attend, q, k: (1 / share(attend, q, k, energy(attend, q, k)) - 1).log(),
]
