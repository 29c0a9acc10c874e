"""Two small GPTs that met rows of words and labels: one with labels drawn anew for each row, one with fixed ones.

The first has to learn to read its context, the second need not: it learns the labels themselves, into its weights.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_course.attention import Learned, fused
from attn_course.models.gpt import GPT
from attn_course.tasks.fewshot import KINDS, VOCABULARY, WORDS, accuracy_by_examples, answers_right, fewshot_batch
from attn_course.training.checkpoints import Recipe
from attn_course.training.history import History
from attn_course.training.loop import train
from attn_course.training.schedules import warmup

D_MODEL, EXAMPLES, STEPS = 64, 12, 1200
FIXED = torch.arange(KINDS)  # kind 0 has label 0, and so on
SHIFTED = FIXED.roll(1)  # every kind has another one's label


def make() -> GPT:
    """Two layers of four heads. Tokens and positions begin small, so that the first steps can turn them."""
    positions = Learned(2 * EXAMPLES + 1, D_MODEL)
    model = GPT(VOCABULARY, D_MODEL, heads=4, layers=2, d_hidden=128, positions=positions, mechanism=fused)
    nn.init.normal_(model.token.weight, std=0.02)
    return model


def fit(model: GPT, mapping: Tensor | None = None, steps: int = STEPS, seed: int = 0, every: int = 50) -> History:
    """Train to give the label after each word of a row, and measure the accuracy after the last example."""

    def loss(model: GPT, generator: torch.Generator) -> Tensor:
        batch = fewshot_batch(generator, 64, EXAMPLES, mapping)
        return F.cross_entropy(model(batch.tokens)[:, 0::2].flatten(0, 1), batch.labels.flatten() + WORDS)

    def measure(model: GPT) -> dict[str, float]:
        return {"after_12": measured(model, mapping, rows=256)[-1]}

    return train(model, loss, steps, lr=3e-3, seed=seed, schedule=warmup(50), measure=measure, every=every)


@torch.no_grad()
def measured(model: GPT, mapping: Tensor | None = None, rows: int = 1000) -> list[float]:
    """Accuracy on new rows after 0, 1, … 12 examples."""
    batch = fewshot_batch(torch.Generator().manual_seed(1234), rows, EXAMPLES, mapping)
    return accuracy_by_examples(model(batch.tokens), batch).tolist()


@torch.no_grad()
def copied_and_concluded(model: GPT, rows: int = 1000) -> tuple[float, float]:
    """Accuracy where the word itself has stood before, and where only another of its kind has."""
    batch = fewshot_batch(torch.Generator().manual_seed(4321), rows, EXAMPLES)
    right = answers_right(model(batch.tokens), batch).float()
    return right[batch.seen_word].mean().item(), right[batch.seen_kind & ~batch.seen_word].mean().item()


def figures(model: GPT) -> dict[str, float]:
    """Accuracy with new labels after 0, 1, 2, 4, 8, 12 examples, copied and concluded; with fixed and shifted ones."""
    new = measured(model)
    copied, concluded = copied_and_concluded(model)
    return {f"new_{examples}": new[examples] for examples in (0, 1, 2, 4, 8, 12)} | {
        "copied": copied,
        "concluded": concluded,
        "fixed_12": measured(model, FIXED)[-1],
        "shifted_12": measured(model, SHIFTED)[-1],
    }


RECIPES = {
    "fewshot": Recipe(make, fit, figures),
    "fewshot-fixed": Recipe(make, partial(fit, mapping=FIXED, steps=150), figures),
}
