"""Lesson 06: a translator writes a number word by word; where it looks, what a person would link, and one step late."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
import traitlets
from jaxtyping import Float
from torch import Tensor

from attn_course.show.widgets.base import Widget, module, style

BOTH = -1  # all heads together

Link = tuple[int, int]  # (place of the target word, place of the source word)


@dataclass(frozen=True)
class Steps:
    """A sentence, its translation, and where each head looked at each step.

    weights          step t reads the target before word t and writes word t; the last step writes the end
    sure, possible   links that a person drew; whatever is sure is possible too
    """

    source: Sequence[str]
    target: Sequence[str]
    weights: Float[Tensor, "head step source"]
    sure: Collection[Link]
    possible: Collection[Link]

    def state(self) -> dict:
        """What the browser needs: weights in whole thousandths. ValueError if words, weights and links do not fit."""
        steps, words = len(self.target) + 1, len(self.source)
        shape = tuple(self.weights.shape)
        if len(shape) != 3 or shape[1:] != (steps, words):
            raise ValueError(
                f"The weights should be (head, {steps} steps, {words} source words), one step more than there are "
                f"target words, got {shape}."
            )
        outside = [link for link in (*self.sure, *self.possible) if not (0 <= link[0] < steps - 1 and link[1] < words)]
        if outside:
            raise ValueError(f"The link {outside[0]} joins no two words: there are {steps - 1} and {words}.")
        return {
            "source": list(self.source),
            "target": list(self.target),
            "weights": torch.as_tensor(self.weights).mul(1000).round().int().tolist(),
            "sure": sorted(map(list, self.sure)),
            "possible": sorted(map(list, {*self.sure, *self.possible})),
        }


def plain_readings() -> list[Steps]:
    """ "forty two", and with a double: what the widget shows when it is given no model."""
    sure, possible = {(0, 1), (2, 0)}, {(1, 0), (1, 1)}
    looked = torch.tensor([[0.1, 0.9], [0.6, 0.4], [0.8, 0.2], [0.5, 0.5]])
    weights = torch.stack([looked, looked.flip(0)])
    return [Steps(("forty", two), ("zwei", "und", "vierzig"), weights, sure, possible) for two in ("two", "twain")]


class TranslationWidget(Widget):
    """The writing of numbers, step by step, in one or more readings each: the second with doubles for some words.

    numbers   for each number its readings, alike but for the source words and the weights
    number    which number, counted from 0
    step      which target word is being written, counted from 0
    head      whose weights; −1 for the mean of all heads
    late      read each word's row one step late: where the model looked when it had the word already
    doubles   show the second reading
    """

    _esm = module("translation_numbers", "translation")
    _css = style("translation")

    numbers = traitlets.List(traitlets.List(traitlets.Dict())).tag(sync=True)
    number = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(BOTH).tag(sync=True)
    late = traitlets.Bool(False).tag(sync=True)
    doubles = traitlets.Bool(False).tag(sync=True)

    def __init__(self, numbers: Sequence[Sequence[Steps]] = (), **state):
        told = [[reading.state() for reading in readings] for readings in numbers or [plain_readings()]]
        if not all(told) or len({len(one["weights"]) for readings in told for one in readings}) > 1:
            raise ValueError("Each number needs at least one reading, and all of them equally many heads.")
        if any(one["target"] != readings[0]["target"] for readings in told for one in readings):
            raise ValueError("The readings of one number should have the same target words.")
        super().__init__(numbers=told, **state)

    @traitlets.validate("number", "step", "head")
    def _there(self, proposal):
        name, shown = proposal.trait.name, self.numbers[min(self.number, len(self.numbers) - 1)][0]
        counts = {"number": len(self.numbers), "step": len(shown["target"]), "head": len(shown["weights"])}
        first = BOTH if name == "head" else 0
        if not first <= proposal.value < counts[name]:
            raise traitlets.TraitError(f"{name} should be {first} to {counts[name] - 1}, got {proposal.value}.")
        return proposal.value

    def describe(self) -> str:
        heads = len(self.numbers[0][0]["weights"])
        numbers = "1 number" if len(self.numbers) == 1 else f"{len(self.numbers)} numbers"
        return f"{numbers}, {heads} heads"
