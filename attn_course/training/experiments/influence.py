"""How far does one token reach? Flip the bit in the middle of a string, and see how much the answer's vector moves.

An untrained encoder of two layers, read at [CLS]. Each of n tokens has a share of about 1/n of every row, as long as
scores are bounded and the weights do not grow with n: Hahn 2020 (arXiv 1906.06755) proves O(1/n) for any such model.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attn_course.attention import Sinusoidal, fused
from attn_course.models.constructed import with_cls
from attn_course.models.encoder import Encoder
from attn_course.tasks.bits import flipped, random_bits

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
SEEDS = (0, 1, 2, 3, 4)
STRINGS, D_MODEL, HEADS, LAYERS = 4, 32, 4, 2


def encoder(seed: int = 0, layers: int = LAYERS, d_model: int = D_MODEL, heads: int = HEADS) -> Encoder:
    """An untrained encoder in float64, with sinusoidal positions and post-norm as in the first transformer."""
    torch.manual_seed(seed)
    return Encoder(3, d_model, heads, layers, Sinusoidal(d_model), mechanism=fused).double().requires_grad_(False)


def influence(model: Encoder, bits: Int[Tensor, "batch bit"], at: int | None = None) -> Float[Tensor, "batch"]:
    """How far the vector of [CLS] after the last layer moves when one bit is flipped. at: which; the middle one."""
    at = bits.shape[1] // 2 if at is None else at
    there, here = (model(with_cls(each))[:, -1] for each in (flipped(bits, at), bits))
    return (there - here).norm(dim=-1)


def slope(lengths: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the straight line through log values against log lengths, by least squares: −1 is 1/n."""
    if len(lengths) != len(values):
        raise ValueError(f"Each length has a value: there are {len(lengths)} and {len(values)}.")
    if len(set(lengths)) < 2 or not all(each > 0 for each in (*lengths, *values)):
        raise ValueError("A slope needs two lengths at least, and lengths and values above 0.")
    x, y = ([math.log(each) for each in numbers] for numbers in (lengths, values))
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    along = sum((a - x_mean) * (b - y_mean) for a, b in zip(x, y, strict=True))
    return along / sum((a - x_mean) ** 2 for a in x)


def measure(lengths: tuple[int, ...] = LENGTHS, seeds: tuple[int, ...] = SEEDS, strings: int = STRINGS) -> dict:
    """Rows: the influence of the middle bit by seed (of weights and strings) and length. Slopes by seed."""
    rows = []
    for seed in seeds:
        model = encoder(seed)
        for n in lengths:
            bits = random_bits(torch.Generator().manual_seed(seed), strings, n)
            rows.append({"seed": seed, "n": n, "influence": float(f"{influence(model, bits).mean().item():.4g}")})
    slopes = [slope(lengths, [row["influence"] for row in rows if row["seed"] == seed]) for seed in seeds]
    return {
        "settings": {"layers": LAYERS, "d_model": D_MODEL, "heads": HEADS, "strings": strings},
        "lengths": list(lengths),
        "seeds": list(seeds),
        "rows": rows,
        "slopes": [round(each, 3) for each in slopes],
    }
