"""Order. Attention reads a bag of tokens; each class here is one way to tell it where they stand.

An encoding may enter at three places, and each class overrides the one that is its own:

    add(x, at)       the token vectors, once, below the first layer     learned, sinusoidal
    rotate(x, at)    queries and keys, in every layer                   rotary
    score            the scores, in every layer                         relative bias, ALiBi

`at` holds positions, (token,) or (batch, token): a left-padded sequence starts to count at its first real token.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attn_course.attention.formula import ScoreChange

At = Int[Tensor, "*batch token"]
BASE = 10_000.0  # the longest wave of sinusoidal and rotary encodings turns once in 2π · BASE tokens
LAYOUTS = ("halves", "interleaved")


class NoPositions(nn.Module):
    """No encoding at all: what the mask gives away is all that a model knows of order (NoPE)."""

    score: ScoreChange | None = None

    def add(self, x: Float[Tensor, "batch token d_model"], at: At) -> Float[Tensor, "batch token d_model"]:
        return x

    def rotate(self, x: Float[Tensor, "batch head token d"], at: At) -> Float[Tensor, "batch head token d"]:
        return x


class Learned(NoPositions):
    """One learned vector for each position up to `limit`. Beyond it there is none, and `add` raises ValueError."""

    def __init__(self, limit: int, d_model: int):
        super().__init__()
        self.table = nn.Embedding(limit, d_model)
        nn.init.normal_(self.table.weight, std=0.02)

    def add(self, x, at):
        limit = self.table.num_embeddings
        _check_features("Learned", "d_model", self.table.embedding_dim, x)
        _check_at(at, x)
        if not at.is_meta and int(at.min()) < 0:
            raise ValueError(
                f"Position {int(at.min())} comes before the first, which is 0. Filler on the left can take any place: "
                "at.clamp(min=0)."
            )
        if not at.is_meta and int(at.max()) >= limit:
            raise ValueError(
                f"Position {int(at.max())} lies beyond the {limit} positions that were learned (0 to {limit - 1}). "
                "Shorten the text, or use an encoding without a table (rotary, ALiBi, sinusoidal)."
            )
        return x + self.table(at)


class Sinusoidal(NoPositions):
    """Waves of geometrically growing length: sin in the even features, cos in the odd (Vaswani 2017, section 3.5)."""

    def __init__(self, d_model: int, base: float = BASE):
        super().__init__()
        _check_even("Sinusoidal", "d_model", d_model)
        self.d_model, self.base = d_model, base

    def add(self, x, at):
        _check_features("Sinusoidal", "d_model", self.d_model, x)
        _check_at(at, x)
        return x + sinusoids(at, self.d_model, self.base).to(x.dtype)


class Rotary(NoPositions):
    """Rotates each pair of features by an angle that grows with the position (Su et al. 2021, equation 34).

    layout "interleaved": pairs (0, 1), (2, 3), … as in the paper and GPT-J.
    layout "halves": pairs (0, d/2), (1, d/2 + 1), … as in GPT-NeoX and Llama. Weights trained with one layout are
    wrong with the other, and no shape will tell.
    """

    def __init__(self, d_head: int, base: float = BASE, layout: str = "halves"):
        super().__init__()
        _check_even("Rotary", "d_head", d_head)
        if not base > 0:
            raise ValueError(f"base should be above 0, got {base}.")
        if layout not in LAYOUTS:
            raise ValueError(f"layout should be one of {', '.join(LAYOUTS)}, got {layout!r}.")
        self.d_head, self.base, self.layout = d_head, base, layout

    def rotate(self, x, at):
        _check_features("Rotary", "d_head", self.d_head, x)
        _check_at(at, x)
        phase = phases(at, self.d_head, self.base)  # (…, token, d/2)
        if at.dim() == 2:
            phase = phase[:, None]  # (batch, 1, token, d/2): all heads alike
        wide = torch.promote_types(x.dtype, torch.float32)
        cos, sin = phase.cos().to(wide), phase.sin().to(wide)
        a, b = _pairs(x.to(wide), self.layout)  # each (batch, head, token, d/2)
        return _joined(a * cos - b * sin, a * sin + b * cos, self.layout).to(x.dtype)


class ALiBi(NoPositions):
    """A penalty that grows with distance, steeper in some heads than in others (Press et al. 2021, section 3)."""

    def __init__(self, heads: int):
        super().__init__()
        if heads < 1:
            raise ValueError(f"ALiBi needs at least one head, got {heads}.")
        self.heads = heads

    def score(self, scores, i, j):
        _check_head_count("ALiBi", self.heads, scores)
        slope = alibi_slopes(self.heads).to(scores)[:, None, None]  # (head, 1, 1)
        return scores - slope * (i - j).abs()


class RelativeBias(NoPositions):
    """A learned number for each head and each distance, added to the score (T5: Raffel et al. 2019, section 2.1).

    Near distances have a number each, far ones share buckets that widen logarithmically up to `farthest`; beyond it
    all share the last. All layers share the numbers, as in T5. causal: the future needs no buckets.
    """

    def __init__(self, heads: int, buckets: int = 32, farthest: int = 128, causal: bool = True):
        super().__init__()
        exact = buckets // (2 if causal else 4)
        if exact < 1 or farthest <= exact:
            raise ValueError(
                f"{buckets} buckets up to distance {farthest} cannot be laid out: take at least {2 if causal else 4} "
                f"buckets, and farthest above {exact}, where the buckets begin to widen."
            )
        self.table = nn.Embedding(buckets, heads)
        nn.init.zeros_(self.table.weight)
        self.farthest, self.causal = farthest, causal

    def score(self, scores, i, j):
        _check_head_count("RelativeBias", self.table.embedding_dim, scores)
        bucket = distance_bucket(i - j, self.table.num_embeddings, self.farthest, self.causal)  # (query, key)
        return scores + self.table(bucket).permute(2, 0, 1).to(scores.dtype)  # (head, query, key)


def phases(at: At, d: int, base: float = BASE) -> Float[Tensor, "*batch token half"]:
    """Angles at · base^(−2i/d) for i = 0 … d/2 − 1, in float32 whatever the model's dtype.

    In bfloat16, whose steps are 8 wide above 1,024, positions 1,025 to 1,028 would be one.
    """
    i = torch.arange(0, d, 2, device=at.device, dtype=torch.float32)
    return at.to(torch.float32)[..., None] * base ** (-i / d)


def sinusoids(at: At, d_model: int, base: float = BASE) -> Float[Tensor, "*batch token d_model"]:
    """The sinusoidal vectors themselves: sin and cos of the phases, interleaved."""
    phase = phases(at, d_model, base)
    return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(-2)


def alibi_slopes(heads: int) -> Float[Tensor, "head"]:
    """2^(−8/h), 2^(−16/h), … for a power of two; else those of the next lower one, and every second of the double."""
    lower = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (n + 1) / lower) for n in range(lower)]
    slopes += [2 ** (-4 * (2 * n + 1) / lower) for n in range(heads - lower)]
    return torch.tensor(slopes)


def distance_bucket(
    distance: Int[Tensor, "query key"], buckets: int = 32, farthest: int = 128, causal: bool = True
) -> Int[Tensor, "query key"]:
    """T5's buckets: half of them one distance wide, the rest logarithmic up to `farthest`. distance = i − j."""
    first = torch.zeros_like(distance)
    if causal:
        distance = distance.clamp(min=0)
    else:
        buckets //= 2
        first = (distance < 0).long() * buckets  # the future's half
        distance = distance.abs()
    exact = buckets // 2
    far = (distance.clamp(min=1).float() / exact).log() / math.log(farthest / exact) * (buckets - exact)
    far = (exact + far.long()).clamp(max=buckets - 1)
    return first + torch.where(distance < exact, distance, far)


