"""(aa)*: may the text end here? Trained on 40 letters, asked about 200; by encoding, by layers, and beside a GRU.

There is one text of each length, so what is measured is whether a model has found the rule or learned the places.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import ALiBi, NoPositions, Rotary, Sinusoidal, fused
from attn_course.attention.biases import Cyclic
from attn_course.models.gpt import GPT
from attn_course.models.recurrent import Recurrent
from attn_course.tasks.periodic import VOCABULARY, letters, may_end
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

LENGTH, LONGEST = 40, 200
SEEDS, STEPS, RATE, WARMUP = (0, 1, 2), 600, 3e-3, 50
D_MODEL, HEADS = 16, 2


class LearnedWaves(NoPositions):
    """cos ωi and sin ωi; the frequencies ω are learned, from random ones between 0 and π: any period, in principle."""

    def __init__(self, d_model: int):
        super().__init__()
        self.frequency = nn.Parameter(torch.rand(d_model // 2) * torch.pi)

    def add(self, x, at):
        phase = at[:, None] * self.frequency
        return x + torch.cat([phase.cos(), phase.sin()], dim=-1)


ENCODINGS: dict[str, Callable[[], NoPositions]] = {
    "none": NoPositions,
    "ALiBi": lambda: ALiBi(HEADS),
    "sinusoidal": lambda: Sinusoidal(D_MODEL),
    "rotary": lambda: Rotary(D_MODEL // HEADS),
    "learned waves": lambda: LearnedWaves(D_MODEL),
    "cyclic, 2": lambda: Cyclic(2, D_MODEL),
    "cyclic, 3": lambda: Cyclic(3, D_MODEL),
    "cyclic, 6": lambda: Cyclic(6, D_MODEL),
}
RUNS = (  # encoding, layers, period of the language
    *(("none", layers, 2) for layers in (1, 2, 4)),
    *(("ALiBi", layers, 2) for layers in (1, 2, 4)),
    *(("sinusoidal", layers, 2) for layers in (1, 2, 4)),
    *(("rotary", layers, 2) for layers in (1, 2, 4)),
    ("learned waves", 1, 2),
    ("cyclic, 2", 1, 2),
    ("cyclic, 3", 1, 2),
    ("cyclic, 6", 1, 2),
    ("GRU", 1, 2),
    ("cyclic, 2", 1, 3),
    ("cyclic, 3", 1, 3),
    ("cyclic, 6", 1, 3),
    ("GRU", 1, 3),
)


def make(encoding: str, layers: int = 1, seed: int = 0) -> nn.Module:
    """An untrained model. Raises ValueError for an unknown encoding."""
    torch.manual_seed(seed)
    if encoding == "GRU":
        return Recurrent(VOCABULARY, D_MODEL, layers)
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding should be one of {', '.join((*ENCODINGS, 'GRU'))}; got {encoding!r}.")
    return GPT(VOCABULARY, D_MODEL, HEADS, layers, ENCODINGS[encoding](), mechanism=fused)


def learn(
    encoding: str, layers: int = 1, seed: int = 0, period: int = 2, steps: int = STEPS, length: int = LENGTH
) -> tuple[nn.Module, History]:
    """Train a fresh model on the text of `length` letters."""
    model, tokens, labels = make(encoding, layers, seed), letters(length), may_end(length, period)

    def loss(model: nn.Module, _generator: torch.Generator) -> Tensor:
        return F.cross_entropy(model(tokens).transpose(1, 2), labels)

    history = train(model, loss, steps, RATE, seed, schedule=warmup(WARMUP), clip=1.0)
    return model.eval(), history


@torch.no_grad()
def right(model: nn.Module, longest: int = LONGEST, period: int = 2) -> list[int]:
    """1 where the model answers rightly after 0, 1, … `longest` letters, 0 where it does not."""
    return (model(letters(longest)).argmax(dim=-1) == may_end(longest, period))[0].long().tolist()


def measure(
    runs: tuple[tuple[str, int, int], ...] = RUNS,
    seeds: tuple[int, ...] = SEEDS,
    steps: int = STEPS,
    longest: int = LONGEST,
) -> dict:
    """Rows: encoding, layers, period, seed, "loss", "right" (a 1 or 0 for each number of letters, as one string), and
    the shares "within" the trained length and "beyond" it. "always", by period: what the likelier answer, given always,
    gets beyond it. Raises ValueError unless `longest` is beyond the 40 letters that are trained on.
    """
    if longest <= LENGTH:
        raise ValueError(f"longest should be above {LENGTH}, the letters that are trained on; got {longest}.")
    return {
        "settings": {"length": LENGTH, "longest": longest, "steps": steps, "lr": RATE, "warmup": WARMUP}
        | {"d_model": D_MODEL, "heads": HEADS},
        "seeds": list(seeds),
        "always": {str(period): _always(period, longest) for period in sorted({run[2] for run in runs})},
        "rows": [_row(*run, seed, steps, longest) for run in runs for seed in seeds],
    }


def _always(period: int, longest: int) -> float:
    ends = may_end(longest, period)[0, LENGTH + 1 :].double().mean().item()
    return round(max(ends, 1 - ends), 4)


def _row(encoding: str, layers: int, period: int, seed: int, steps: int, longest: int) -> dict:
    about = {"encoding": encoding, "layers": layers, "period": period, "seed": seed}
    try:
        model, history = learn(encoding, layers, seed, period, steps)
    except FloatingPointError:
        return about | {"loss": None, "right": "", "within": None, "beyond": None}
    hits = right(model, longest, period)
    within, beyond = hits[: LENGTH + 1], hits[LENGTH + 1 :]
    return about | {
        "loss": round(history.tail(), 4),
        "right": "".join(map(str, hits)),
        "within": round(sum(within) / len(within), 4),
        "beyond": round(sum(beyond) / len(beyond), 4),
    }
