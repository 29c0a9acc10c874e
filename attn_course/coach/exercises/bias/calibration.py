"""Expected calibration error: how far confidence and accuracy lie apart, bin by bin."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from attn_course.coach.spec import Case, Mistake, Task, random


def slow_calibration(probabilities: Tensor, labels: Tensor, bins: int) -> float:
    """Σ share in a bin · |accuracy − mean confidence|, bins ((m − 1)/M, m/M] (Guo and others 2017)."""
    drawers: dict[int, list[tuple[bool, float]]] = {}
    for row, label in zip(probabilities, labels.tolist(), strict=True):
        said = int(row.argmax())
        confidence = float(row[said])
        drawers.setdefault(_bin(confidence, bins), []).append((said == label, confidence))
    total = 0.0
    for drawer in drawers.values():
        right, sure = (sum(column) / len(drawer) for column in zip(*drawer, strict=True))
        total += len(drawer) / len(labels) * abs(right - sure)
    return total


def _bin(confidence: float, bins: int) -> int:
    """The number m of the bin, 1 … M; a confidence on a border belongs to the bin below it."""
    return next(m for m in range(1, bins + 1) if confidence <= m / bins)


def _sure(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(right, confidence) of each example."""
    confidence, said = probabilities.max(-1)
    return (said == labels).double(), confidence


def _upper(confidence: Tensor, bins: int) -> Tensor:
    """Bin 0 … M − 1, borders to the bin below."""
    edges = torch.arange(1, bins, dtype=torch.float64) / bins
    return torch.bucketize(confidence.contiguous(), edges)


def _lower(confidence: Tensor, bins: int) -> Tensor:
    """Borders to the bin above; 1.0 into the last one."""
    edges = torch.arange(1, bins, dtype=torch.float64) / bins
    return torch.bucketize(confidence.contiguous(), edges, right=True)


