"""What is examined: one model with questions to it, and what is known about it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from attn_course.diagnosis.trials.asked import Asked

SOUND = "sound"


@dataclass(frozen=True)
class Case:
    """A model, questions of the kind it learned, and the same in longer rows."""

    model: nn.Module
    asked: Asked
    longer: tuple[Asked, ...] = ()


@dataclass(frozen=True)
class Patient:
    """How one is made. The same kind, seed and size give the same model.

    truth  the finding that belongs to it, or SOUND
    kind   by which recipe: "sound: recall, null key"
    """

    truth: str
    kind: str
    seed: int
    size: dict[str, int]
    make: Callable[[], Case]
    confirm: Callable[[str, Case], bool] | None = None  # asks, apart from the doctor, whether it has become sick

    @property
    def name(self) -> str:
        return f"{self.kind}, seed {self.seed}, {', '.join(f'{name} {value}' for name, value in self.size.items())}"
