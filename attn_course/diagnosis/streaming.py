"""Vitals of attention without its N × N map: strips of rows, each measured and dropped.

A strip holds a few query rows of a few heads, at most two million scores: it stays in the processor's cache, and the
memory asked for is that of the inputs, whatever the length. Every measure is exact; its definition, one plain function
on the whole map, stands in `vitals`, and the tests hold the two together.

Scores are shifted by the greatest of their row, z = s − m. With p = e^z and l = Σp, nothing overflows, and nothing
large is taken from anything large:

    entropy = log l − Σ p z / l        energy = m + Σ p z / l        participation = l² / Σ p²
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from attn_course.attention import Visibility
from attn_course.attention.formula import ScoreChange
from attn_course.attention.shapes import shaped
from attn_course.diagnosis.close import CloseVitals, close_vitals
from attn_course.diagnosis.sets import indicators
from attn_course.diagnosis.strips import Scores, Strip

PerQuery = Float[Tensor, "batch head query"]


@dataclass(frozen=True)
class StreamingVitals:
    """What one attention layer did. Definitions, units and sources: `attn_course.diagnosis.vitals`.

    A query that sees no key has 0 everywhere, `visible_keys` included. A learned sink (a null key) counts as one more
    key in entropy, energy and participation; `null_mass` says what it took.
    """

    output: Float[Tensor, "batch head query d_v"] | None
    entropy: PerQuery  # nats
    energy: PerQuery  # the score that a row pays attention to, on average
    mean_distance: PerQuery  # tokens: Σ A |i − j|
    participation: PerQuery  # 1 / Σ A²: how many keys share the row
    set_mass: dict[str, PerQuery]  # the share of the row that a set of tokens takes
    null_mass: PerQuery | None  # the share that the learned sink takes; None: there is none
    received: Float[Tensor, "batch head key"]  # Σ of a key's weights over the queries
    max_logit: Float[Tensor, "batch head"]  # greatest visible score, after scale, cap and bias
    visible_keys: Int[Tensor, "batch head query"]  # keys that a query may look at
    key_seen: Bool[Tensor, "batch head key"]  # may any query look at this key?
    close: CloseVitals | None  # sparsity, coverage, window, similarity: what needs a row as a whole
    path: dict[str, str]  # measure → how it was taken

    @property
    def normalised_entropy(self) -> PerQuery:
        """H / log n, n the keys that the query may look at: 0 one has it all, 1 all share alike; 0 where n < 2.

        A learned sink counts as a key for each query that sees any.
        """
        n = self.visible_keys.to(self.entropy.dtype)
        n = n if self.null_mass is None else n + (n > 0)
        return torch.where(n > 1, self.entropy / n.clamp(min=2).log(), torch.zeros_like(self.entropy))


def streaming_vitals_of(
    q, k, v=None, visible=None, scale=None, *, score=None, bias=None, sinks=None, token_sets=None, sample=64, seed=0
) -> StreamingVitals:
    """`streaming_vitals` with nothing checked: what NaN there is goes into the measures, for a doctor to find."""
    with torch.no_grad(), torch.autocast(q.device.type, enabled=False):
        scores = Scores(q, k, visible, scale, score, bias, sinks)
        sums = _Sums(scores, v, token_sets or {})
        for strip in scores.strips():
            sums.add(strip)
        close = None if sample == 0 else close_vitals(scores, sample, seed)
    return sums.vitals(close)


@shaped
def streaming_vitals(
    q: Float[Tensor, "batch head query d_k"],
    k: Float[Tensor, "batch kv_head key d_k"],
    v: Float[Tensor, "batch kv_head key d_v"] | None = None,
    visible: Visibility | Tensor | None = None,
    scale: float | None = None,
    *,
    score: ScoreChange | None = None,
    bias: Tensor | None = None,
    sinks: Tensor | None = None,
    token_sets: dict | None = None,
    sample: int | None = 64,
    seed: int = 0,
) -> StreamingVitals:
    """The vitals of softmax(QKᵀ·scale)V, exact, in memory that grows with N and not with N².

    q, k, v     fewer heads in k and v than in q: grouped queries. v may be left out: no output then, and less work
    visible     who may look at whom, as in `attention`. A `Visibility` is never written out as a matrix
    scale       1/√d_k unless given
    score       (scores, query position, key position) → scores, piece by piece: a soft-cap, ALiBi. A matrix goes
                into bias
    bias        added to the scores after that; broadcasts to (batch, head, query, key)
    sinks       (head,): one learned logit a head that competes with the keys and has no value (a null key)
    token_sets  name → the numbers of the keys, or True/False of shape (key,) or (batch, key)
    sample      sparsity, coverage, window and similarity are taken on so many query rows, drawn with `seed`, and carry
                a standard error. None: on every row, exact and slow. 0: not at all

    Half precision is widened to float32. No gradient flows. Raises ValueError or TypeError with one sentence for shapes
    that do not fit, a set that names keys that are not there, and a negative sample.
    """
    _check(q, k, visible, scale, bias, sinks, sample)
    return streaming_vitals_of(
        q, k, v, visible, scale, score=score, bias=bias, sinks=sinks, token_sets=token_sets, sample=sample, seed=seed
    )


class _Sums:
    """What is kept of the strips that have gone by."""

    def __init__(self, scores: Scores, v: Tensor | None, token_sets: dict):
        self.v, self.has_sinks = v, scores.sinks is not None
        self.names = list(token_sets)
        self.group = scores.group
        self.like = scores.q.dtype
        device, shape = scores.q.device, (scores.batch, scores.heads, scores.n_query)
        self.sets = indicators(token_sets, scores.batch, scores.n_key, device).to(scores.dtype)  # (batch, key, set)
        columns = len(_PER_QUERY) + len(self.names) + (0 if v is None else v.shape[-1])
        self.rows = torch.zeros(*shape, columns, dtype=scores.dtype, device=device)
        self.received = torch.zeros(*shape[:2], scores.n_key, dtype=scores.dtype, device=device)
        self.max_logit = torch.full(shape[:2], -torch.inf, dtype=scores.dtype, device=device)
        self.visible_keys = torch.zeros(shape, dtype=torch.int32, device=device)
        self.key_seen = torch.zeros(*shape[:2], scores.n_key, dtype=torch.bool, device=device)

    def add(self, strip: Strip) -> None:
        b, heads, rows, keys = strip.batch, strip.heads, strip.rows, strip.keys
        sees = strip.visible_keys > 0  # (head, row)
        m, z, p = strip.exponentials()
        if heads.start == 0:  # the same for all heads of these rows
            self.columns, self.block = _columns(strip, self.sets[b, keys])
        values = self._values(b, heads, keys, self.columns)
        mixed = (p.view(values.shape[0], -1, p.shape[-1]) @ values).view(*p.shape[:2], -1)  # (head, row, column)
        l = mixed[..., 0]  # noqa: E741 (the symbol of the flash-attention papers)
        shift = torch.mul(p, z, out=z).sum(-1)  # Σ p z
        squares = torch.linalg.vector_norm(p, dim=-1).square()
        taken = torch.zeros_like(l)
        if strip.sinks is not None:
            null = (strip.sinks[:, None] - m[..., 0]).clamp(min=torch.finfo(m.dtype).min)
            taken = null.exp()
            l, shift, squares = l + taken, shift + taken * null, squares + taken.square()  # noqa: E741
        l = l.masked_fill(~sees, 1)  # noqa: E741
        entropy, energy = l.log() - shift / l, m[..., 0] + shift / l
        participation = l.square() / squares.masked_fill(~sees, 1)
        distance = _distance(strip, p, mixed, self.block) / l
        found = torch.stack((entropy, energy, distance, participation, taken / l), dim=-1)  # as in _PER_QUERY
        found = torch.cat((found, mixed[..., 5:] / l[..., None]), dim=-1)  # and the sets, and the output
        self.rows[b, heads, rows] = found.masked_fill(~sees[..., None], 0)
        self.received[b, heads, keys] += ((1 / l)[:, None] @ p)[:, 0]
        greatest = strip.greatest.masked_fill(~sees, -torch.inf).amax(-1)
        self.max_logit[b, heads] = torch.maximum(self.max_logit[b, heads], greatest)
        self.visible_keys[b, heads, rows] = strip.visible_keys.to(torch.int32)
        self.key_seen[b, heads, keys] |= strip.key_seen

    def vitals(self, close: CloseVitals | None) -> StreamingVitals:
        one, first = len(_PER_QUERY), len(_PER_QUERY) + len(self.names)
        rows = {name: self.rows[..., at] for at, name in enumerate(_PER_QUERY)}
        return StreamingVitals(
            output=None if self.v is None else self.rows[..., first:].to(self.like),
            entropy=rows["entropy"],
            energy=rows["energy"],
            mean_distance=rows["mean_distance"],
            participation=rows["participation"],
            set_mass={name: self.rows[..., one + at] for at, name in enumerate(self.names)},
            null_mass=rows["null_mass"] if self.has_sinks else None,
            received=self.received,
            max_logit=self.max_logit,
            visible_keys=self.visible_keys,
            key_seen=self.key_seen,
            close=close,
            path=self._path(close),
        )

    def _values(self, b: int, heads: slice, keys: slice, columns: Tensor) -> Float[Tensor, "kv_head key column"]:
        """The columns that a strip's weights are multiplied with, in one go: ours, and the values."""
        if self.v is None:
            return columns[None]
        kv = slice(heads.start // self.group, heads.stop // self.group)
        v = self.v[b, kv, keys].to(columns.dtype)
        return torch.cat((columns.expand(v.shape[0], -1, -1), v), dim=-1)

    def _path(self, close: CloseVitals | None) -> dict[str, str]:
        exact = "strips: every row"
        path = dict.fromkeys((*_PER_QUERY[:4], "set_mass", "received", "max_logit"), exact)
        if close is not None:
            whole = len(close.rows) == self.rows.shape[2]
            how = exact if whole else f"strips: {len(close.rows)} rows drawn at random"
            path |= dict.fromkeys(("sparsity", "keys_needed", "coverage", "window", "divergence"), how)
        return path


# The columns of `_Sums.rows`; after them the sets, and the output.
_PER_QUERY = ("entropy", "energy", "mean_distance", "participation", "null_mass")


def _columns(strip: Strip, sets: Float[Tensor, "key set"]) -> tuple[Float[Tensor, "key column"], slice]:
    """A column of ones for the sum, four that give the distance, then the sets; and the keys amidst the strip's rows.

    Left of the strip |i − j| = (i − i₀) + (i₀ − j), right of it (i₁ − i) + (j − i₁): two columns each, one that counts
    and one that measures. Nothing large is subtracted, so nothing cancels. Amidst its rows, `_distance` goes by pairs.
    """
    first, last = strip.i[0, 0], strip.i[-1, 0]
    j = strip.j[0]
    left, right = (j < first), (j > last)
    columns = torch.stack((left | ~left, left, (first - j) * left, right, (j - last) * right), dim=1).to(sets.dtype)
    inside = (~left & ~right).nonzero()
    block = slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)
    return torch.cat((columns, sets), dim=1), block


