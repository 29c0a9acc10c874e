"""FIRST is easy to learn. How long may the string be for which it still holds? With scores times log n, and without.

Trained on strings of one length, asked about strings up to 1,000 bits; [CLS] and the first bit have position vectors
of their own, all others share one, so that no position is new in a longer string. After Chiang and Cholak 2022
(arXiv 2202.12172), who trained on 10 to 100 bits and asked about 1,000.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import NoPositions, fused, watching
from attn_course.attention.options import log_length
from attn_course.models.constructed import with_cls
from attn_course.models.encoder import Encoder
from attn_course.tasks.bits import first, random_bits
from attn_course.training.exact import by_length
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

TRAINED, LENGTHS = (5, 10, 30), (10, 30, 100, 300, 1000)
SEEDS, STEPS, BATCH, RATE, WARMUP = (0, 1, 2), 800, 32, 1e-3, 50
STRINGS = 100
D_MODEL, LAYERS = 16, 2


class FirstCLSOther(NoPositions):
    """A learned vector for the first bit, one for [CLS], which stands last, and one for all the others."""

    def __init__(self, d_model: int):
        super().__init__()
        self.table = nn.Embedding(3, d_model)

    def add(self, x, at):
        which = torch.where(at == 0, 0, torch.where(at == at.shape[-1] - 1, 1, 2))
        return x + self.table(which)


def make(log_n: bool = False, seed: int = 0) -> Encoder:
    """An untrained encoder of two layers with one head; its output at [CLS] is the logit."""
    torch.manual_seed(seed)
    mechanism = log_length(fused) if log_n else fused
    head = nn.Linear(D_MODEL, 1)
    return Encoder(3, D_MODEL, 1, LAYERS, FirstCLSOther(D_MODEL), mechanism=mechanism, head=head)


def logits(model: Encoder, bits: Tensor) -> Tensor:
    return model(with_cls(bits))[:, -1, 0]


def learn(log_n: bool = False, n: int = 10, seed: int = 0, steps: int = STEPS) -> tuple[Encoder, History]:
    """Train a fresh model on strings of `n` bits."""

    def loss(model: nn.Module, generator: torch.Generator) -> Tensor:
        bits = random_bits(generator, BATCH, n)
        return F.binary_cross_entropy_with_logits(logits(model, bits), first(bits).float())

    model = make(log_n, seed)
    return model, train(model, loss, steps, RATE, seed, schedule=warmup(WARMUP))


@torch.no_grad()
def weight_of_first(model: Encoder, n: int, strings: int = 20) -> list[float]:
    """By layer: how much of [CLS]'s attention the first of n bits gets, mean over strings."""
    bits = random_bits(torch.Generator().manual_seed(987_654), strings, n)
    with watching(model) as records:
        model(with_cls(bits))
    return [record.weights[:, 0, -1, 0].mean().item() for record in records]


def measure(
    trained: tuple[int, ...] = TRAINED,
    seeds: tuple[int, ...] = SEEDS,
    steps: int = STEPS,
    lengths: tuple[int, ...] = LENGTHS,
) -> dict:
    """Rows: log_n, "n" (trained on), seed, "loss", and by length of `lengths` "accuracy", "bits" and "weight": of the
    first bit in [CLS]'s row, by layer.
    """
    return {
        "settings": {"steps": steps, "batch": BATCH, "lr": RATE, "warmup": WARMUP, "d_model": D_MODEL}
        | {"layers": LAYERS, "heads": 1, "strings": STRINGS},
        "lengths": list(lengths),
        "seeds": list(seeds),
        "rows": [_row(log_n, n, seed, steps, lengths) for n in trained for log_n in (False, True) for seed in seeds],
    }


def _row(log_n: bool, n: int, seed: int, steps: int, lengths: tuple[int, ...]) -> dict:
    about = {"log_n": log_n, "n": n, "seed": seed}
    try:
        model, history = learn(log_n, n, seed, steps)
    except FloatingPointError:
        return about | {"loss": None, "accuracy": [], "bits": [], "weight": []}
    rows = by_length(lambda bits: logits(model.eval(), bits), first, lengths, STRINGS, seed=987_654)
    return about | {
        "loss": round(history.tail(), 5),
        "accuracy": [round(row["accuracy"], 4) for row in rows],
        "bits": [round(row["bits"], 4) for row in rows],
        "weight": [[round(each, 4) for each in weight_of_first(model, length)] for length in lengths],
    }
