"""Vitals by asking the stock kernel: it computes PV without ever holding P, so P has to be found out by questions.

A question is a choice of keys and values for `scaled_dot_product_attention`. Three kinds are enough:

    columns     P X: whatever is linear in the weights is a column of values
    a probe     one more key that scores c_i for query i; what the others get beside it is Σ_j e^{s_ij − c_i} X_j
    roles       keys ask and queries answer: sums over a column of P become sums over a row

No mask but causal, as many heads of keys as of queries; memory O(N). Errors against the map in float64, relative to
max(1, value): 1e-5 in float32, 1e-4 where rows are peaked. **Not in half precision**: a probe's score is rounded before
it competes, and so are positions. In bfloat16 at 1024 tokens that costs up to .02 nats on flat rows, .1 to .2 on peaked
ones, and four tokens of distance. `asked_vitals` widens what it is given; the single questions do not.
Strips (`streaming_vitals`) measure more, under any mask, and on a CPU faster. Definitions: `vitals`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from attn_course.attention.shapes import shaped
from attn_course.diagnosis.sets import indicators

Queries = Float[Tensor, "batch head query d_k"]
Keys = Float[Tensor, "batch head key d_k"]
PerQuery = Float[Tensor, "batch head query"]
LARGE = 1e6  # a scale at which softmax is the maximum


@dataclass(frozen=True)
class AskedVitals:
    """Fields as in `StreamingVitals`."""

    output: Float[Tensor, "batch head query d_v"]
    entropy: PerQuery
    energy: PerQuery
    mean_distance: PerQuery
    participation: PerQuery
    set_mass: dict[str, PerQuery]
    received: Float[Tensor, "batch head key"]
    max_logit: Float[Tensor, "batch head"]


@shaped
@torch.no_grad()
def asked_vitals(
    q: Queries,
    k: Keys,
    v: Float[Tensor, "batch head key d_v"],
    causal: bool = False,
    scale: float | None = None,
    token_sets: dict | None = None,
) -> AskedVitals:
    """All of them, in eight calls of the kernel, nine if it looks both ways.

    scale        1/√d_k unless given
    token_sets   name → numbers of keys, or True/False of shape (key,) or (batch, key)

    Half precision is widened to float32. ValueError with one sentence for shapes that do not fit, and for causal
    attention with fewer queries than keys.
    """
    wide = torch.promote_types(q.dtype, torch.float32)
    like, (q, k, v) = q.dtype, (x.to(wide) for x in (q, k, v))
    sets = token_sets or {}
    marks = indicators(sets, k.shape[0], k.shape[2], k.device).to(k.dtype)  # (batch, key, set)
    paid = energy(q, k, causal, scale)
    spread = _entropy(q, k, paid, causal, scale)
    log_partition = paid + spread
    masses = columns(q, k, marks[:, None], causal, scale) if sets else None
    return AskedVitals(
        output=columns(q, k, v, causal, scale).to(like),
        entropy=spread,
        energy=paid,
        mean_distance=_mean_distance(q, k, log_partition, causal, scale),
        participation=_participation(q, k, log_partition, causal, scale),
        set_mass={name: masses[..., at] for at, name in enumerate(sets)},
        received=_received(q, k, log_partition, causal, scale),
        max_logit=maximum(q, k, causal, scale).amax(-1),
    )


# ---- the three kinds of questions ----


@shaped
def columns(
    q: Queries, k: Keys, x: Float[Tensor, "*batch key column"], causal: bool = False, scale: float | None = None
) -> Float[Tensor, "batch head query column"]:
    """P X: the kernel, with X for values. An indicator gives a set's mass, positions the mean position."""
    scale = _scale(q, k, causal, scale)
    x = x.expand(*k.shape[:-1], x.shape[-1])
    width = -8 * (-max(q.shape[-1], x.shape[-1]) // 8)  # kernels want one width for all, and a round one
    q, k, values = (F.pad(part, (0, width - part.shape[-1])) for part in (q, k, x))
    return F.scaled_dot_product_attention(q, k, values, is_causal=causal, scale=scale)[..., : x.shape[-1]]


@shaped
def beside_probe(
    q: Queries,
    k: Keys,
    c: PerQuery,
    x: Float[Tensor, "*batch key column"],
    causal: bool = False,
    scale: float | None = None,
) -> Float[Tensor, "batch head query column"]:
    """Σ_j e^{s_ij − c_i} X_j: what the keys get, in units of what one more key gets that scores c_i for query i.

    Its score is made of one more feature: the query holds c_i / scale, the probe holds 1, all other keys 0. It stands
    first, beside a query that nobody reads, so that it can be seen by all where attention is causal.
    """
    scale = _scale(q, k, causal, scale)
    x = x.expand(*k.shape[:-1], x.shape[-1])
    q = F.pad(torch.cat([q, c[..., None] / scale], dim=-1), (0, 0, 1, 0))  # (…, 1 + query, d_k + 1)
    k = F.pad(k, (0, 1, 1, 0))  # (…, 1 + key, d_k + 1)
    k[..., 0, -1] = 1
    x = F.pad(x, (0, 1, 1, 0))  # (…, 1 + key, column + 1)
    x[..., 0, -1] = 1
    asked = columns(q, k, x, causal, scale)[..., 1:, :]  # (…, query, column + 1)
    return asked[..., :-1] / asked[..., -1:]


# ---- what they are asked ----


def energy(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> PerQuery:
    """Σ_j P_ij s_ij = scale · q_i · (P K)_i: the kernel with the keys for values."""
    return _scale(q, k, causal, scale) * (q * columns(q, k, k, causal, scale)).sum(-1)


def entropy(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> PerQuery:
    """A probe that scores E_i gets p = 1/(1 + e^{H_i}) of the row. So H_i = log(1 − p) − log p, in nats."""
    return _entropy(q, k, energy(q, k, causal, scale), causal, scale)


def log_partition(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> PerQuery:
    """log Σ_j e^{s_ij} = E_i + H_i, which the kernel computes and keeps to itself."""
    paid = energy(q, k, causal, scale)
    return paid + _entropy(q, k, paid, causal, scale)


def participation(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> PerQuery:
    """1 / Σ P²: at twice the scale (half the temperature), beside a probe at 2·lse, the keys get Σ e^{2s − 2lse}."""
    return _participation(q, k, log_partition(q, k, causal, scale), causal, scale)


def received(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> Float[Tensor, "batch head key"]:
    """Σ_i P_ij: keys ask, queries answer with −lse_i as one more feature, beside a probe that scores 0."""
    return _received(q, k, log_partition(q, k, causal, scale), causal, scale)


def mean_distance(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> PerQuery:
    """Σ_j P_ij |i − j|, in tokens. Looking back, positions are one column; both ways, the past is asked for alone."""
    return _mean_distance(q, k, log_partition(q, k, causal, scale), causal, scale)


def maximum(q: Queries, k: Keys, causal: bool = False, scale: float | None = None) -> PerQuery:
    """max_j s_ij: at a very large scale the kernel returns the key that wins, and its score can be computed."""
    scale = _scale(q, k, causal, scale)
    return scale * (q * columns(q, k, k, causal, scale * LARGE)).sum(-1)


def _entropy(q, k, paid: PerQuery, causal: bool, scale: float | None) -> PerQuery:
    return beside_probe(q, k, paid, _ones(k), causal, scale)[..., 0].log().clamp(min=0)


def _participation(q, k, lse: PerQuery, causal: bool, scale: float | None) -> PerQuery:
    return 1 / beside_probe(q, k, 2 * lse, _ones(k), causal, 2 * _scale(q, k, causal, scale))[..., 0]


def _received(q, k, lse: PerQuery, causal: bool, scale: float | None) -> Float[Tensor, "batch head key"]:
    scale = _scale(q, k, causal, scale)
    asks = torch.cat([k, _ones(k).expand(*k.shape[:-1], 1)], dim=-1)  # s_ij − lse_i = log P_ij
    answers = torch.cat([q, -lse[..., None] / scale], dim=-1)
    if causal:  # a key is seen by the queries behind it: in reverse they come before
        asks, answers = asks.flip(-2), answers.flip(-2)
    shares = beside_probe(asks, answers, torch.zeros_like(asks[..., 0]), _ones(answers), causal, scale)[..., 0]
    return shares.flip(-1) if causal else shares


def _mean_distance(q, k, lse: PerQuery, causal: bool, scale: float | None) -> PerQuery:
    n_query, n_key = q.shape[-2], k.shape[-2]
    j = torch.arange(n_key, dtype=k.dtype, device=k.device)[:, None]
    i = j.new_tensor(range(n_query)) + (n_key - n_query)
    mean = columns(q, k, j, causal, scale)[..., 0]
    if causal:
        return i - mean
    if n_query != n_key:
        raise ValueError(f"Distances both ways want as many queries as keys, got {n_query} and {n_key}.")
    past = beside_probe(q, k, lse, torch.cat([torch.ones_like(j), j], dim=-1), True, scale)
    return mean - i + 2 * (i * past[..., 0] - past[..., 1])  # |i − j| = (j − i) + 2 (i − j), the last where j ≤ i


def _scale(q: Tensor, k: Tensor, causal: bool, scale: float | None) -> float:
    if causal and q.shape[-2] != k.shape[-2]:
        raise ValueError(
            f"The kernel's causal mask begins with the first key, so it wants as many queries as keys, got "
            f"{q.shape[-2]} and {k.shape[-2]}. Take streaming_vitals with visible=causal."
        )
    return q.shape[-1] ** -0.5 if scale is None else scale


def _ones(k: Tensor) -> Float[Tensor, "key 1"]:
    return torch.ones(k.shape[-2], 1, dtype=k.dtype, device=k.device)
