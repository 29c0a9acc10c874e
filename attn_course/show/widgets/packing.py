"""A head in few bytes: q and k as whole numbers, with no more bits than its weights need. Nothing N × N is sent.

The browser computes softmax(step² · a bᵀ) from the whole numbers a and b. Neither of two changes shows in the weights:
what all keys have in common is taken out (it adds the same to every score of a row), and each feature is scaled up in
one and down in the other until q and k are alike in size. Then the step is widened for as long as no weight is further
than `TOLERANCE` from the model's own, and each feature gets the bits that its largest number fills.
"""

import base64

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from attn_course.attention import masked_softmax

TOLERANCE = 1e-3  # a weight in the browser against the model's own
RELATIVE = 0.03  # a small weight in the browser, as a share of the model's own
FINE = 2.0**-13  # the step of weights that are sent as they are
TRIES = 16  # of a step; each time about as much smaller as the error asks for


def packed_head(
    q: Float[Tensor, "query d_k"],
    k: Float[Tensor, "key d_k"],
    scale: float,
    seen: Bool[Tensor, "query key"] | None,
    weights: Float[Tensor, "query key"],
) -> dict | None:
    """One head as the browser reads it; None if softmax(qkᵀ·scale) is not its weights: a bias, a soft-cap, a sink."""
    a, b = _balanced(q.double() * scale, k.double(), seen)
    return _packed_pair(a, b, _widest_step(a, b, seen, weights.double()))


def packed_fine_head(
    q: Float[Tensor, "query d_k"],
    k: Float[Tensor, "key d_k"],
    scale: float,
    seen: Bool[Tensor, "query key"] | None,
    weights: Float[Tensor, "query key"],
) -> dict | None:
    """The same with more bits, so that small weights are right as well: to `RELATIVE` of each above a millionth."""
    a, b = _balanced(q.double() * scale, k.double(), seen)
    return _packed_pair(a, b, _fine_step(a, b, seen, weights.double()))


def packed_weights(weights: Float[Tensor, "query key"]) -> dict:
    """Weights as they are, to 1/8192: N × N numbers, so for short texts."""
    return {"step": FINE, "weights": _packed(weights.double() / FINE)}


def packed_values(v: Float[Tensor, "key d_v"]) -> dict:
    """Values as they are, to 1/2000 of the largest."""
    step = max(v.abs().max().item(), 1e-30) / 2**10
    return {"step": step, **_packed(v.double() / step)}


def packed_mask(seen: Bool[Tensor, "query key"]) -> str:
    """Who may look at whom: one bit a pair, row after row, or "causal"."""
    if torch.equal(seen, torch.ones_like(seen).tril()):
        return "causal"
    return _text(np.packbits(seen.numpy().ravel()))


def size(head: dict) -> int:
    """How many characters a packed head takes."""
    return sum(len(part["codes"]) for part in head.values() if isinstance(part, dict))


def _widest_step(a: Tensor, b: Tensor, seen: Tensor | None, weights: Tensor) -> float | None:
    largest = max(a.abs().max().item(), b.abs().max().item())
    if largest == 0:
        return 1.0 if _off(a, b, seen, weights) <= TOLERANCE else None
    if _off(a, b, seen, weights) > TOLERANCE / 2:
        return None
    step = largest / 2**6
    for _ in range(TRIES):
        off = _off(_rounded(a, step), _rounded(b, step), seen, weights)
        if off <= TOLERANCE:
            return step
        step *= max(0.1, 0.9 * TOLERANCE / off)
        if largest / step > 2**20:
            return None
    return None


def _fine_step(a: Tensor, b: Tensor, seen: Tensor | None, weights: Tensor) -> float | None:
    step = max(a.abs().max().item(), b.abs().max().item(), 1e-30) / 2**12
    found = _weights_of(_rounded(a, step), _rounded(b, step), seen)
    off = ((found - weights).abs() / weights.clamp(min=1e-6))[weights > 1e-6]
    return None if off.numel() and off.max() > RELATIVE else step


def _rounded(values: Tensor, step: float) -> Tensor:
    return (values / step).round() * step


def _packed_pair(a: Tensor, b: Tensor, step: float | None) -> dict | None:
    return None if step is None else {"step": step, "q": _packed(a / step), "k": _packed(b / step)}


def _balanced(q: Tensor, k: Tensor, seen: Tensor | None) -> tuple[Tensor, Tensor]:
    """q and k that give the same weights, alike in size: without what all keys have in common."""
    used = torch.ones(len(k), dtype=torch.bool) if seen is None else seen.any(0)
    k = (k - k[used].mean(0)) * used[:, None] if used.any() else torch.zeros_like(k)
    sizes = q.norm(dim=0), k.norm(dim=0)
    both = (sizes[0] > 0) & (sizes[1] > 0)
    change = torch.where(both, sizes[1] / sizes[0].clamp(min=1e-300), 1.0).sqrt()
    return q * change * both, k / change * both


def _weights_of(a: Tensor, b: Tensor, seen: Tensor | None) -> Tensor:
    scores = a @ b.T
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    return masked_softmax(scores)


def _off(a: Tensor, b: Tensor, seen: Tensor | None, weights: Tensor) -> float:
    return (_weights_of(a, b, seen) - weights).abs().max().item()


def _packed(values: Float[Tensor, "token feature"]) -> dict:
    """Whole numbers, feature after feature, each with the bits that its largest fills, the sign among them."""
    codes = values.round().long().numpy()
    widths = [int(most).bit_length() + 1 if most else 0 for most in np.abs(codes).max(0)]
    columns = [
        (codes[:, c, None] + (1 << width - 1) >> np.arange(width - 1, -1, -1)) & 1
        for c, width in enumerate(widths)
        if width
    ]
    bits = np.concatenate([column.ravel() for column in columns]) if columns else np.zeros(0)
    return {"bits": widths, "codes": _text(np.packbits(bits.astype(np.uint8)))}


def _text(data: np.ndarray) -> str:
    return base64.b64encode(data.tobytes()).decode()