def _pairs(x: Tensor, layout: str) -> tuple[Tensor, Tensor]:
    if layout == "halves":
        return x.chunk(2, dim=-1)
    return x[..., 0::2], x[..., 1::2]


def _joined(a: Tensor, b: Tensor, layout: str) -> Tensor:
    if layout == "halves":
        return torch.cat([a, b], dim=-1)
    return torch.stack([a, b], dim=-1).flatten(-2)


def _check_even(name: str, what: str, d: int) -> None:
    if d < 2 or d % 2:
        raise ValueError(f"{name} turns features in pairs, so {what} should be even, got {d}.")


def _check_features(name: str, what: str, expected: int, x: Tensor) -> None:
    if x.shape[-1] != expected:
        raise ValueError(
            f"{name} was made for {expected} features and met {x.shape[-1]}. Make it with {what}={x.shape[-1]}."
        )


def _check_head_count(name: str, heads: int, scores: Tensor) -> None:
    if scores.dim() >= 3 and scores.shape[-3] != heads:
        raise ValueError(
            f"{name} was made for {heads} heads and met {scores.shape[-3]}. Make it with heads={scores.shape[-3]}."
        )


def _check_at(at: Tensor, x: Tensor) -> None:
    """One position for each token, or torch would hand the same one to all of them."""
    batch, n = x.shape[0], x.shape[-2]
    if tuple(at.shape) not in {(n,), (1, n), (batch, n)}:
        raise ValueError(
            f"at has shape {tuple(at.shape)} where there are {batch} sequences of {n} tokens. "
            f"Give one position for each token: ({n},), or ({batch}, {n})."
        )