def _distance(strip: Strip, p: Tensor, mixed: Tensor, block: slice) -> Float[Tensor, "head row"]:
    """Σ p |i − j|, from the four columns of `_columns` and the block in the middle."""
    i = strip.i[:, 0]
    outside = mixed[..., 2] + mixed[..., 4] + mixed[..., 1] * (i - i[0]) + mixed[..., 3] * (i[-1] - i)
    inside = (strip.i - strip.j[:, block]).abs().to(p.dtype)
    return outside + (p[..., block] * inside).sum(-1)


def _check(q, k, visible, scale, bias, sinks, sample: int | None) -> None:
    batch, heads, n_query = q.shape[:3]
    kv_heads, n_key = k.shape[1:3]
    if 0 in q.shape or 0 in k.shape:
        raise ValueError(f"There is nothing to measure: q has shape {tuple(q.shape)}, k {tuple(k.shape)}.")
    if heads % kv_heads:
        raise ValueError(f"{heads} heads cannot share {kv_heads} key heads in equal groups.")
    if scale is not None and not math.isfinite(scale):
        raise ValueError(f"scale is what the dot products are multiplied by, a finite number; got {scale}.")
    if isinstance(visible, Visibility):
        visible = visible.dense(1, n_key, device=q.device) if n_query <= n_key else visible.dense(n_query, n_key)
    for name, x in {"visible": visible, "bias": bias, "sinks": sinks}.items():
        if x is None:
            continue
        if (x.dtype == torch.bool) != (name == "visible"):
            raise TypeError(
                f"{name} holds {x.dtype}. True and False (True = may look) go into visible; what is added to the "
                "scores goes into bias."
            )
        if x.device != q.device:
            raise ValueError(f"{name} is on {x.device}, q on {q.device}. Move it: {name}.to(q.device).")
        if name != "visible" and x.isnan().any():
            raise ValueError(f"{name} holds NaN.")
        shape = (heads,) if name == "sinks" else (batch, heads, n_query, n_key)
        _check_broadcasts(name, x, shape)
    if sample is not None and sample < 0:
        raise ValueError(f"sample counts query rows: a whole number from 0 up, or None for all; got {sample}.")


def _check_broadcasts(name: str, x: Tensor, shape: tuple[int, ...]) -> None:
    if name == "sinks" and x.shape != shape:
        raise ValueError(f"sinks holds one logit a head, so {shape[0]} of them; got shape {tuple(x.shape)}.")
    try:
        fits = torch.broadcast_shapes(x.shape, shape) == shape
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, which does not spread to (batch, head, query, key) {shape}."
        )
