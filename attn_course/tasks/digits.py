"""Digits: 1,797 handwritten digits of 8 × 8 pixels, and two ways in which the world may shift under a trained model.

Source: E. Alpaydin and C. Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0 (`data/digits.NOTICE.txt`); the same
images as scikit-learn's `load_digits`, frozen here. They were written by 13 people.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor

FILE = Path(__file__).parent / "data" / "digits.safetensors"
CLASSES, SIDE = 10, 8


@dataclass(frozen=True)
class Digits:
    images: Float[Tensor, "image 8 8"]  # 0 (paper) to 1 (ink)
    labels: Int[Tensor, "image"]  # 0 to 9

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which) -> "Digits":
        """Some of them: a slice, a list of places or a tensor of them."""
        return Digits(self.images[which], self.labels[which])


@cache
def digits() -> Digits:
    """All of them, in the order of scikit-learn."""
    stored = load_file(FILE)
    return Digits(stored["images"].float() / 16, stored["labels"].long())


def split(seed: int = 0, held_out: int = 360) -> tuple[Digits, Digits]:
    """Those to train on and those held out, by chance (so that both hold images of all 13 writers)."""
    everyone = digits()
    if not 1 <= held_out < len(everyone):
        raise ValueError(f"Of {len(everyone)} digits, 1 to {len(everyone) - 1} can be held out, got {held_out}.")
    order = torch.randperm(len(everyone), generator=torch.Generator().manual_seed(seed))
    return everyone[order[held_out:]], everyone[order[:held_out]]


def noisy(shown: Digits, std: float = 0.2, seed: int = 0) -> Digits:
    """Normal noise on every pixel, cut off at paper and ink: a small shift, the strokes stay where they were."""
    if std < 0:
        raise ValueError(f"std is the spread of the noise, 0 or more, got {std}.")
    noise = torch.randn(shown.images.shape, generator=torch.Generator().manual_seed(seed))
    return Digits((shown.images + std * noise).clamp(0, 1), shown.labels)


def rotated(shown: Digits) -> Digits:
    """A quarter turn to the left: a large shift, every stroke is somewhere else."""
    return Digits(shown.images.rot90(dims=(1, 2)), shown.labels)


def few(shown: Digits, each: int, seed: int = 0) -> Digits:
    """`each` digits of every class, drawn by chance."""
    least = min((shown.labels == digit).sum().item() for digit in range(CLASSES))
    if not 1 <= each <= least:
        raise ValueError(f"Every class has at least {least} digits here, so each can be 1 to {least}, got {each}.")
    order = torch.randperm(len(shown), generator=torch.Generator().manual_seed(seed))
    places = [order[shown.labels[order] == digit][:each] for digit in range(CLASSES)]
    return shown[torch.cat(places)]


def draw(shown: Digits, generator: torch.Generator, batch: int = 64) -> Digits:
    """A batch, drawn with replacement."""
    return shown[torch.randint(len(shown), (batch,), generator=generator)]


def most_frequent(known: Digits, asked: Digits) -> float:
    """Accuracy of always naming the commonest digit of `known`: what can be had without looking."""
    return (asked.labels == known.labels.mode().values).float().mean().item()


def nearest_neighbour(known: Digits, asked: Digits) -> float:
    """Accuracy of naming the digit whose image in `known` is nearest (sum of squared differences of pixels)."""
    distance = torch.cdist(asked.images.flatten(1), known.images.flatten(1))  # (asked, known)
    return (known.labels[distance.argmin(dim=1)] == asked.labels).float().mean().item()
