"""Some weights faster than others: one learning rate for all, and a factor for those that are chosen."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils import parametrize


class Faster(nn.Module):
    """Kept as W / c, used as c · W. Adam's step is of one size whatever the gradient's, so W moves c times as far."""

    def __init__(self, times: float):
        super().__init__()
        self.times = times

    def forward(self, kept: Tensor) -> Tensor:
        return self.times * kept

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / self.times


def faster(model: nn.Module, chosen: Callable[[str], bool], times: float) -> list[str]:
    """Let the parameters whose names are chosen learn `times` as fast, in place; returns their names.

    The model's outputs do not change. It holds for Adam and AdamW, whose steps do not depend on the gradient's size
    (but for their ε), and for no other optimiser. Raises ValueError if times is not above 0, or nothing was chosen.
    """
    if not times > 0:
        raise ValueError(f"times is how many times as fast, above 0; got {times!r}.")
    names = [name for name, _ in model.named_parameters() if chosen(name)]
    if not names:
        raise ValueError("No parameter has such a name, so nothing would be faster.")
    for name in names:
        place, _, last = name.rpartition(".")
        parametrize.register_parametrization(model.get_submodule(place), last, Faster(times))
    return names