def _gaps(right: Tensor, sure: Tensor, at: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """(accuracy − mean confidence, number of examples) of each bin; NaN where it is empty."""
    count = torch.bincount(at, minlength=bins)
    return (torch.bincount(at, right, bins) - torch.bincount(at, sure, bins)) / count, count


def _weighted(gaps: Tensor, count: Tensor) -> Tensor:
    full = count > 0
    return (gaps[full].abs() * count[full]).sum() / count.sum()


def _with(
    sure: Callable = _sure,
    into: Callable = _upper,
    gaps: Callable = _gaps,
    summed: Callable = _weighted,
) -> Callable:
    """The solution with one part exchanged for a wrong one."""

    def answer(probabilities, labels, bins):
        right, confidence = sure(probabilities, labels)
        return summed(*gaps(right, confidence, into(confidence, bins), bins)).item()

    return answer


def _of_the_truth(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return (probabilities.argmax(-1) == labels).double(), probabilities[torch.arange(len(labels)), labels]


def _of_class_one(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return (labels == 1).double(), probabilities[:, 1]


def _centres(right: Tensor, sure: Tensor, at: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    count = torch.bincount(at, minlength=bins)
    return torch.bincount(at, right, bins) / count - (torch.arange(bins) + 0.5) / bins, count


def _too_sure_only(right: Tensor, sure: Tensor, at: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    gaps, count = _gaps(right, sure, at, bins)
    return gaps.clamp(max=0), count


def _every_class(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    truth = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    return truth.double().flatten(), probabilities.flatten()


def _equal_sizes(confidence: Tensor, bins: int) -> Tensor:
    """Bins with equally many examples instead of equally wide ones."""
    return confidence.argsort().argsort() * bins // len(confidence)


def _unit_dropped(probabilities: Tensor, labels: Tensor, bins: int) -> float:
    """⌊confidence · M⌋ makes a bin of its own for 1.0, which nobody looks at."""
    right, sure = _sure(probabilities, labels)
    at = (sure * bins).floor().long()
    gaps, count = _gaps(right, sure, at, bins + 1)
    full = count[:bins] > 0
    return ((gaps[:bins][full].abs() * count[:bins][full]).sum() / len(labels)).item()


def _in_range(out: float, probabilities: Tensor, labels: Tensor, bins: int) -> str | None:
    if math.isnan(out) or -1e-9 <= out <= 1 + 1e-9:
        return None
    return f"The error lies between 0 and 1; yours is {out:.3g}."


def _of(labels: list[int], *rows: list[float]) -> tuple[Tensor, Tensor]:
    return torch.tensor(rows, dtype=torch.float64), torch.tensor(labels)


def _drawn(n: int, classes: int, seed: int, sharp: float) -> tuple[Tensor, Tensor]:
    """Answers that are surer than they are right."""
    scores = random(n, classes, seed=seed)
    labels = (scores + 1.5 * random(n, classes, seed=seed + 1)).argmax(-1)
    return (sharp * scores).softmax(-1), labels


def _split(first: float) -> list[float]:
    return [first, 1 - first]


def _case(name: str, *args) -> Case:
    return Case(name, args, tolerance=1e-6)  # counting in float32 is as right


TASK = Task(
    id="bias.calibration",
    reference=slow_calibration,
    cases=(
        _case("2 examples, sure by 0.9 and 0.7, one right, 5 bins", *_of([0, 0], _split(0.9), _split(0.3)), 5),
        _case(
            "4 examples, three of them in one bin, 2 bins",
            *_of([0, 0, 1, 0], _split(0.9), _split(0.8), _split(0.7), [0.4, 0.3]),
            2,
        ),
        _case(
            "5 examples, too sure in one bin and not sure enough in another, 10 bins",
            *_of([0, 1, 0, 0, 0], _split(0.95), _split(0.92), _split(0.55), _split(0.53), _split(0.58)),
            10,
        ),
        _case(
            "4 examples, one of them sure by 1.0 and wrong, 4 bins",
            *_of([1, 0, 0, 0], [1.0, 0.0], _split(0.9), _split(0.8), _split(0.6)),
            4,
        ),
        _case(
            "4 examples on the borders of 4 bins",
            *_of([1, 0, 0, 0], _split(0.75), _split(0.5), _split(0.8), _split(0.7)),
            4,
        ),
        _case(
            "4 examples of 3 classes, 4 bins",
            *_of([1, 0, 2, 2], [0.2, 0.3, 0.5], [0.45, 0.35, 0.2], [0.05, 0.05, 0.9], [0.34, 0.33, 0.33]),
            4,
        ),
        _case("60 examples of 2 classes, 10 bins", *_drawn(60, 2, 1, 3.0), 10),
        _case("200 examples of 4 classes, 15 bins", *_drawn(200, 4, 3, 2.0), 15),
    ),
    gradients=False,
    properties=(_in_range,),
    mistakes=(
        Mistake(
            "bins_alike",
            "Every bin counts the same. Weigh each by its share of the examples, or a bin with one of them speaks as "
            "loud as one with a hundred.",
            _with(summed=lambda gaps, count: gaps[count > 0].abs().mean()),
        ),
        Mistake(
            "empty_bins_too",
            "You averaged over all bins, empty ones included. Weigh each by its share of the examples: an empty one "
            "has none.",
            _with(summed=lambda gaps, count: gaps.nan_to_num(0).abs().mean()),
        ),
        Mistake(
            "empty_is_nan",
            "An empty bin gives 0 / 0, and its NaN spoils the sum. Leave empty bins out.",
            _with(summed=lambda gaps, count: (gaps.abs() * count).sum() / count.sum()),
        ),
        Mistake(
            "signed",
            "You summed with signs, so that too sure here and not sure enough there cancel. Take the absolute value in "
            "each bin.",
            _with(summed=lambda gaps, count: (gaps.nan_to_num(0) * count).sum() / count.sum()),
        ),
        Mistake(
            "signed_then_absolute",
            "You took the absolute value of the sum. Bins cancel before that: take it in each bin.",
            _with(summed=lambda gaps, count: (gaps.nan_to_num(0) * count).sum().abs() / count.sum()),
        ),
        Mistake(
            "example_by_example",
            "You compared each example's confidence with its being right or wrong. A coin that says 0.5 is calibrated "
            "and would score 0.5: average within a bin first.",
            lambda probabilities, labels, bins: torch.sub(*_sure(probabilities, labels)).abs().mean().item(),
        ),
        Mistake(
            "probability_of_the_truth",
            "Your confidence is the probability of the *true* class. It is that of the answer, the largest in the row: "
            "when the model speaks, nobody knows the truth.",
            _with(sure=_of_the_truth),
        ),
        Mistake(
            "class_one",
            "You used the probability of class 1. Confidence is the largest probability of the row, whichever class "
            "has it.",
            _with(sure=_of_class_one),
        ),
        Mistake(
            "centres",
            "You compared accuracy with the middle of the bin. Take the mean confidence of the examples in it.",
            _with(gaps=_centres),
        ),
        Mistake(
            "too_sure_only",
            "You counted the bins in which the model is too sure. Where it is not sure enough confidence is off as "
            "well: take the absolute value.",
            _with(gaps=_too_sure_only),
        ),
        Mistake(
            "every_class",
            "You sorted every probability of a row into the bins. Only the largest speaks: it is what the model says "
            "of its answer.",
            _with(sure=_every_class),
        ),
        Mistake(
            "greatest_gap",
            "This is the greatest gap of any bin (the maximum calibration error). Asked is the mean, weighted by the "
            "examples.",
            _with(summed=lambda gaps, count: gaps[count > 0].abs().max()),
        ),
        Mistake(
            "certain_ones_lost",
            "A confidence of exactly 1 falls into a bin of its own, after the last, and is lost. Those examples are "
            "the ones that matter most.",
            _unit_dropped,
        ),
        Mistake(
            "border_above",
            "A confidence on the border of two bins went to the upper one. Bin m holds what is above (m − 1)/M, up to "
            "and including m/M.",
            _with(into=_lower),
        ),
        Mistake(
            "equal_sizes",
            "Your bins hold equally many examples. Here they are equally wide: (0, 1/M], (1/M, 2/M] and so on.",
            _with(into=_equal_sizes),
        ),
        Mistake(
            "squares",
            "You squared the gaps. It is their absolute value.",
            _with(summed=lambda gaps, count: (gaps.nan_to_num(0).square() * count).sum() / count.sum()),
        ),
    ),
)
