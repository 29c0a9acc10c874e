"""Is a model that says 90 % right nine times in ten? The gap, and the one number that is often enough to close it.

Source: Guo et al. 2017, "On Calibration of Modern Neural Networks" (arXiv 1706.04599), equations 2, 3 and 9.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

BINS = 10
HOTTEST = 1e3  # a temperature beyond it leaves nothing of the scores


def reliability(
    probabilities: Float[Tensor, "case class"], labels: Int[Tensor, "case"], bins: int = BINS
) -> tuple[Float[Tensor, "bin"], Float[Tensor, "bin"], Int[Tensor, "bin"]]:
    """Mean confidence, accuracy and number of cases in each of `bins` equal ranges (low, high] of the confidence.

    The confidence is the probability of the class that is named. An empty bin has 0, 0 and 0.
    """
    _check(probabilities, labels)
    if bins < 1:
        raise ValueError(f"bins should be 1 or more, got {bins!r}.")
    if (probabilities < 0).any() or not torch.allclose(probabilities.sum(-1), torch.ones_like(probabilities[:, 0])):
        raise ValueError("Probabilities should sum to 1 in each row: take the softmax of the scores first.")
    confidence, named = probabilities.double().max(dim=-1)
    right = (named == labels).double()
    edges = torch.arange(1, bins, dtype=torch.double) / bins
    bin_of = torch.bucketize(confidence, edges)  # an edge belongs to the bin below it
    count = torch.bincount(bin_of, minlength=bins)
    filled = count.clamp(min=1)
    mean = [torch.zeros(bins, dtype=torch.double).index_add_(0, bin_of, each) / filled for each in (confidence, right)]
    return mean[0], mean[1], count


def ece(probabilities: Float[Tensor, "case class"], labels: Int[Tensor, "case"], bins: int = BINS) -> float:
    """Expected calibration error: the gap between confidence and accuracy, mean over cases (equation 3). 0 to 1."""
    confidence, accuracy, count = reliability(probabilities, labels, bins)
    return ((confidence - accuracy).abs() * count / count.sum()).sum().item()


def fit_temperature(logits: Float[Tensor, "case class"], labels: Int[Tensor, "case"]) -> float:
    """T for which softmax(logits / T) gives these labels the greatest likelihood (equation 9).

    The loss is convex in β = 1/T, so the zero of its slope is found by halving. T never changes which class is named.
    Where every label already has the largest score, the likelihood grows without end as T falls: 0.001 is returned; and
    1,000, the other end, where the scores say nothing of the labels, or the opposite.
    """
    _check(logits, labels)
    logits = logits.double()
    wanted = logits.gather(-1, labels[:, None])[:, 0]

    def slope(beta: float) -> float:
        """Of the mean loss (nats) in β: the expected score under softmax(β · logits), less the label's own."""
        return (((beta * logits).softmax(-1) * logits).sum(-1) - wanted).mean().item()

    low, high = 1 / HOTTEST, HOTTEST
    if slope(low) >= 0:
        return 1 / low
    if slope(high) <= 0:
        return 1 / high
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / middle


def negative_log_likelihood(logits: Float[Tensor, "case class"], labels: Int[Tensor, "case"]) -> float:
    """Mean over cases, in nats: what a temperature is fitted to."""
    _check(logits, labels)
    return F.cross_entropy(logits, labels).item()


def _check(rows: Tensor, labels: Tensor) -> None:
    if rows.dim() != 2 or not len(rows) or labels.shape != rows.shape[:1]:
        raise ValueError(
            f"Rows (case, class) and a label for each of at least one case are needed, got {tuple(rows.shape)} and "
            f"{tuple(labels.shape)}."
        )
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= rows.shape[1]:
        raise ValueError(
            f"Labels should be whole numbers from 0 to {rows.shape[1] - 1}, one for each class; got "
            f"{labels.min().item()} to {labels.max().item()}."
        )
    if not torch.isfinite(rows).all():
        raise ValueError("Some numbers are not finite, so nothing can be said of how sure the model is.")
