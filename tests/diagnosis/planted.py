"""Records made of queries, keys and values that a test chooses, kept as `watch` keeps them."""

import torch

from attn_course.attention import causal
from attn_course.diagnosis.close import draw_rows
from attn_course.diagnosis.record import AttentionCall, GradientVitals, HiddenVitals, Record
from attn_course.diagnosis.streaming import streaming_vitals_of


def keep(
    record: Record, q, k, v, visible=causal, name="h.0.attn", kind="self", sample=64, scale=None, dtype=torch.float32
) -> Record:
    """One more call in the record."""
    vitals = streaming_vitals_of(q, k, v, visible, scale, token_sets=record.token_sets, sample=sample)
    rows = draw_rows(q.shape[2], sample, 0)
    weights = _weights(q, k, visible, q.shape[-1] ** -0.5 if scale is None else scale)[:, :, rows]
    finite = all(bool(x.isfinite().all()) for x in (q, k, v, vitals.output))
    longest = q.norm(dim=-1).amax() * k.norm(dim=-1).amax()
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    record.calls.append(
        AttentionCall(
            name, kind, vitals, v.norm(dim=-1), float(longest), dtype, finite, rows, weights.half(), scale=scale
        )
    )
    return record


def _weights(q, k, visible, scale):
    """By hand, since the course's own formula refuses NaN."""
    scores = q @ k.mT * scale
    if visible is not None:
        scores = scores.masked_fill(~visible.dense(q.shape[2], k.shape[2]), -torch.inf)
    return scores.softmax(-1).where(scores.isfinite().any(-1, keepdim=True) | scores.isnan().any(-1, keepdim=True), 0)


def random_qkv(seed=0, batch=1, heads=3, n=40, d=8, sharp=1.0):
    draw = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(batch, heads, n, d, generator=draw) for _ in range(3))
    return q * sharp, k, v


def planted(weights_like, n=40, heads=4, layers=1, value=None) -> Record:
    """Every head of every layer looks where it is told: `weights_like(head)` gives logits (query, key).

    The keys are unit vectors, so that the queries are the logits themselves.
    """
    record = Record("planted")
    k = torch.eye(n).expand(1, heads, n, n)
    q = torch.stack([weights_like(head) for head in range(heads)])[None].float()
    v = torch.ones(1, heads, n, 4) if value is None else value
    for layer in range(layers):
        keep(record, q, k, v, name=f"h.{layer}.attn", scale=1.0)
    return record


def hidden(name="h.0", residual=0.8, cosine=0.2, influence=0.2, largest=3.0, median=0.5, finite=True) -> HiddenVitals:
    one = torch.ones(1)
    return HiddenVitals(
        name,
        rank_residual=residual * one,
        effective_rank=10 * one,
        stable_rank=3 * one,
        token_cosine=cosine * one,
        block_influence=influence * one,
        largest=largest * one,
        median=median * one,
        largest_at=torch.tensor([[2, 7]]),
        finite=finite,
    )


def gradient(name="h.0.attn", query_key=0.3, value=0.5) -> GradientVitals:
    return GradientVitals(name, torch.tensor([0.5, 1.0, 0.25]), query_key, value)
